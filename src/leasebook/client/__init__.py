"""The Python client: ``Client`` and ``AsyncClient``, for this service and for the cloud's endpoint.

from leasebook.client import Client

with Client() as client:
    for unit in client.each_of_units():
        print(unit.instance_id, unit.status)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leasebook.client.async_client import AsyncClient
    from leasebook.client.caller import Retries
    from leasebook.client.errors import (
        ConfigurationError,
        ErrorAnswer,
        LeasebookError,
        NaiveTimeError,
        NoAnswer,
        UnexpectedAnswer,
        WaitedTooLong,
    )
    from leasebook.client.sync_client import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigurationError",
    "ErrorAnswer",
    "LeasebookError",
    "NaiveTimeError",
    "NoAnswer",
    "Retries",
    "UnexpectedAnswer",
    "WaitedTooLong",
]
_ELSEWHERE = {"AsyncClient": "async_client", "Client": "sync_client", "Retries": "caller"}


def __getattr__(name: str) -> Any:
    # The methods take a third of a second to load, which commands that need none of them do not pay.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'errors')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
