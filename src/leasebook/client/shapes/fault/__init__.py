"""Shapes of values: fault."""
