"""Shapes of values: finance."""
