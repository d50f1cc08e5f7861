"""The identity log: identity events, numbered through the whole store and sealed one after another.

Each seal covers the event, its number and the seal before it, under a key that the store does not hold. An attacker who
can only write to the store therefore cannot add, change or remove an event in the middle of the log. A cut at the end
is detected with the audit log: every batch writes the end of the identity log there (``Mark``).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.tables import ACCESS_KEYS, METADATA, SERVICE_KEYS, USERS
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.audit_log import NOTHING, Mark
from leasebook.domain.record.event import IAM_FOUND, Event
from leasebook.domain.record.identity_event import IAM_TYPES
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.former_name import SEALED

LOG_END: Final = "identity_log"
"""The metadata row with the end of the log: number and seal of its last event."""
MASTER_KEY: Final = "master_key_fingerprint"
"""The metadata row with the fingerprint of the store's master key."""
PLACE: Final = "log"
"""The key in an event's data for its number and its seal. No answer shows it."""
_IAM: Final = frozenset(IAM_TYPES)

Seal = Callable[[str | None, bytes], bytes]
"""Seals a message under the master key with that fingerprint; None: the only key there is."""


START: Final = Mark(0, NOTHING)
"""The end of an empty log, in a store that was created with this log."""


def needs_of(needs: set[Needed]) -> tuple[Needed, ...]:
    """Return further needs of a batch that needs identities: the end of the log and the master key's fingerprint."""
    if any(isinstance(need, tuple) and need[0] in (USERS, ACCESS_KEYS, SERVICE_KEYS) for need in needs):
        return log_needs()
    return ()


def log_needs() -> tuple[Needed, ...]:
    """Return the needs of a command that changes what identity events report of an account, and no user or key."""
    return (METADATA, (LOG_END,)), (METADATA, (MASTER_KEY,))


def read_mark(value: str | None) -> Mark:
    """Parse the metadata row; a store without it has no identity events yet."""
    if value is None:
        return START
    number, _, seal = value.partition(":")
    return Mark(int(number), bytes.fromhex(seal))


def write_mark(mark: Mark) -> str:
    """Encode the metadata row."""
    return f"{mark.number}:{mark.seal.hex()}"


def message_of(before: bytes, number: int, account_id: str, event: Event) -> bytes:
    """Return the message that the seal of an event signs."""
    bare: Any = msgspec.structs.replace(event, data={k: v for k, v in event.data.items() if k != PLACE})
    text = msgspec.json.encode(bare)
    return SEALED + b"identity event\n%b\n%d\n%b\n%b" % (before, number, account_id.encode(), text)


def plus_found(before: bytes, account_id: str, event: Event) -> bytes:
    """Add an identity found when the log began to their digest. The first sealed event follows this digest."""
    return sha256(message_of(before, 0, account_id, event)).digest()


def seal_events(book: Book, seal: Seal, now: Instant) -> Mark | None:
    """Number and seal the identity events of a batch, and write the new end of the log; None if there are none."""
    if not any(event.type in _IAM for events in book.events.values() for event in events):
        return None
    end = book.get(METADATA, LOG_END)
    known = book.get(METADATA, MASTER_KEY)
    mark = read_mark(None if end is None else end.value)
    for account_id, events in sorted(book.events.items()):
        for place, event in enumerate(events):
            if event.type in _IAM and event.type != IAM_FOUND:
                number = mark.number + 1
                message = message_of(mark.seal, number, account_id, event)
                mark = Mark(number, seal(None if known is None else known.value, message))
                logged = event.data | {PLACE: [number, mark.seal.hex()]}
                events[place] = msgspec.structs.replace(event, data=logged)
    draft = Draft(book)
    draft.put(METADATA, StoreMetadata(LOG_END, write_mark(mark)))
    book.take(draft, now, None)
    return mark
