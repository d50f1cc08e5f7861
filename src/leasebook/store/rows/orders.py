"""Orders as the store keeps them: with numbers in place of ids, and without what the row of their instance has.

An order repeats much of its instance: account, region and type, and a purchase also its id, its user and its time. The
table ``order_rows`` has these only where they differ, and the view ``orders`` shows its rows with all fields. None of
these columns of an instance ever changes (``codec.UNIT_FIXED``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from leasebook.domain.record.ledger import Order
from leasebook.store.rows.postings import NUMBER_OF_ACCOUNT

VIEW: Final = (
    "CREATE VIEW orders AS SELECT o.seq, coalesce(o.id, u.order_id) AS id, n.account_id, o.kind, u.id AS unit_id, "
    "o.payment_timing, coalesce(o.region, u.region) AS region, coalesce(o.type, u.type) AS type, "
    'o."count", o.months, o.amount, coalesce(o.created_at, u.created_at) AS created_at, '
    "coalesce(o.created_by, u.created_by) AS created_by, o.account, o.unit "
    "FROM order_rows o LEFT JOIN account_numbers n ON n.seq = o.account LEFT JOIN units u ON u.seq = o.unit"
)

FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(Order))
_STORED: Final = {"account_id": "account", "unit_id": "unit"}
COLUMNS: Final = ", ".join(f'"{_STORED.get(name, name)}"' for name in FIELDS)
"""The columns of ``order_rows`` in the order of an order's fields."""
_OF_UNIT: Final = {"id": "order_id", **{name: name for name in ("region", "type", "created_at", "created_by")}}
"""The fields that are stored only where they are not the instance's, with its columns."""


def selected(source: str, unit: str) -> str:
    """Return the columns for a new row, from a source with an order's fields by their names and its instance's row."""

    def column(name: str) -> str:
        given = f'{source}."{name}"'
        if name == "account_id":
            return NUMBER_OF_ACCOUNT.replace("?", given)
        if name == "unit_id":
            return f"{unit}.seq"
        return f"nullif({given}, {unit}.{_OF_UNIT[name]})" if name in _OF_UNIT else given

    return ", ".join(map(column, FIELDS))


# The instance is joined from outside, so that an order without one is refused and not lost.
INSERT: Final = (
    f"INSERT INTO order_rows ({COLUMNS}) SELECT {selected('new', 'u')} "
    f"""FROM (SELECT {", ".join(f'? AS "{name}"' for name in FIELDS)}) AS new LEFT JOIN units u ON u.id = new.unit_id"""
)
"""Writes an order; its parameters are its fields."""
