"""Checks that all values are sealed under the store's master key, so that none is lost with another key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.domain.commands.store.master_key import BEFORE_KEY, PAST_KEYS
from leasebook.domain.record.identity_log import MASTER_KEY
from leasebook.security.vault import seal_id, sealed_by
from leasebook.store.queries.read_repository import Fetch, Queries

ROWS_AT_ONCE: Final = 1000
_CALLED: Final = {"access_keys": "access key", "hooks": "subscription", "passwords": "the second factor of"}


def has_turned(fetch: Fetch) -> bool:
    """Whether the master key was ever replaced."""
    return bool(Queries(fetch).fact(PAST_KEYS))


def sealed_findings(fetch: Fetch) -> Iterator[str]:
    """Yield the values sealed under neither the master key nor, during its replacement, the former one."""
    ask = Queries(fetch)
    current, before = ask.fact(MASTER_KEY), ask.fact(BEFORE_KEY)
    if current is None:
        return
    try:
        known: set[bytes | None] = {seal_id(name) for name in (current, before) if name}
    except ValueError:
        yield "the store does not say under which master key it is sealed"
        return
    if before or not ask.fact(PAST_KEYS):
        # Values sealed before seals named their key: sealed by the only key that there was.
        known.add(None)
    for table, called in _CALLED.items():
        last = ""
        while rows := ask.sealed_rows(table, after=last, limit=ROWS_AT_ONCE):
            last = rows[-1].id
            for row in rows:
                values = [value for value in (row.sealed, row.sealed_before) if value]
                if any(sealed_by(value) not in known for value in values):
                    yield f"{called} {row.id} is sealed under another master key than the store's"
