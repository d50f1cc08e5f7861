"""Tests of the rules of costs."""
