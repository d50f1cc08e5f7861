"""Costs, as they are shown and exported."""
