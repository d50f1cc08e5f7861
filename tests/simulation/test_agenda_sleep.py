"""How long the worker of due work sleeps: never past what falls due, and never for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from leasebook.batch import DueDone, DueRequest
from leasebook.domain.commands.command import Decision
from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import RealClock
from leasebook.scheduler.worker import LOOK_EVERY_S, SOON_S, Scheduler

NOW = Instant(1_900_000_000 * SECOND_US)


class NoSchedulerMetrics:
    def due_done(self, kind: str, lateness_seconds: float) -> None:
        """Count nothing."""


class SleepingScheduler:
    """Store and sequencer of a scheduler, and how long it slept; ``done`` and ``ahead`` decide the due work."""

    def __init__(self, done: list[list[DueDone]], ahead: list[Due]) -> None:
        self.done = done
        self.ahead = ahead
        self.slept: list[float] = []

    async def do_due(self, request: DueRequest) -> list[DueDone]:
        del request
        return self.done.pop(0) if self.done else []

    async def read(self, question: Callable[[Any], Any], *, long: bool = False, party: str | None = None) -> Any:  # noqa: ARG002 - it is quick
        return question(self)

    def due(self, until: Instant, limit: int) -> list[Due]:
        return [item for item in self.ahead if item.at <= until][:limit]


def due(seconds: float, name: str = "unit-a") -> Due:
    return Due(Instant(NOW + int(seconds * SECOND_US)), DueKind.RELEASE, name)


def sleeps(scene: SleepingScheduler, times: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    async def play() -> None:
        clock = RealClock(300 * SECOND_US, wall=lambda: NOW, boot=lambda: 0)
        scheduler = Scheduler(scene, scene, clock, NoSchedulerMetrics())  # type: ignore[arg-type]

        async def slept(waiting: Any, seconds: float) -> None:
            waiting.close()
            scene.slept.append(seconds)
            if len(scene.slept) == times:
                scheduler._stopping = True
            raise TimeoutError

        monkeypatch.setattr("leasebook.scheduler.worker.asyncio.wait_for", slept)
        await scheduler._run()

    asyncio.run(play())
    return scene.slept


DONE = DueDone(due(0), Decision(answer=True))


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ([], LOOK_EVERY_S),
        ([due(0.4)], 0.4),
        ([due(3600)], LOOK_EVERY_S),
        ([due(0.002)], SOON_S),
        # Work that fell due between the last work and this look must not wait for the next second.
        ([due(-0.001)], SOON_S),
    ],
)
def test_it_sleeps_until_the_next_work_falls_due(
    ahead: list[Due], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sleeps(SleepingScheduler([[DONE]], ahead), 1, monkeypatch) == [pytest.approx(expected)]


def test_where_nothing_comes_of_it_it_looks_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = sleeps(SleepingScheduler([], [due(-1)]), 12, monkeypatch)
    assert slept[0] == SOON_S
    assert slept == sorted(slept)
    assert slept[-1] == LOOK_EVERY_S


def test_once_work_was_done_it_looks_soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = sleeps(SleepingScheduler([[], [], [], [DONE], []], [due(-1)]), 4, monkeypatch)
    assert slept == [SOON_S, 2 * SOON_S, 4 * SOON_S, SOON_S]


def test_work_that_failed_and_rests_does_not_hide_what_falls_due_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = DueDone(due(-5), error=RuntimeError("it failed"))
    assert sleeps(SleepingScheduler([[failed]], [due(-5), due(0.3, "unit-b")]), 1, monkeypatch) == [pytest.approx(0.3)]
