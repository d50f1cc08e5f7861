"""The Python client: ``Client`` and ``AsyncClient``, for this service and for the cloud's endpoint.

from leasebook.client import Client

with Client() as client:
    for unit in client.each_of_units():
        print(unit.instance_id, unit.status)
"""

from __future__ import annotations

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
