"""Kinds of things in a house, a class each. ``table`` has them all."""
