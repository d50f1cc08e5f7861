"""Checks of derived rows: the audit log's index of instances, and the event of each delivery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from leasebook.domain.model.subscription import ACCOUNT_LANE
from leasebook.domain.record.audit_log import read_body
from leasebook.domain.record.event import Event
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.packing import unpacked

PAGES_AT_ONCE: Final = 200
NAMES_AT_ONCE: Final = 400
FOUND_MAX: Final = 1000
_OWN_LANES: Final = ("test", "confirm", ACCOUNT_LANE)
_events: Final = msgspec.json.Decoder(tuple[Event, ...]).decode


def named_findings(fetch: Fetch) -> Iterator[str]:
    """Compare the index of the audit log with its pages: every call that names an instance must be listed under it."""
    right = last = 0
    while rows := fetch(
        "SELECT seq, account_id, body FROM audit_pages WHERE seq > ? ORDER BY seq LIMIT ?", (last, PAGES_AT_ONCE)
    ):
        last = rows[-1][0]
        wanted = _named(fetch, rows)
        listed = _listed(fetch, sorted({name for name, _ in wanted}), (rows[0][0], last))
        right += len(wanted & listed)
        for name, page in sorted(wanted - listed):
            yield f"audit index of unit {name} does not have page {page}, where a call names it"
    ((total,),) = fetch("SELECT count(*) FROM audit_units", ())
    if total != right:
        yield from _idle(fetch)


def _named(fetch: Fetch, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, int]]:
    """Return the instances of its own account that each page names."""
    found: set[tuple[str, str, int]] = set()
    for seq, account, stored in rows:
        try:
            body = read_body(unpacked(stored))
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The check of its chain reports it.
            continue
        found |= {(name, account, seq) for entry in body.entries for name in entry.names}
    owners: dict[str, str] = {}
    names = sorted({name for name, _, _ in found})
    for part in _parts(names):
        marks = ", ".join("?" for _ in part)
        owners |= dict(fetch(f"SELECT id, account_id FROM units WHERE id IN ({marks})", part))
    return {(name, seq) for name, account, seq in found if owners.get(name) == account}


def _listed(fetch: Fetch, names: list[str], pages: tuple[int, int]) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for part in _parts(names):
        marks = ", ".join("?" for _ in part)
        text = f"SELECT unit_id, page FROM audit_units WHERE unit_id IN ({marks}) AND page >= ? AND page <= ?"
        found.update((name, page) for name, page in fetch(text, (*part, *pages)))
    return found


def _parts(names: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(names), NAMES_AT_ONCE):
        yield names[at : at + NAMES_AT_ONCE]


def _idle(fetch: Fetch) -> Iterator[str]:
    """Yield the rows of the index whose page does not name the instance."""
    last: tuple[Any, ...] = ("", -1)
    while rows := fetch(
        "SELECT x.unit_id, x.page, p.account_id, p.body FROM audit_units x JOIN audit_pages p ON p.seq = x.page "
        "WHERE (x.unit_id, x.page) > (?, ?) ORDER BY x.unit_id, x.page LIMIT ?",
        (*last, PAGES_AT_ONCE),
    ):
        last = rows[-1][:2]
        for unit, page, account, body in rows:
            if (unit, page) not in _named(fetch, [(page, account, body)]):
                yield f"audit index of unit {unit} has page {page}, where no call of its account names it"


def delivery_findings(fetch: Fetch) -> Iterator[str]:
    """Compare each delivery with its event."""
    last, page, events = ("", -1, -1), None, None
    while rows := fetch(
        "SELECT d.page, d.line, d.hook_id, d.lane, d.unit_id, d.type, p.events, p.account_id FROM deliveries d "
        "JOIN event_pages p ON p.seq = d.page WHERE (d.hook_id, d.page, d.line) > (?, ?, ?) "
        "ORDER BY d.hook_id, d.page, d.line LIMIT ?",
        (*last, PAGES_AT_ONCE),
    ):
        last = (rows[-1][2], *rows[-1][:2])
        for seq, line, hook, lane, unit, kind, stored, account in rows:
            if seq != page:
                page, events = seq, _read(stored)
            if events is None:
                continue
            event = events[line] if 0 <= line < len(events) else None
            if (
                event is None
                or (event.unit_id, event.type) != (unit, kind)
                or lane
                not in (
                    unit,
                    f"{ACCOUNT_LANE} {account}",
                    *_OWN_LANES,
                )
            ):
                yield f"delivery {hook}-{seq}-{line} is of {kind} of {unit} in lane {lane}, and its event is another"


def _read(stored: Any) -> tuple[Event, ...] | None:
    try:
        return _events(unpacked(stored))
    except msgspec.DecodeError:
        return None
