"""Due work, in the order in which it is done; and instances whose renewal waits for money."""

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
"""Due work, with each instance's place in the order of purchases."""
TIE_TEXT: Final = f"{_FROM} WHERE a.at = ? AND a.kind = ? ORDER BY u.seq LIMIT ?"
"""Due work of one kind at one instant, in the order of purchases."""
UNRENEWED_TEXT: Final = (
    f"SELECT {columns(CODECS[INSTANCES])} FROM units WHERE account_id = ? AND auto_renew AND status <> 'Released' "
    "AND payment_timing = 'Prepaid' AND (status = 'Stopped' OR (status IN ('Running', 'Reconfiguring', "
    f"'ReconfigureFailed', 'BillingChanging') AND expires_at - renew_at < {FIRST_TRY_US})) "
    "ORDER BY seq LIMIT ?"
)
"""Instances whose renewal waits for money (``Instance.awaits_renewal``), in the order of purchases."""


def cut(rows: Sequence[Sequence[Any]], limit: int) -> tuple[int, int, int] | None:
    """Return the time and kind of a tie that the limit has cut, and the number of its rows wanted; None: no tie.

    The rows of a tie come by id. If that kind is done in the order of purchases, they must be read again
    (``TIE_TEXT``).
    """
    if len(rows) < limit or not rows:
        return None
    at, kind = rows[-1][0], rows[-1][1]
    return (at, kind, sum((row[0], row[1]) == (at, kind) for row in rows)) if DueKind(kind) in BY_AGE else None


def in_order(rows: Sequence[Sequence[Any]], tie: Sequence[Sequence[Any]] = ()) -> list[Due]:
    """Return due work in the order in which it is done. Rows of a tie that was read again replace the cut ones."""
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
