"""Secrets at rest, the keys derived from them, and files that nobody else may read."""
