"""Orders as the store keeps them: with numbers in place of ids, and without what the row of their instance has.

An order repeats much of its instance: account, region and type, and a purchase also its id, its user and its time. The
table ``order_rows`` has these only where they differ, and the view ``orders`` shows its rows with all fields. None of
these columns of an instance ever changes (``codec.UNIT_FIXED``).
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final

import msgspec

from leasebook.domain.model.instance import Instance
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
            # The instance's account, whose number is at hand. The number of another one, which none is, is looked up.
            number = NUMBER_OF_ACCOUNT.replace("?", given)
            return f"CASE WHEN {unit}.account_id = {given} THEN {unit}.account ELSE {number} END"
        if name == "unit_id":
            return f"{unit}.seq"
        return f"nullif({given}, {unit}.{_OF_UNIT[name]})" if name in _OF_UNIT else given

    return ", ".join(map(column, FIELDS))


# The instance is joined from outside, so that an order without one is refused and not lost.
INSERT: Final = (
    f"INSERT INTO order_rows ({COLUMNS}) SELECT {selected('new', 'u')} "
    f"""FROM (SELECT {", ".join(f'? AS "{name}"' for name in FIELDS)}) AS new LEFT JOIN units u ON u.id = new.unit_id"""
)
"""Writes an order; its parameters are those of ``values``."""
_of_unit: Final = attrgetter(*_OF_UNIT.values())
_of_order: Final = attrgetter(*_OF_UNIT)
_SENT: Final = tuple(name not in _OF_UNIT for name in FIELDS)


def values(orders: Iterable[Order], units: Iterable[Instance]) -> list[tuple[Any, ...]]:
    """Return the fields of orders, without those that the new instances ``units`` have, too.

    The store would leave them out as well, but first they would be sent to it.
    """
    bought = {unit.id: unit for unit in units}
    found = []
    for order in orders:
        fields = msgspec.structs.astuple(order)
        unit = bought.get(order.unit_id)
        if unit is not None and _of_unit(unit) == _of_order(order):
            fields = tuple([value if sent else None for value, sent in zip(fields, _SENT, strict=True)])
        found.append(fields)
    return found
