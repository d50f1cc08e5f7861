"""What is written down about what happened: events, postings, audit log, agenda."""
