"""Tests of the house as a file: ``apply`` and ``export``."""
