"""Rules for names and tags of what accounts have."""
