"""Records of past and future: events, postings, audit log, agenda."""
