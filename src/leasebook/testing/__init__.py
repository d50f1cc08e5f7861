"""Parts for tests: an engine in memory, with every trouble that a real one can have."""
