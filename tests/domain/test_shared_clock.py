"""The clock of a store that several servers share: the database's, which each of them watches."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.domain.record.clock_mark import ClockMark, read, written
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US, Instant
from leasebook.ports.clock import RealClock

START = 1_900_000_000 * SECOND_US
JUMP_MAX = 5 * MINUTE_US


class Shared:
    """One of several servers, which sees the database's clock and its own."""

    def __init__(self, *, mark: ClockMark | None = None, boot_name: str = "boot") -> None:
        self.wall, self.boot = START, 1000 * SECOND_US
        self.clock = RealClock(
            JUMP_MAX, shared=True, mark=mark, wall=lambda: self.wall, boot=lambda: self.boot, boot_name=boot_name
        )

    def wait(self, us: int) -> None:
        self.wall += us
        self.boot += us

    def at(self, us: int) -> int:
        """Begin a batch while the database shows so much after the start."""
        return self.clock.at(Instant(START + us))

    @property
    def is_paused(self) -> bool:
        return self.clock.pause_reason() is not None

    def mark(self) -> ClockMark:
        """Return what the store is to remember."""
        mark = self.clock.mark()
        assert mark is not None
        return mark


def test_the_machines_own_clock_does_not_count_on_a_shared_store() -> None:
    server = Shared()
    assert server.at(0) == START
    for far in (20 * MINUTE_US, -5 * HOUR_US):
        server.wall += far
        server.wait(SECOND_US)
        assert not server.is_paused
        assert server.clock.now() == START + server.boot - 1000 * SECOND_US
    assert server.clock.apart_us() == 20 * MINUTE_US - 5 * HOUR_US


@pytest.mark.parametrize("far", [2 * HOUR_US, -HOUR_US])
def test_a_batch_that_finds_the_database_set_is_decided_as_if_it_had_not_been(far: int) -> None:
    server = Shared()
    server.at(0)
    server.wait(SECOND_US)
    assert server.at(far) == START + SECOND_US
    assert server.is_paused
    assert server.at(SECOND_US) == START + SECOND_US
    assert not server.is_paused


def test_a_server_that_starts_after_the_jump_asks_the_time_since_boot_or_its_own_clock() -> None:
    first = Shared()
    first.at(0)
    mark = first.mark()
    # On the same machine: whatever its wall clock shows.
    second = Shared(mark=mark)
    second.wall += 2 * HOUR_US
    second.at(2 * HOUR_US)
    assert second.is_paused
    # On another machine whose own clock says that no time has passed.
    third = Shared(mark=mark, boot_name="elsewhere")
    third.at(2 * HOUR_US)
    assert third.is_paused
    assert third.clock.now() == START
    # There, after an outage: its own clock bears witness.
    fourth = Shared(mark=mark, boot_name="elsewhere")
    fourth.wait(2 * HOUR_US)
    fourth.at(2 * HOUR_US)
    assert not fourth.is_paused
    # Another server has seen it jump: then its own clock may have been set by the same hand.
    fifth = Shared(mark=msgspec.structs.replace(mark, doubted=True), boot_name="elsewhere")
    fifth.wait(2 * HOUR_US)
    fifth.at(2 * HOUR_US)
    assert fifth.is_paused
    # Its own clock is wrong, and the database's goes on from what the store has seen.
    sixth = Shared(mark=mark, boot_name="elsewhere")
    sixth.wall += 20 * MINUTE_US
    sixth.at(SECOND_US)
    assert not sixth.is_paused
    # Behind what was written there is nothing to be believed.
    seventh = Shared(mark=mark, boot_name="elsewhere")
    seventh.wall -= HOUR_US
    seventh.at(-HOUR_US)
    assert seventh.is_paused
    assert seventh.clock.now() == START


def test_a_machine_that_stood_still_believes_those_that_went_on() -> None:
    stopped, other = Shared(), Shared()
    for server in (stopped, other):
        server.at(0)
    other.wait(HOUR_US)
    other.at(HOUR_US)
    stopped.at(HOUR_US)
    assert stopped.is_paused
    stopped.clock.heed(other.mark())
    assert not stopped.is_paused


def test_what_one_operator_confirms_is_confirmed_for_all_servers_and_an_old_confirmation_is_not() -> None:
    first, second = Shared(), Shared()
    for server in (first, second):
        server.at(0)
        server.at(-HOUR_US)
        assert server.is_paused
    second.clock.heed(first.mark())
    assert second.is_paused, "it is doubted there, too"
    first.clock.confirm()
    confirmed = msgspec.structs.replace(first.mark(), confirmed=1)
    second.clock.heed(confirmed)
    assert not second.is_paused
    second.at(-3 * HOUR_US)
    assert second.is_paused
    second.clock.heed(confirmed)
    assert second.is_paused, "that was the last time"


def test_before_the_database_was_asked_nothing_is_known() -> None:
    server = Shared()
    assert server.clock.mark() is None
    assert not server.is_paused
    server.wall += HOUR_US
    assert server.clock.now() == server.wall
    server.clock.confirm()
    assert server.at(0) == START, "what its own clock showed before does not bind it"


def test_a_mark_that_cannot_be_read_is_none() -> None:
    mark = ClockMark(1, 2, "boot", 3, doubted=True, confirmed=4)
    assert read(written(mark)) == mark
    assert read(None) is read("{") is read("{}") is None
