"""Calls, their pages, and waiting for what they began."""
