"""Checks of due work: the first of each instance, as its row has it, is what the instance's times and status say.

The agenda is computed here from the instances in SQL, independently of the rules in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.domain.record.agenda import DueKind
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.store.queries.read_repository import Fetch

_UP: Final = "status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging')"
_STOPPED: Final = "status = 'Stopped'"
_UP_OR_STOPPED: Final = f"({_STOPPED} OR {_UP})"
_ENDABLE: Final = f"(status IN ('Creating', 'Stopped') OR {_UP})"
_PIECES: Final = (
    (DueKind.RELEASE, "release_at", _ENDABLE),
    (DueKind.EXPIRE, "expires_at", _UP),
    (DueKind.RENEW, "renew_at", _UP_OR_STOPPED),
    (DueKind.STOP, "stop_at", _UP),
    (DueKind.CHARGE, "charge_at", _UP),
    (DueKind.RETIRE, "retire_at", _STOPPED),
    (DueKind.RESUME, "resume_at", _STOPPED),
    (DueKind.REMIND, "remind_at", _ENDABLE),
)


def agenda(condition: str) -> str:
    """Return the query for all due work of the instances, and of the requests for approvals, that meet a condition."""
    pieces = [
        f"SELECT {time} AS at, {kind:d} AS kind, id AS unit_id, due_at, due_kind FROM units "
        f"WHERE {time} IS NOT NULL AND {status} AND {condition}"
        for kind, time, status in _PIECES
    ]
    request = (
        f"SELECT due_at AS at, {DueKind.APPROVAL:d} AS kind, id AS unit_id, due_at, {DueKind.APPROVAL:d} AS due_kind"
    )
    return " UNION ALL ".join([*pieces, f"{request} FROM approvals WHERE due_at IS NOT NULL AND {condition}"])


_IS_SAID: Final = " ".join(f"WHEN {kind:d} THEN {time} = due_at AND {status}" for kind, time, status in _PIECES)
_MISSING: Final = (
    f"SELECT at, kind, unit_id FROM ({agenda('1 = 1')}) a WHERE due_at IS NULL OR due_kind IS NULL OR at < due_at "
    "OR (at = due_at AND kind < due_kind) LIMIT ?"
)
_IDLE: Final = (
    "SELECT due_at, due_kind, id FROM units WHERE (due_at IS NOT NULL OR due_kind IS NOT NULL) "
    f"AND NOT coalesce(CASE due_kind {_IS_SAID} END, 1 = 0) LIMIT ?"
)
COUNT_TEXT: Final = f"SELECT count(*) FROM ({agenda('due_at IS NOT NULL')}) a"
"""How many pieces of due work there are."""


def name_of(kind: int | None) -> str:
    """Return what findings call a kind of due work."""
    return DueKind(kind).name.lower() if kind in set(DueKind) else f"of kind {kind}"


def due_findings(fetch: Fetch, most: int) -> Iterator[str]:
    """Yield up to ``most`` findings of work that no row would have done, and as many of rows with work that is none."""
    for text, what in ((_MISSING, "is missing"), (_IDLE, "belongs to nothing")):
        for at, kind, unit in fetch(text, (most,)):
            when = "no time" if at is None else rfc3339(Instant(at), "UTC")
            yield f"due work {name_of(kind)} of unit {unit} at {when} {what}"
