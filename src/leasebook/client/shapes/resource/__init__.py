"""Shapes of values: resource."""
