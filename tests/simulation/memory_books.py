"""Everything that a store of memory holds, to be compared."""

from __future__ import annotations

from typing import Any, NamedTuple

from leasebook.domain.book.tables import Key, Table
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.ledger import Order, Posting


class Books(NamedTuple):
    """Everything that a store holds, rows in the order in which they were written."""

    rows: dict[str, dict[Key, Any]]
    orders: list[Order]
    postings: list[Posting]
    agenda: list[Due]

    def table(self, table: Table[Any]) -> list[Any]:
        """The rows of one table."""
        return list(self.rows[table.name].values())

    @property
    def without_order(self) -> Books:
        """The same, whatever the order in which rows were written."""
        rows = {name: dict(sorted(rows.items())) for name, rows in self.rows.items()}
        return Books(rows, sorted(self.orders, key=repr), sorted(self.postings, key=repr), self.agenda)
