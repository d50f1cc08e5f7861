"""Checks of due work that was not done: the failures of servers, and the work that waits because none has run since.

A store without a server, a restored backup and a copy have work that fell due meanwhile. The next start does it, each
piece as of its own time, so that is no error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import CLOCK_SEEN, VIRTUAL_NOW
from leasebook.domain.record.clock_mark import read
from leasebook.domain.values.calendar import SECOND_US, Instant, rfc3339
from leasebook.ports.clock import RealClock, boot_us, wall_us
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.verify.nouns.due_work import agenda, name_of

GRACE_US: Final = 60 * SECOND_US
"""Due work of the last minute may be under way in a server."""
CLOCK_JUMP_MAX_US: Final = 300 * SECOND_US
_UP: Final = "status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging')"


def store_now(fetch: Fetch) -> tuple[Instant, int]:
    """Return the store's time, and how much later than due its work may be done."""
    facts: dict[str, str] = dict(fetch("SELECT name, value FROM facts", ()))
    if facts.get(CLOCK_MODE) == "virtual":
        # A virtual clock is paused, so only work due at this very instant can be under way.
        return Instant(int(facts[VIRTUAL_NOW])), 0
    # A clock that was set makes no work overdue: servers pause work that is due only by the jump.
    return RealClock(CLOCK_JUMP_MAX_US, mark=read(facts.get(CLOCK_SEEN))).now(), GRACE_US


class Overdue:
    """Distinguishes work that a server failed to do from work that waits for a server.

    ``late``: work due before that should be done. ``seen``: when a server last recorded the clock; None: unknown, and
    then all late work counts as a failure.
    """

    def __init__(self, late: Instant | None = None, seen: Instant | None = None) -> None:
        self._late = Instant(wall_us() - GRACE_US) if late is None else late
        self._seen = seen

    @classmethod
    def of(cls, fetch: Fetch, began: int) -> Overdue:
        """Read both times as of the snapshot; ``began`` is the time since boot just before it, in microseconds.

        Servers record their clock's reading four times a minute. Until the clock is read, a large store may have been
        copied for minutes: work that fell due meanwhile is in the snapshot and is long done.
        """
        now, grace = store_now(fetch)
        now = Instant(now - (boot_us() - began)) if grace else now
        marks = fetch("SELECT value FROM facts WHERE name = ?", (CLOCK_SEEN,)) if grace else []
        mark = read(marks[0][0]) if marks else None
        return cls(Instant(now - grace), None if mark is None else Instant(mark.floor))

    def findings(self, fetch: Fetch, most: int) -> Iterator[str]:
        """Yield up to ``most`` findings: work that was due while a server ran, and was not done."""
        before = self._late if self._seen is None else min(self._late, Instant(self._seen - GRACE_US))
        held = fetch(
            "SELECT id, status, min(coalesce(release_at, retire_at, expires_at)) FROM units WHERE "
            f"((status IN ('Creating', 'Stopped') OR {_UP}) AND release_at < ?) "
            f"OR (status = 'Stopped' AND retire_at < ?) OR ({_UP} AND expires_at < ?) GROUP BY id, status LIMIT ?",
            (before, before, before, most),
        )
        for unit, status, end in held:
            yield f"unit {unit} is still {status}, and its end was {rfc3339(Instant(end), 'UTC')}"
        late = f"SELECT at, kind, unit_id FROM ({agenda(f'due_at < {before:d}')}) a WHERE at < ? ORDER BY at LIMIT ?"
        for at, kind, unit in fetch(late, (before, most)):
            yield f"due work {name_of(kind)} of unit {unit} was due at {rfc3339(Instant(at), 'UTC')}"

    def remarks(self, fetch: Fetch) -> Iterator[str]:
        """Yield the work that waits since the last server ended; the next server does it."""
        if self._seen is None:
            return
        waiting = f"SELECT count(*), min(at) FROM ({agenda(f'due_at < {self._late:d}')}) a WHERE at >= ? AND at < ?"
        for count, oldest in fetch(waiting, (self._seen - GRACE_US, self._late)):
            if count:
                yield (
                    f"{count} pieces of due work wait for a server, the first since {rfc3339(Instant(oldest), 'UTC')}: "
                    f"none has given a sign of life since {rfc3339(self._seen, 'UTC')}. The next one does them, each "
                    "as of its own time"
                )
