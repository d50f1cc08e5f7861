"""Shapes of values: models."""
