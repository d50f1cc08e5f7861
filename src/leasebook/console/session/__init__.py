"""Signing in and out: links that work once, sessions, and the tokens of forms."""
