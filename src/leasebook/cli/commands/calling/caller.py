"""The client without methods of single operations: the commands name the operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leasebook.client.caller import ActionOf
from leasebook.client.sync_caller import SyncCaller


class OperationCaller(SyncCaller):
    """Calls operations with bodies by the names on the wire, apart from ``client_token``."""

    def call(self, operation: ActionOf[Any], body: Mapping[str, Any]) -> Any:
        """Return the result of an operation."""
        return self._call(operation, body)

    def follow(self, operation: ActionOf[Any], body: Mapping[str, Any]) -> Iterator[Any]:
        """Yield events as they happen."""
        return self._follow(operation, body)

    def download(self, operation: ActionOf[Any], body: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the pieces of a file."""
        return self._download(operation, body)
