"""The embedded store: one SQLite file, one writer, readers beside it."""
