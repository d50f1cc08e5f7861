"""The test kit: a service inside the test's own process, with a clock that tests move; and an engine in memory.

    from leasebook.testing import Leasebook

    with Leasebook(start="2030-01-01 00:00:00") as service:
        unit = service.given(stock={"gpu-1": 3}, balance=100, unit="gpu-1").unit
        service.advance(hours=8)
        print(service.bill().charged)

pytest loads ``leasebook.testing.plugin`` in every run where the package is installed, so that nothing here is imported
before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leasebook.testing.account import AccountInTest
    from leasebook.testing.errors import KitError
    from leasebook.testing.guard import ReachedElsewhere
    from leasebook.testing.kit import Given, Leasebook, Passed

__all__ = ["AccountInTest", "Given", "KitError", "Leasebook", "Passed", "ReachedElsewhere"]

_MODULES = {
    "AccountInTest": "leasebook.testing.account",
    "Given": "leasebook.testing.kit",
    "KitError": "leasebook.testing.errors",
    "Leasebook": "leasebook.testing.kit",
    "Passed": "leasebook.testing.kit",
    "ReachedElsewhere": "leasebook.testing.guard",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is used."""
    import importlib

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
