"""Whether the store takes writes: known at any moment, shown to monitors, proved while no caller writes."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from leasebook.batch import LockedOut, NeedsRestart, OutcomeUnknown, Unavailable, WriteHealth
from leasebook.domain.commands.store.write_probe import WRITTEN
from leasebook.domain.values.calendar import Instant
from leasebook.gateway.token_usage import Tokens
from leasebook.gateway.usage_counter import Counts
from leasebook.ports.queries.read_repository import ReadRepository
from tests.api.scene import CLOCK, UNITS, ServiceHarness, order
from tests.harness import Answer

FULL: Final = "the store cannot be written: database or disk is full"
BUY = (UNITS, "PurchaseComputeUnit")


def get(scene: ServiceHarness, path: str) -> Answer:
    return scene.operator.send(path, "", method="GET", headers=[])


def reasons(scene: ServiceHarness) -> str:
    answer = get(scene, "/readyz")
    assert (answer.status == 200) == ("reasons" not in answer.body)
    return " ".join(answer.body.get("reasons", ()))


def proofs(scene: ServiceHarness) -> int:
    """Return how often something was written only to see whether it can be."""
    found: list[str | None] = []

    async def look() -> None:
        found.append(await scene.running.store.read(lambda ask: ask.fact(WRITTEN)))

    scene.play(look)
    return int(found[0] or 0)


def be_idle(scene: ServiceHarness) -> None:
    """Let nothing have been written for long."""
    scene.running.sequencer.writing._wrote_at = float("-inf")


@contextmanager
def failing(scene: ServiceHarness, error: Callable[[], Exception]) -> Iterator[None]:
    """Let no batch be written meanwhile."""

    async def begin(**_: Any) -> Any:
        raise error()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.running.store, "begin", begin)
        yield


def test_an_idle_server_that_is_asked_writes_something_to_see_whether_it_can_but_not_at_every_look(
    either_shared: ServiceHarness,
) -> None:
    before = proofs(either_shared)

    async def look() -> None:
        be_idle(either_shared)
        for _ in range(3):
            page = await either_shared.running.health.page("/readyz")
            assert page is not None
            assert page.status == 200

    either_shared.play(look)
    assert proofs(either_shared) == before + 1
    either_shared.play(look)
    assert proofs(either_shared) == before + 2


def test_whoever_has_just_written_is_not_asked_for_proof(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    be_idle(either_shared)
    caller.buy()
    before = proofs(either_shared)
    assert reasons(either_shared) == ""
    assert proofs(either_shared) == before


def test_a_monitor_sees_at_its_first_look_that_nothing_can_be_written_and_at_once_that_it_can_again(
    either_shared: ServiceHarness,
) -> None:
    be_idle(either_shared)
    with failing(either_shared, lambda: Unavailable(FULL)):
        assert FULL in reasons(either_shared)
        assert get(either_shared, "/healthz").status == 200
        assert FULL in reasons(either_shared)
    assert reasons(either_shared) == ""


def test_a_server_that_nobody_asks_finds_out_by_itself_that_writes_succeed_again(
    either_shared: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leasebook.batch.write_health.AGAIN_S", 0.01)
    writing = either_shared.running.sequencer.writing
    caller = either_shared.customer()
    with failing(either_shared, lambda: Unavailable(FULL)):
        assert caller.refused(*BUY, order()) == "StoreUnavailable"
    assert writing.is_failing

    async def wait() -> None:
        while writing.is_failing:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)

    either_shared.play(wait)


def test_where_the_outcome_is_unknown_a_call_with_a_token_may_be_sent_again_and_one_without_is_not(
    either_shared: ServiceHarness,
) -> None:
    caller = either_shared.customer()
    with failing(either_shared, lambda: OutcomeUnknown("the disk failed")):
        answer = caller.ask(*BUY, order(), query="&clientToken=unsure")
        assert (answer.status, answer.code, answer.body["error_code"]) == (503, "OutcomeUnknown", 720022)
        assert int(answer.headers["retry-after"]) > 0
        assert "same clientToken" in answer.body["message"]
        in_body = caller.ask(*BUY, {**order(), "clientToken": "unsure"})
        assert (in_body.status, in_body.code) == (503, "OutcomeUnknown")
        answer = caller.ask(*BUY, order())
        assert (answer.status, answer.code) == (500, "InternalError")
        assert "retry-after" not in answer.headers
        assert "may or may not have been done" in answer.body["message"]
    either_shared.running.sequencer.writing.wrote()


@pytest.mark.parametrize(
    ("path", "action", "body"),
    [
        (UNITS, "DescribeComputeUnits", {}),
        # A write that is refused, and one whose nonce is used up before it begins.
        (UNITS, "ReleaseComputeUnit", {"instanceId": 5}),
        (CLOCK, "AdvanceClock", {"to": "2089-01-01"}),
    ],
)
def test_a_call_that_has_changed_nothing_never_has_an_unknown_outcome(
    either_shared: ServiceHarness, path: str, action: str, body: Any
) -> None:
    caller = either_shared.operator
    with failing(either_shared, lambda: OutcomeUnknown("the disk failed")):
        query, content = f"Action={action}", json.dumps(body).encode()
        headers = caller.desk.signed(path, query, content=content, strong=True)
        answer = caller.send(path, query, content, headers=headers)
        assert (answer.status, answer.code) == (503, "StoreUnavailable"), answer.body
        assert "Nothing was done" in answer.body["message"]
        assert "new nonce" in answer.body["message"]
    either_shared.running.sequencer.writing.wrote()


def test_a_store_that_needs_a_restart_ends_the_service() -> None:
    writing = WriteHealth()
    writing.failed(Unavailable(FULL))
    assert writing.broken() is None
    writing.failed(NeedsRestart("the file has lost writes"))
    assert "the file has lost writes" in (writing.broken() or "")


def test_rows_that_somebody_holds_do_not_keep_the_store_from_being_written() -> None:
    writing = WriteHealth()
    writing.failed(LockedOut())
    assert writing.unready() is None


def test_a_batch_that_the_store_keeps_waiting_is_shown_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    writing, now = WriteHealth(), 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    writing.begins()
    assert writing.unready() is None
    now += 4
    assert writing.unready() == "The store has kept a batch waiting for 4 s."
    writing.ends()
    assert writing.unready() is None


def test_one_line_is_written_however_many_batches_fail_and_one_when_that_is_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    writing = WriteHealth()
    for number in range(5):
        writing.failed(Unavailable(f"locked for {number} s"))
    writing.failed(Unavailable(FULL))
    writing.wrote()
    writing.wrote()
    said = capsys.readouterr()
    lines = (said.out + said.err).splitlines()
    assert sum("the store cannot write" in line for line in lines) == 2
    assert sum("the store can be written again" in line for line in lines) == 1


def test_monitors_are_answered_within_a_second_whatever_others_ask_and_whatever_the_store_does(
    either_shared: ServiceHarness,
) -> None:
    store, free = either_shared.running.store, threading.Event()

    def long(_: ReadRepository) -> None:
        free.wait(30)

    async def ask() -> None:
        asked = [asyncio.create_task(store.read(long, long=bool(n % 2), party=f"account-{n}")) for n in range(30)]
        await asyncio.sleep(0)
        began = time.monotonic()
        page = await either_shared.running.health.page("/readyz")
        assert page is not None
        assert page.status == 200, page.body
        stuck = asyncio.create_task(store.glance(long))
        await asyncio.sleep(0)
        page = await either_shared.running.health.page("/readyz")
        assert page is not None
        assert page.status == 503
        assert b"did not answer within" in page.body
        assert await either_shared.running.health.page("/metrics")
        assert time.monotonic() - began < 3.5
        free.set()
        await asyncio.gather(*asked, stuck)

    try:
        either_shared.play(ask)
    finally:
        free.set()


async def test_calls_that_may_have_been_counted_are_not_counted_twice() -> None:
    class Clock:
        def now(self) -> Instant:
            return Instant(0)

    class FailingSequencer:
        asked = 0
        error: Exception | None = None

        async def submit(self, _: object) -> None:
            self.asked += 1
            if self.error is not None:
                raise self.error

    books = FailingSequencer()
    counts = Counts(books, Clock())  # type: ignore[arg-type]
    counts.add("a", "s", "", Tokens(1, 1), succeeded=True)
    books.error = Unavailable(FULL)
    await counts.write()
    books.error = OutcomeUnknown("lost")
    await counts.write()
    assert books.asked == 2, "what was refused is written at the next turn"
    books.error = None
    await counts.write()
    assert books.asked == 2, "and an unknown outcome is not"
