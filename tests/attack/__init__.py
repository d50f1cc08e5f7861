"""Attacks: what a stranger or a tenant would try, and does not get."""
