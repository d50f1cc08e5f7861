"""Checks of trust: a version of an account is trusted exactly if its last event says so.

A forged row cannot make a version trusted: approvals are events of the account, and calls of an operator in the audit
log. Versions for all accounts have no events; only operators add them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from leasebook.domain.model.model import EVERYBODYS
from leasebook.domain.record.event import MODEL_APPROVED, MODEL_WITHDRAWN, Event, types_mask
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.packing import unpacked

PAGES_AT_ONCE: Final = 500
_decoded: Final = msgspec.json.Decoder(tuple[Event, ...]).decode


def check_trust(fetch: Fetch) -> Iterator[str]:
    """Compare the approvals in the rows with the events."""
    last_events = _last_events(fetch)
    rows = fetch(
        "SELECT m.id, m.account_id, m.approved_by, m.approved_at, m.withdrawn_at, s.account_id FROM models m "
        "LEFT JOIN model_sets s ON s.id = m.set_id ORDER BY m.seq",
        (),
    )
    for model, account, approved_by, approved_at, withdrawn_at, of_set in rows:
        if of_set is not None and account != of_set:
            yield f"model {model} belongs to account {account!r}, and its set to {of_set!r}"
        if (approved_by is None) != (approved_at is None) or (approved_at is not None and withdrawn_at is not None):
            yield f"model {model} is approved by {approved_by} at {approved_at}, and not any more since {withdrawn_at}"
        says = MODEL_APPROVED if approved_at is not None else None if withdrawn_at is None else MODEL_WITHDRAWN
        last = last_events.get((account, model))
        if account != EVERYBODYS and says != last:
            yield f"model {model} says {says or 'nothing'} of its approval, and its last event {last or 'nothing'}"


def _last_events(fetch: Fetch) -> dict[tuple[str, str], str]:
    """Return the last event of each version, by account and version. Damaged pages are reported by another check."""
    last_events: dict[tuple[str, str], str] = {}
    for account, text in _pages(fetch):
        try:
            events = _decoded(unpacked(text))
        except msgspec.DecodeError:
            continue
        for event in events:
            if event.type in (MODEL_APPROVED, MODEL_WITHDRAWN):
                last_events[account, event.data["modelId"]] = event.type
    return last_events


def _pages(fetch: Fetch) -> Iterator[tuple[Any, ...]]:
    seq, mask = -1, types_mask((MODEL_APPROVED, MODEL_WITHDRAWN))
    while rows := fetch(
        "SELECT seq, account_id, events FROM event_pages WHERE seq > ? AND types & ? <> 0 ORDER BY seq LIMIT ?",
        (seq, mask, PAGES_AT_ONCE),
    ):
        seq = rows[-1][0]
        yield from (row[1:] for row in rows)
