"""A clock that was set must not harm a store: make it forget used nonces, or make work seem overdue."""

from __future__ import annotations

import time
from typing import Any

import pytest

from leasebook.batch import housekeeping as pruning
from leasebook.domain.book.book import Book
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.command import Engine, decide
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import CLOCK_SEEN, NoteClock
from leasebook.domain.record.clock_mark import ClockMark, read, written
from leasebook.domain.values.calendar import HOUR_US, SECOND_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import boot_id, boot_us, wall_us
from leasebook.store.opening import OpenStore
from leasebook.store.verify.nouns import overdue as check_overdue
from tests.contract.batches import OnStore


async def test_a_mark_is_kept_and_never_falls_behind_what_was_written(on_store: OnStore) -> None:
    mark = ClockMark(reading=1000, floor=1000, boot_id="boot", boot_us=5)

    async def noted(store: OpenStore, new: ClockMark, *, confirms: bool = False) -> ClockMark | None:
        transaction, book = await store.begin(), Book()
        command = NoteClock(mark=new, confirms=confirms)
        await transaction.load(command.needs(), book)
        decide(book, command, Rules(), Instant(0), Engine())
        await transaction.save(book.changes())
        await transaction.commit()
        return read(await store.read(lambda ask: ask.fact(CLOCK_SEEN)))

    async with on_store() as store:
        assert await noted(store, mark) == mark
        later = ClockMark(reading=2000, floor=2000, boot_id="boot", boot_us=1005)
        assert await noted(store, later) == later
        doubted = ClockMark(reading=3000, floor=3000, boot_id="boot", boot_us=2005, doubted=True)
        assert await noted(store, doubted) == ClockMark(2000, 3000, "boot", 1005, doubted=True)
        back = ClockMark(reading=500, floor=500, boot_id="boot", boot_us=3005)
        confirmed = ClockMark(500, 3000, "boot", 3005, confirmed=1)
        assert await noted(store, back, confirms=True) == confirmed
        assert await noted(store, doubted) == confirmed, (
            "a server that does not know of the confirmation changes nothing"
        )


class Forgotten:
    """A transaction that notes the times before which it is asked to delete rows."""

    nonces_before = 0

    async def prune_tokens(self, before: Instant, limit: int) -> None:
        """Nothing."""

    async def clear_deliveries(self, now: Instant, limit: int) -> None:
        """Nothing."""

    async def prune_signatures(self, nonces_before: Instant, refused_before: Instant, limit: int) -> None:  # noqa: ARG002
        self.nonces_before = nonces_before


@pytest.mark.parametrize(("mode", "ahead_us"), [("real", 0), ("virtual", 5 * HOUR_US)])
async def test_a_machine_that_was_set_ahead_forgets_no_nonce_of_a_signature_that_still_holds(
    monkeypatch: pytest.MonkeyPatch, mode: Any, ahead_us: int
) -> None:
    monkeypatch.setattr(pruning, "wall_us", lambda: wall_us() + 5 * HOUR_US)
    pruner, seen = pruning.Pruner(Rules(), mode=mode), Forgotten()
    pruner._forgot_at = time.monotonic() - 60
    await pruner.prune(seen, Instant(wall_us()), Changes([], []))  # type: ignore[arg-type]
    assert abs(seen.nonces_before - (wall_us() + ahead_us - HOUR_US)) < 60 * SECOND_US


def test_what_only_a_clock_that_was_set_makes_overdue_is_not_overdue() -> None:
    facts = [(CLOCK_MODE, "real")]
    now, _ = check_overdue.store_now(lambda *_: facts)
    assert abs(now - wall_us()) < SECOND_US
    two_hours_ago = ClockMark(wall_us() - 2 * HOUR_US, wall_us() - 2 * HOUR_US, boot_id(), boot_us())
    facts.append((CLOCK_SEEN, written(two_hours_ago)))
    now, _ = check_overdue.store_now(lambda *_: facts)
    assert abs(now - wall_us() + 2 * HOUR_US) < SECOND_US
