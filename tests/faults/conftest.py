"""Fixtures of the tests of broken machines."""

from tests.faults.kept import crashed, data, places

__all__ = ["crashed", "data", "places"]
