"""Shapes of values: approval."""
