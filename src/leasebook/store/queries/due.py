"""Due work, in the order in which it is done; and instances whose renewal waits for money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from leasebook.domain.book.tables import INSTANCES
from leasebook.domain.model.instance import FIRST_TRY_US
from leasebook.domain.record.agenda import Due, DueKind, DueTimes, due_until
from leasebook.domain.values.calendar import Instant
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS

_TIMES: Final = ", ".join(field.name for field in msgspec.structs.fields(DueTimes))
HEADS_TEXT: Final = (
    f"SELECT due_at, due_kind, seq, {_TIMES} FROM units WHERE due_at <= ? ORDER BY due_at, due_kind, seq LIMIT ?"
)
"""The instances with work due by an instant, in the order of the first work of each, and what the rest depends on."""
FIRST_RELEASE_TEXT: Final = (
    f"SELECT due_at FROM units WHERE due_at <= ? AND due_kind = {DueKind.RELEASE:d} ORDER BY due_at, due_kind LIMIT 1"
)
"""The oldest release among the first work of each instance."""
_BEHIND: Final = "SELECT min(release_at) FROM units WHERE due_at {sign} ? AND release_at {sign} ?"
RELEASE_BY_TEXT: Final = _BEHIND.format(sign="<=")
"""The oldest release due by an instant, of instances with any work that is due by then."""
RELEASE_BEFORE_TEXT: Final = _BEHIND.format(sign="<")
"""The oldest release due before an instant, of instances on which other work is due even before it."""
UNRENEWED_TEXT: Final = (
    f"SELECT {columns(CODECS[INSTANCES])} FROM units WHERE account_id = ? AND auto_renew AND status <> 'Released' "
    "AND payment_timing = 'Prepaid' AND (status = 'Stopped' OR (status IN ('Running', 'Reconfiguring', "
    f"'ReconfigureFailed', 'BillingChanging') AND expires_at - renew_at < {FIRST_TRY_US})) "
    "ORDER BY seq LIMIT ?"
)
"""Instances whose renewal waits for money (``Instance.awaits_renewal``), in the order of purchases."""


def in_order(heads: Sequence[Sequence[Any]], until: Instant, limit: int) -> list[Due]:
    """Return at most ``limit`` pieces of due work in the order in which they are done.

    ``heads`` are the rows of ``HEADS_TEXT`` for the same arguments. If the limit has cut them, no other instance has
    work before the last of them. The later work of an instance is derived here, and is part of the result only as far
    as it is certain to come next.
    """
    is_cut = len(heads) >= limit
    last = Instant(heads[-1][0]) if heads and is_cut else until
    found: list[tuple[int, int, int, str]] = []
    for head in heads:
        at, kind, place, unit_id = head[:4]
        found.append((at, kind, place, unit_id))
        # Mostly none but the first is due, and a storm has many thousand of them.
        if len([time for time in head[5:] if time is not None and time <= last]) > 1:
            later = due_until(DueTimes(*head[3:]), last)
            found += [(due.at, due.kind, place, unit_id) for due in later if (due.at, due.kind) != (at, kind)]
    found.sort()
    return [Due(Instant(at), DueKind(kind), unit_id) for at, kind, _, unit_id in found[:limit]]
