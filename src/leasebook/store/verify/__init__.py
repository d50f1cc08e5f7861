"""Proves the books: what must hold of every store, and which rows break it."""
