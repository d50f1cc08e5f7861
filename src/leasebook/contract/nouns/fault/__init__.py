"""Faults that tests of callers ask for."""
