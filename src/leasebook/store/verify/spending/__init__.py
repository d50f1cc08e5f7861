"""Checks of what limits count."""
