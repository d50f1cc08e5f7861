"""Engines: what makes capacity real, and says when it is there and when it is gone."""
