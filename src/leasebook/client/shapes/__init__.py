"""Shapes of values that requests and results have."""
