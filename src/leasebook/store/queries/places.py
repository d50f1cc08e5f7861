"""Queries about the places of rows in lists, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leasebook.domain.book.tables import INSTANCES, SERVICES, Table
from leasebook.ports.queries.read_repository import ReadRepository


class PlaceQueries(ReadRepository):
    """Queries about the places of rows."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def service_place(self, account_id: str, service_id: str) -> int | None:
        """Return the place of an account's service in lists, even if it is deleted."""
        return self._place(SERVICES, account_id, service_id)

    def unit_place(self, account_id: str, unit_id: str) -> int | None:
        """Return the place of an account's instance in lists, even if it is released."""
        return self._place(INSTANCES, account_id, unit_id)

    def _place(self, table: Table[Any], account_id: str, row_id: str) -> int | None:
        rows = self._fetch(f"SELECT seq FROM {table.name} WHERE id = ? AND account_id = ?", (row_id, account_id))
        return int(rows[0][0]) if rows else None
