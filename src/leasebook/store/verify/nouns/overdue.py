"""Work that fell due and was not done: what servers failed to do, and what waits because none has worked since.

A store that nobody serves, a restored backup and a copy have work that fell due meanwhile. The next start does it, each
piece as of its own time, so that nothing is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import CLOCK_SEEN, VIRTUAL_NOW
from leasebook.domain.record.agenda import DueKind
from leasebook.domain.record.clock_mark import read
from leasebook.domain.values.calendar import SECOND_US, Instant, rfc3339
from leasebook.ports.clock import RealClock, wall_us
from leasebook.store.queries.read_repository import Fetch

GRACE_US: Final = 60 * SECOND_US
"""Due work of the last minute may be in the hands of a server that works on the store."""
CLOCK_JUMP_MAX_US: Final = 300 * SECOND_US
_UP: Final = "status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging')"


def store_now(fetch: Fetch) -> tuple[Instant, int]:
    """Return what time it is for a store, and how much later than due work may be done."""
    facts: dict[str, str] = dict(fetch("SELECT name, value FROM facts", ()))
    if facts.get(CLOCK_MODE) == "virtual":
        # It stands still, so nothing but work due at this very moment can be in hand.
        return Instant(int(facts[VIRTUAL_NOW])), 0
    # A clock that was set makes nothing overdue: servers hold what only that makes due.
    return RealClock(CLOCK_JUMP_MAX_US, mark=read(facts.get(CLOCK_SEEN))).now(), GRACE_US


class Overdue:
    """Tells work that a server failed to do from work that waits for one.

    ``late``: what was due before that should be done. ``seen``: when a server last gave a sign of life; None: it is not
    known, and then nobody can say that none has worked since.
    """

    def __init__(self, late: Instant | None = None, seen: Instant | None = None) -> None:
        self._late = Instant(wall_us() - GRACE_US) if late is None else late
        self._seen = seen

    @classmethod
    def of(cls, fetch: Fetch) -> Overdue:
        """Find both out. Servers write what their clock shows four times a minute."""
        now, grace = store_now(fetch)
        marks = fetch("SELECT value FROM facts WHERE name = ?", (CLOCK_SEEN,)) if grace else []
        mark = read(marks[0][0]) if marks else None
        return cls(Instant(now - grace), None if mark is None else Instant(mark.floor))

    def findings(self, fetch: Fetch, most: int) -> Iterator[str]:
        """Yield, at most so many times, what was due while a server worked, and was not done."""
        before = self._late if self._seen is None else min(self._late, Instant(self._seen - GRACE_US))
        held = fetch(
            "SELECT id, status, min(coalesce(release_at, retire_at, expires_at)) FROM units WHERE "
            f"((status IN ('Creating', 'Stopped') OR {_UP}) AND release_at < ?) "
            f"OR (status = 'Stopped' AND retire_at < ?) OR ({_UP} AND expires_at < ?) GROUP BY id, status LIMIT ?",
            (before, before, before, most),
        )
        for unit, status, end in held:
            yield f"unit {unit} is still {status}, and its end was {rfc3339(Instant(end), 'UTC')}"
        late = fetch("SELECT at, kind, unit_id FROM agenda WHERE at < ? ORDER BY at LIMIT ?", (before, most))
        for at, kind, unit in late:
            yield f"due work {DueKind(kind).name.lower()} of unit {unit} was due at {rfc3339(Instant(at), 'UTC')}"

    def remarks(self, fetch: Fetch) -> Iterator[str]:
        """Yield what has waited ever since the last server ended: the next one does it."""
        if self._seen is None:
            return
        counts = fetch(
            "SELECT count(*), min(at) FROM agenda WHERE at >= ? AND at < ?", (self._seen - GRACE_US, self._late)
        )
        for count, oldest in counts:
            if count:
                yield (
                    f"{count} pieces of due work wait for a server, the first since {rfc3339(Instant(oldest), 'UTC')}: "
                    f"none has given a sign of life since {rfc3339(self._seen, 'UTC')}. The next one does them, each "
                    "as of its own time"
                )
