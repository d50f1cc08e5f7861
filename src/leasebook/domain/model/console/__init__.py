"""Rows of the console."""
