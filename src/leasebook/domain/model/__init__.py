"""The nouns: one file for each kind of row that callers know."""
