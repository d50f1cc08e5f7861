"""Puts a server together from its parts, starts it, and stops it."""
