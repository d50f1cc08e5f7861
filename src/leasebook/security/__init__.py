"""Secrets at rest, the keys derived from them, and files that only their owner may read."""
