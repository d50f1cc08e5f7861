"""Handlers of the whole store: offerings, engine capacity, clock."""
