"""Checks of rights: accounts, users and keys are as their events report, and no one else wrote these events.

The store alone suffices for comparing rows with events. To verify that the service wrote the events takes the master
key, as for the seals of the audit log; without it no one can add, change or remove one unnoticed
(``domain/record/identity_log.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from leasebook.domain.book.tables import ACCESS_KEYS, ACCOUNTS, SERVICE_KEYS, USERS, Table
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.record.audit_log import NOTHING, Mark
from leasebook.domain.record.event import IAM_FOUND, Event
from leasebook.domain.record.identity_event import IAM_TYPES, reported_fields
from leasebook.domain.record.identity_log import LOG_END, PLACE, message_of, plus_found, read_mark
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.queries.read_repository import Fetch, columns
from leasebook.store.rows.codec import CODECS

ROWS_AT_ONCE: Final = 5_000
FOUND_MAX: Final = 1_000
"""Upper bound of findings."""
TABLES: Final[dict[str, Table[Any]]] = {
    "account": ACCOUNTS,
    "user": USERS,
    "accessKey": ACCESS_KEYS,
    "serviceKey": SERVICE_KEYS,
}
"""The table of each kind of identity in events."""
CALLED: Final = {"account": "account", "user": "user", "accessKey": "access key", "serviceKey": "service key"}
_IAM: Final = frozenset(IAM_TYPES)
_DEFAULTS: Final = {
    what: {
        # In the JSON form of events: a tuple is a list there.
        field.name: msgspec.json.decode(msgspec.json.encode(field.default))
        for field in msgspec.structs.fields(table.row)
        if field.default is not msgspec.NODEFAULT
    }
    for what, table in TABLES.items()
}


class _Sealed(NamedTuple):
    page: int
    account_id: str
    seal: bytes
    event: Event


class Identities:
    """Takes the events of a store in the order of their pages, and yields the rows and events that contradict them."""

    def __init__(self) -> None:
        self._reported: dict[tuple[str, str], dict[str, Any]] = {}
        """The fields of each account, user and key by all events so far. Each takes a kilobyte, with its events."""
        self._sealed: dict[int, _Sealed] = {}
        self._found = NOTHING
        self._wrong: list[str] = []
        self._first_user: str | None = None

    def tell(self, page: int, account_id: str, event: Event) -> None:
        """Take an event from a page of an account's events; events of other kinds are ignored."""
        if event.type not in _IAM:
            return
        try:
            self._tell(page, account_id, event)
        except (KeyError, TypeError, ValueError, AttributeError):
            self._wrong.append(f"page {page} of the events of account {account_id} tells of an identity in vain")

    def _tell(self, page: int, account_id: str, event: Event) -> None:
        if event.type == IAM_FOUND:
            self._found = plus_found(self._found, account_id, event)
        else:
            self._number(page, account_id, event)
        what, row_id = event.data["what"], event.data["id"]
        now, before = dict(event.data["now"]), event.data.get("before")
        name = f"{CALLED[what]} {row_id}"
        reported = self._reported.get((what, row_id))
        owner = row_id if what == "account" else now.get("account_id", account_id)
        if owner != account_id:
            self._wrong.append(f"{name} belongs to account {owner}, and account {account_id} is told of it")
        if before is None:
            if reported is not None:
                self._wrong.append(f"{name} was made, and was there already: page {page} of the events")
            self._reported[what, row_id] = now
            if what == "user" and self._first_user is None:
                self._first_user = row_id
            return
        if reported is None:
            self._wrong.append(f"{name} was changed, and no event tells that it was made: page {page} of the events")
            reported = self._reported[what, row_id] = {}
        for field, was in before.items():
            if reported.get(field, was) != was:
                self._wrong.append(
                    f"{name} had {field} {was} when it was changed, and the events before that (page {page}) tell "
                    f"{reported[field]}"
                )
        reported.update(now)

    def _number(self, page: int, account_id: str, event: Event) -> None:
        place = event.data.get(PLACE)
        if place is None:
            self._wrong.append(f"page {page} of the events of account {account_id} has a {event.type} without a seal")
            return
        number, seal = place
        if not isinstance(number, int) or number < 1:
            raise ValueError
        if number in self._sealed:
            self._wrong.append(f"identity event {number} is there twice: on pages {self._sealed[number].page}, {page}")
            return
        self._sealed[number] = _Sealed(page, account_id, bytes.fromhex(seal), event)

    def findings(self, fetch: Fetch, keys: AuditKeys | None, marks: list[Mark]) -> Iterator[str]:
        """Compare with the rows, and check the log itself; without the ``keys`` its seals are not verified.

        ``marks`` are the ends of this log that the audit log records.
        """
        found = self._all(fetch, keys, marks)
        for count, finding in enumerate(found):
            if count == FOUND_MAX:
                yield f"more is wrong with accounts, users and keys than {FOUND_MAX} things"
                return
            yield finding

    def _all(self, fetch: Fetch, keys: AuditKeys | None, marks: list[Mark]) -> Iterator[str]:
        yield from self._wrong
        yield from self._log(fetch, keys, marks)
        yield from self._rows(fetch)
        roots = fetch("SELECT value FROM facts WHERE name = ?", (ROOT_USER,))
        if roots and roots[0][0] != self._first_user:
            yield f"the first root is user {roots[0][0]}, and the events tell that it is {self._first_user}"

    def _log(self, fetch: Fetch, keys: AuditKeys | None, marks: list[Mark]) -> Iterator[str]:
        """Check that the numbers have no gap, that each seal fits its event and the one before, and the end."""
        last = Mark(0, self._found)
        seals = {0: self._found}
        for number, one in sorted(self._sealed.items()):
            follows = number == last.number + 1
            if not follows:
                gone = f"{last.number + 1} to {number - 1}" if number > last.number + 2 else f"{number - 1}"
                yield f"identity event {gone} is gone"
            message = message_of(last.seal, number, one.account_id, one.event)
            if keys is not None and follows and not keys.is_identity_sealed(number, message, one.seal):
                yield (
                    f"identity event {number} ({one.event.type} of {one.event.data.get('id')}, page {one.page}) does "
                    "not have the seal of the master key: somebody else wrote it, or what comes before it"
                )
            last = Mark(number, one.seal)
            seals[number] = one.seal
        ends = fetch("SELECT value FROM facts WHERE name = ?", (LOG_END,))
        try:
            end = read_mark(ends[0][0] if ends else None)
        except ValueError:
            yield "the end of the log of identities cannot be read"
        else:
            if end != last:
                yield f"the log of identities ends with event {last.number}, and the store says {end.number}"
        yield from _marked(marks, seals, last.number)

    def _rows(self, fetch: Fetch) -> Iterator[str]:
        there: set[tuple[str, str]] = set()
        for what, table in TABLES.items():
            codec, last = CODECS[table], ""
            text = f"SELECT {columns(codec)} FROM {codec.name} WHERE id > ? ORDER BY id LIMIT ?"
            while rows := fetch(text, (last, ROWS_AT_ONCE)):
                last = rows[-1][codec.columns.index("id")]
                for values in rows:
                    row_id = str(values[codec.columns.index("id")])
                    there.add((what, row_id))
                    try:
                        has = msgspec.json.decode(msgspec.json.encode(reported_fields(codec.read(values))))
                    except (msgspec.DecodeError, TypeError, ValueError):
                        yield f"{CALLED[what]} {row_id} cannot be read"
                        continue
                    yield from self._row(what, row_id, has)
        for what, row_id in sorted(self._reported.keys() - there):
            yield f"{CALLED[what]} {row_id} is gone, and events tell of it"

    def _row(self, what: str, row_id: str, has: dict[str, Any]) -> Iterator[str]:
        reported = self._reported.get((what, row_id))
        if reported is None:
            yield f"{CALLED[what]} {row_id} is there, and no event tells of it"
            return
        for field, value in has.items():
            # A field without an event was added later than the row's last event, and has kept its default.
            says = reported.get(field, _DEFAULTS[what].get(field, value))
            if says != value:
                yield f"{CALLED[what]} {row_id} has {field} {value}, and its events tell {says}"


def _marked(marks: list[Mark], seals: dict[int, bytes], last: int) -> Iterator[str]:
    """Check the identity log against the ends that the audit log records."""
    for mark in marks:
        if mark.number > last:
            yield f"the audit log knows {mark.number} identity events, and only {last} are there"
        elif seals.get(mark.number, mark.seal) != mark.seal:
            yield f"identity event {mark.number} is another one than when the audit log took note of it"
    noted = max((mark.number for mark in marks), default=0)
    if noted < last:
        yield f"identity events {noted + 1} to {last} were never in the audit log: no server wrote them"
