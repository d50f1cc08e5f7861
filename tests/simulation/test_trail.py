"""Audit entries when the store fails: each is written once, or said to be missing, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from structlog.testing import capture_logs

from leasebook.batch import AuditWriter, BatchLimits, Conflict, OutcomeUnknown, Sequencer, Unavailable
from leasebook.domain.book.changes import Changes
from leasebook.domain.book.draft import Draft
from leasebook.domain.commands.command import Command
from leasebook.domain.record.audit_log import Entry, Line, read_body
from leasebook.domain.values.calendar import DAY_US, Instant
from leasebook.domain.values.refusal import QUOTA, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.security.audit_keys import AuditKeys
from tests.domain.test_audit import entry
from tests.simulation.memory_store import MemoryStore, MemoryTransaction

START = Instant(1000 * DAY_US)


class Call:
    """A call that waits for its batch."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.found: list[str] = []

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        return "acc-1", entry(at, request_id=self.name, code="OK" if refusal is None else refusal.reason)

    def written(self, entry: Entry) -> None:
        self.found.append(entry.code)


class CommandWithOutcome(Command, frozen=True, kw_only=True):
    """Succeeds, is refused, or goes wrong."""

    what: str

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:  # noqa: ARG002
        if self.what == "refused":
            raise Refusal(QUOTA, "No.")
        if self.what == "wrong":
            raise RuntimeError("a mistake")
        return True


class StoreFault:
    """The next fault of the store: once before a commit, or after it."""

    def __init__(self) -> None:
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.saved: list[Changes] = []


class TroubledTransaction(MemoryTransaction):
    trouble: StoreFault

    def save_part(self, changes: Changes) -> None:
        super().save_part(changes)
        if changes.audit is not None:
            # The last part of a batch; those before it have no entries.
            self.trouble.saved.append(changes)

    async def commit(self, *, is_idle: bool = False) -> None:
        if self.trouble.before:
            raise self.trouble.before.pop(0)
        await super().commit(is_idle=is_idle)
        if self.trouble.after:
            raise self.trouble.after.pop(0)


class TroubledStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.trouble = StoreFault()

    async def begin(self, *, moves_clock: bool = False) -> MemoryTransaction:
        del moves_clock
        self.open = transaction = TroubledTransaction(self)
        transaction.trouble = self.trouble
        return transaction

    def written(self) -> list[str]:
        return [one.request_id for _, page in sorted(self.audit.pages.items()) for one in read_body(page.body).entries]


class AuditMeter:
    def __init__(self) -> None:
        self.lost = 0

    def batch_done(self, size: int, seconds: float, commit_seconds: float) -> None:
        """Count no batch."""

    def audit_lost(self, entries: int) -> None:
        self.lost += entries


class AuditHarness:
    def __init__(self, *, waiting_max: int = 100, keep_us: int | None = None) -> None:
        self.store, self.meter, self.clock = TroubledStore(), AuditMeter(), VirtualClock(START)
        numbers = count()
        self.keys = AuditKeys(b"k" * 32)
        trail = AuditWriter(
            keys=self.keys,
            new_chain=lambda: f"chain-{next(numbers)}",
            lost=self.meter,
            keep_us=keep_us,
            waiting_max=waiting_max,
        )
        self.sequencer = Sequencer(
            self.store,
            self.clock,
            Rules(),
            engine=InstantEngine(),
            limits=BatchLimits(),
            meter=self.meter,
            audit=trail,
        )

    async def ask(self, call: Call, what: str = "done") -> Any:
        return await self.sequencer.submit(CommandWithOutcome(what=what), None, call)

    def note(self, name: str, at: Instant = START) -> None:
        self.sequencer.note(("acc-1", entry(at, request_id=name)))


def played(
    scene: Callable[[AuditHarness], Awaitable[None]], office: AuditHarness | None = None
) -> list[dict[str, Any]]:
    """Play with an office that is open; returns what went to the log."""
    office = office or AuditHarness()

    async def whole() -> None:
        office.sequencer.start()
        await scene(office)
        await office.sequencer.close()

    with capture_logs() as lines:
        asyncio.run(whole())
    return [dict(line) for line in lines if "audit entry" in line["event"]]


@pytest.mark.parametrize(("what", "code"), [("done", "OK"), ("refused", QUOTA)])
def test_the_entry_of_a_command_is_in_the_changes_of_its_own_batch(what: str, code: str) -> None:
    async def scene(office: AuditHarness) -> None:
        call = Call("one")
        await asyncio.gather(office.ask(call, what), return_exceptions=True)
        assert call.found == [code]
        (changes,) = office.store.trouble.saved
        assert changes.audit is not None
        assert [one.request_id for page in changes.audit.pages for one in read_body(page.body).entries] == ["one"]

    assert played(scene) == []


def test_a_batch_that_is_taken_again_writes_its_entries_once() -> None:
    async def scene(office: AuditHarness) -> None:
        office.store.trouble.before.append(Conflict("somebody was quicker"))
        office.note("waiting")
        calls = [Call("one"), Call("two")]
        await asyncio.gather(*map(office.ask, calls))
        assert office.store.written() == ["waiting", "one", "two"]
        assert len(office.store.trouble.saved) == 2
        assert [call.found for call in calls] == [["OK"], ["OK"]]

    assert played(scene) == []


def test_one_command_that_goes_wrong_spoils_no_entry_but_its_own() -> None:
    async def scene(office: AuditHarness) -> None:
        office.note("waiting")
        good, bad = Call("good"), Call("bad")
        results = await asyncio.gather(office.ask(good), office.ask(bad, "wrong"), return_exceptions=True)
        assert results[0] is True
        assert bad.found == []
        await office.sequencer.flush()
        assert sorted(office.store.written()) == ["good", "waiting"]

    assert played(scene) == []


def test_what_the_store_cannot_take_waits_until_it_can() -> None:
    async def scene(office: AuditHarness) -> None:
        office.store.trouble.before += [Unavailable("the disk is full")] * 2
        office.note("one")
        await office.sequencer.flush()
        assert office.store.written() == []
        office.note("two")
        with pytest.raises(Unavailable):
            await office.ask(Call("three"))
        await office.sequencer.flush()
        assert office.store.written() == ["one", "two"]

    assert played(scene) == []


def test_what_is_too_much_goes_to_the_log_and_is_counted() -> None:
    office = AuditHarness(waiting_max=2)

    async def scene(office: AuditHarness) -> None:
        for name in ("one", "two", "three"):
            office.note(name)
        await office.sequencer.flush()
        assert office.store.written() == ["one", "two"]

    (line,) = played(scene, office)
    assert (line["request"], line["log_level"], line["account_id"]) == ("three", "error", "acc-1")
    assert office.meter.lost == 1


def test_what_may_or_may_not_be_written_is_logged_and_never_written_twice() -> None:
    office = AuditHarness()

    async def scene(office: AuditHarness) -> None:
        office.note("perhaps")
        office.store.trouble.after.append(OutcomeUnknown("lost"))
        with pytest.raises(OutcomeUnknown):
            await office.ask(Call("unknown"))
        office.note("later")
        await office.sequencer.flush()
        assert office.store.written() == ["perhaps", "unknown", "later"]
        # The end of the first chain is unknown, so there is a second, which knows of it.
        assert sorted(office.store.audit.chains) == ["chain-0", "chain-1"]
        last = office.store.audit.pages[max(office.store.audit.pages)]
        assert [head.chain for head in read_body(last.body).heads] == ["chain-0"]

    (line,) = played(scene, office)
    assert line["request"] == "perhaps"
    assert office.meter.lost == 1


def test_a_clean_stop_writes_what_waits_and_tells_of_what_comes_after_it() -> None:
    office = AuditHarness()

    async def scene(office: AuditHarness) -> None:
        office.note("waiting")
        await office.sequencer.close()
        assert office.store.written() == ["waiting"]
        office.note("too late")

    (line,) = played(scene, office)
    assert line["request"] == "too late"


def test_a_stop_with_a_store_that_takes_nothing_tells_of_everything() -> None:
    office = AuditHarness()

    async def scene(office: AuditHarness) -> None:
        office.store.trouble.before.append(Unavailable("the disk is full"))
        office.note("one")
        office.note("two")

    assert [line["request"] for line in played(scene, office)] == ["one", "two"]
    assert office.meter.lost == 2


def test_an_entry_that_nobody_has_a_batch_for_gets_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leasebook.batch.audit_writer.WAIT_MAX_S", 0.0)

    async def scene(office: AuditHarness) -> None:
        office.note("alone")
        for _ in range(1000):
            if office.store.written():
                break
            await asyncio.sleep(0)
        assert office.store.written() == ["alone"]

    assert played(scene) == []


def test_old_pages_are_closed_a_little_in_each_batch_once_a_day() -> None:
    office = AuditHarness(keep_us=3 * DAY_US)

    async def scene(office: AuditHarness) -> None:
        for number in range(100):
            await office.ask(Call(f"old-{number}"))
        office.clock.moved(Instant(START + 4 * DAY_US))
        await office.ask(Call("new"))
        assert 0 < len(office.store.audit.pages) < 100
        await office.ask(Call("newer"))
        await office.ask(Call("newest"))
        assert office.store.written() == ["new", "newer", "newest"]
        assert sum(one.size for one in office.store.audit.closures.values()) == 100
        seals = {one.public_key for one in office.store.audit.closures.values()}
        assert seals == {office.keys.public_key}

    assert played(scene, office) == []


def test_nothing_is_closed_where_everything_is_kept() -> None:
    async def scene(office: AuditHarness) -> None:
        await office.ask(Call("old"))
        office.clock.moved(Instant(START + 10_000 * DAY_US))
        await office.ask(Call("new"))
        assert office.store.written() == ["old", "new"]

    assert played(scene) == []
