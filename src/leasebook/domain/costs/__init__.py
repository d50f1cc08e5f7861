"""Costs as a question: sums of charges by account, period and group, and a forecast."""
