"""Buying: a form whose price and verdicts follow, and one confirmation."""
