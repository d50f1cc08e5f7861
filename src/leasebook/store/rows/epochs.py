"""Numbers of event pages that no other life of a store has given: they begin with the moment of its opening.

A store that was restored from a backup knows nothing of the events that came after it, and neither does a standby that
was promoted without its last transactions. Whoever got those events remembers their numbers, and would throw away
what is told under the same ones. How a store was restored cannot be seen on all ways of doing it, but nobody writes to
a restored one without opening it. So whoever opens a store for writing numbers from the present millisecond on.
"""

from __future__ import annotations

from typing import Final

EPOCH_PAGES: Final = 10**5
"""Numbers a millisecond. A store writes a few pages in one, and numbers only grow: 18 digits last until 2286."""
MILLISECOND_US: Final = 1000

# Several may open the store at once, and the one who reads the earlier clock must not set the numbers back.
BEGIN_LOCK: Final = 0x1EA5EE90C
_SEQUENCE: Final = "pg_get_serial_sequence('event_pages', 'seq')"
_LAST: Final = f"coalesce(pg_sequence_last_value({_SEQUENCE}::regclass), 0)"
_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_FIRST: Final = f"{EPOCH_PAGES} * greatest({_CLOCK}, {_LAST} / {EPOCH_PAGES} + 1)"
BEGIN: Final = (
    f"SELECT pg_advisory_xact_lock({BEGIN_LOCK})",
    f"SELECT setval({_SEQUENCE}, {_FIRST}, false)",
)
"""What begins an epoch on PostgreSQL, in a transaction of its own."""


def first_page(last: int, wall_us: int) -> int:
    """Return the number of the first page that is written by whoever opens a store now.

    ``last`` is the store's last page, 0 where it has none, and ``wall_us`` the machine's clock in microseconds. Where
    that is behind, the next millisecond after the last page's counts.
    """
    return EPOCH_PAGES * max(wall_us // MILLISECOND_US, last // EPOCH_PAGES + 1)
