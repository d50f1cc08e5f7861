"""The calls that are no POST with an action."""
