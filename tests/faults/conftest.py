"""What the tests of broken machines share."""

from tests.faults.kept import crashed, data, places

__all__ = ["crashed", "data", "places"]
