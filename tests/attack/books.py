"""A store in the hands of an attacker who can write it, and knows everything of it but the master key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from typing import Any

import msgspec
import psycopg

from leasebook.cli.stores import audit_keys
from leasebook.domain.record.audit_log import Mark
from leasebook.domain.record.event import Event
from leasebook.domain.record.identity_log import LOG_END, PLACE, message_of, read_mark, write_mark
from leasebook.store.opening import Target
from leasebook.store.rows.packing import unpacked
from leasebook.store.verify.check import check_store

OPERATOR = "LeasebookOperatorPolicy"


class StoreProbe:
    """A store, and a connection to it."""

    def __init__(self, where: Target) -> None:
        self.where = where
        # One question, because each has a connection of its own.
        found = self.run(
            "SELECT r.value, o.account_id, t.id, b.id, u.id, k.id, d.id, s.id "
            "FROM facts r JOIN users o ON o.id = r.value JOIN users u ON u.name = 'worker' "
            "JOIN accounts t ON t.name = 'tenant' JOIN accounts b ON b.name = 'other' "
            "JOIN access_keys k ON k.user_id = u.id AND k.status = 'Active' "
            "JOIN access_keys d ON d.status = 'Disabled' JOIN service_keys s ON s.status = 'Deleted' "
            "WHERE r.name = 'root_user'"
        )
        self.root, self.operators, self.tenant, self.other, self.user = found[0][:5]
        self.key, self.disabled, self.service_key = found[0][5:]

    def run(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        """Say something to the store, and have it committed."""
        if self.where.url is None:
            with closing(sqlite3.connect(self.where.directory / "leasebook.db")) as store, store:
                return store.execute(text, params).fetchall()
        with psycopg.connect(self.where.url) as database:
            cursor = database.execute(text.replace("?", "%s").encode(), params)
            return cursor.fetchall() if cursor.description is not None else []

    def one(self, text: str, *params: Any) -> Any:
        """Return the one value that there is."""
        return self.run(text, *params)[0][0]

    def fact(self, name: str) -> Any:
        """Return what the store remembers."""
        return self.one("SELECT value FROM facts WHERE name = ?", name)

    def findings(self, *, keyed: bool) -> list[str]:
        """Check it, with the master key or without."""
        keys = audit_keys(self.where)
        assert keys is not None
        return check_store(self.where, keys if keyed else None).findings

    def events(self) -> list[tuple[int, str, list[Event]]]:
        """Return the pages of events: number, account, events."""
        read = msgspec.json.Decoder(list[Event]).decode
        rows = self.run("SELECT seq, account_id, events FROM event_pages ORDER BY seq")
        return [(seq, account, read(unpacked(text))) for seq, account, text in rows]

    def write_events(self, seq: int, events: list[Event]) -> None:
        """Write other entries over a page."""
        self.run("UPDATE event_pages SET events = ? WHERE seq = ?", msgspec.json.encode(events), seq)

    def add_event(
        self,
        account: str,
        kind: str,
        data: dict[str, Any],
        *,
        sealed: bool = True,
        seal: Callable[[bytes], bytes] = lambda message: sha256(message).digest(),
    ) -> None:
        """Write an event as a server would, with the best seal that an attacker without the master key can make."""
        at = self.one("SELECT max(last_at) FROM event_pages")
        event = Event(at, kind, None, self.root, data)
        if sealed:
            end = read_mark(self.fact(LOG_END))
            made = seal(message_of(end.seal, end.number + 1, account, event))
            event = msgspec.structs.replace(event, data=data | {PLACE: [end.number + 1, made.hex()]})
            self.set_fact(LOG_END, write_mark(Mark(end.number + 1, made)))
        seq = self.one("SELECT max(seq) + 1 FROM event_pages")
        self.run(
            "INSERT INTO event_pages (seq, account_id, first_at, last_at, types, events) VALUES (?, ?, ?, ?, 0, ?)",
            *(seq, account, at, at, msgspec.json.encode([event])),
        )

    def set_fact(self, name: str, value: str) -> None:
        """Have the store remember something else."""
        self.run("UPDATE facts SET value = ? WHERE name = ?", value, name)

    def last_identity_event(self) -> tuple[int, list[Event], int, list[int]]:
        """Return where the newest identity event is: its page, that page's events, its place there, and all numbers."""
        found = [
            (event.data[PLACE][0], seq, events, place)
            for seq, _, events in self.events()
            for place, event in enumerate(events)
            if PLACE in event.data
        ]
        _, seq, events, place = max(found, key=lambda one: one[0])
        return seq, events, place, sorted(one[0] for one in found)
