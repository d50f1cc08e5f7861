"""Numbers of event pages that no other life of a store has used: they start from the time of its opening.

A store restored from a backup knows nothing of the events after that backup, and neither does a standby that was
promoted without its last transactions. Receivers of those events remember their numbers, and would discard later events
with the same numbers. A restore cannot always be detected, but every server opens a store before it writes. So each
opening for writing numbers pages from the present millisecond on.
"""

from __future__ import annotations

from typing import Final

EPOCH_PAGES: Final = 10**5
"""Numbers per millisecond. A store writes a few pages in one, and numbers only grow: 18 digits last until 2286."""
MILLISECOND_US: Final = 1000

# Several servers may open the store at once, and one with a slower clock must not set the numbers back.
BEGIN_LOCK: Final = 0x1EA5EE90C
_SEQUENCE: Final = "pg_get_serial_sequence('event_pages', 'seq')"
# A sequence that was set and not yet used has no last value. An opening therefore sets it as used, and pages count for
# stores that an earlier version opened: otherwise two openings without an event between them, the second under a clock
# that was set back, would number new pages before old ones.
_LAST: Final = (
    f"greatest(coalesce(pg_sequence_last_value({_SEQUENCE}::regclass), 0), "
    "coalesce((SELECT max(seq) FROM event_pages), 0))"
)
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_FIRST: Final = f"{EPOCH_PAGES} * greatest({_CLOCK}, {_LAST} / {EPOCH_PAGES} + 1)"
BEGIN: Final = (
    f"SELECT pg_advisory_xact_lock({BEGIN_LOCK})",
    f"SELECT setval({_SEQUENCE}, {_FIRST})",
)
"""The statements that begin an epoch on PostgreSQL, in a transaction of their own."""


def first_page(last: int, wall_us: int) -> int:
    """Return the number of the first page after a store is opened now.

    ``last`` is the store's last page, 0 if it has none, and ``wall_us`` the machine's clock in microseconds. If the
    clock is behind, the millisecond after that of the last page counts.
    """
    return EPOCH_PAGES * max(wall_us // MILLISECOND_US, last // EPOCH_PAGES + 1)
