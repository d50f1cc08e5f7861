"""Faults that a server makes because an operator asked for them, for the tests of those who call it."""
