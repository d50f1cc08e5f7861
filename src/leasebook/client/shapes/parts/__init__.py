"""Shapes of values: parts."""
