"""What falls due, in the order in which it is done; and whose renewal waits for money."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import FIRST_TRY_US
from leasebook.domain.record.agenda import BY_AGE, Due, DueKind
from leasebook.domain.values.calendar import Instant
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS

_FROM: Final = "SELECT a.at, a.kind, a.unit_id, u.seq FROM agenda a JOIN units u ON u.id = a.unit_id"
DUE_TEXT: Final = f"{_FROM} WHERE a.at <= ? ORDER BY a.at, a.kind, a.unit_id LIMIT ?"
"""What is due by then, with the place of each instance in the order of purchases."""
TIE_TEXT: Final = f"{_FROM} WHERE a.at = ? AND a.kind = ? ORDER BY u.seq LIMIT ?"
"""What is due of one kind at one moment, in the order of purchases."""
UNRENEWED_TEXT: Final = (
    f"SELECT {columns(CODECS[INSTANCES])} FROM units WHERE account_id = ? AND auto_renew AND status <> 'Released' "
    "AND payment_timing = 'Prepaid' AND (status = 'Stopped' OR (status IN ('Running', 'Reconfiguring', "
    f"'ReconfigureFailed', 'BillingChanging') AND expires_at - renew_at < {FIRST_TRY_US})) "
    "ORDER BY seq LIMIT ?"
)
"""Whose renewal waits for money (``Unit.awaits_renewal``), in the order of purchases."""


def cut(rows: Sequence[Sequence[Any]], limit: int) -> tuple[int, int, int] | None:
    """Return the moment and kind of the tie that the limit has cut apart, and how many of it are wanted; None: none.

    It is found by ids, and has to be read again (``TIE_TEXT``) where it is done in the order of purchases.
    """
    if len(rows) < limit or not rows:
        return None
    at, kind = rows[-1][0], rows[-1][1]
    return (at, kind, sum((row[0], row[1]) == (at, kind) for row in rows)) if DueKind(kind) in BY_AGE else None


def in_order(rows: Sequence[Sequence[Any]], tie: Sequence[Sequence[Any]] = ()) -> list[Due]:
    """Return what is due in the order in which it is done. What is read of a tie takes the place of what was cut."""
    ties = {(row[0], row[1]) for row in tie}
    whole = [*(row for row in rows if (row[0], row[1]) not in ties), *tie]
    found: list[Due] = []
    for (at, number), group in groupby(whole, key=lambda row: (row[0], row[1])):
        kind = DueKind(number)
        same = list(group)
        if kind in BY_AGE:
            same.sort(key=lambda row: row[3])
        found += [Due(Instant(at), kind, row[2]) for row in same]
    return found
