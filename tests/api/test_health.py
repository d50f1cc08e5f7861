"""Answers to monitors: alive, ready or why not, and the numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from leasebook.api.health import Health
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant
from leasebook.observability.metrics import Metrics
from leasebook.ports.clock import RealClock, VirtualClock
from tests.api.scene import CLOCK, UNITS, ServiceHarness, a_scene
from tests.harness import Answer

READY = {"status": "ready"}


def get(scene: ServiceHarness, path: str, method: str = "GET") -> Answer:
    """Ask as a monitor does: unsigned."""
    return scene.operator.send(path, "", method=method, headers=[])


def samples(scene: ServiceHarness) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = get(scene, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body)
        for sample in family.samples
    }


def test_a_service_says_that_it_is_alive_and_ready_to_whoever_asks(shared: ServiceHarness) -> None:
    alive, ready = get(shared, "/healthz"), get(shared, "/readyz")
    assert (alive.status, alive.body) == (200, {"status": "ok"})
    assert (ready.status, ready.body) == (200, READY)
    assert alive.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_monitor_may_ask_for_the_head_only(shared: ServiceHarness, path: str) -> None:
    app = shared.running.app
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nobody reads the body of a HEAD")

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        scope = {"type": "http", "method": "HEAD", "path": path, "raw_path": path.encode(), "headers": []}
        await app({**scope, "query_string": b""}, receive, send)

    shared.play(ask)
    assert sent[0]["status"] == 200
    assert int(dict(sent[0]["headers"])[b"content-length"]) > 0
    assert sent[1]["body"] == b""


def test_pages_for_monitors_are_not_posted_to(shared: ServiceHarness) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert get(shared, path, "POST").body["code"] == "ResourceNotFound"


# --- readiness -------------------------------------------------------------------------------------------


def late_by(scene: ServiceHarness, seconds: int, look: Callable[[], Any]) -> None:
    """Let a release be overdue while the scheduler is kept from its work, and look."""
    caller = scene.customer()
    unit = caller.buy(release="2030-01-15 09:00:00")
    scheduler = scene.running.scheduler

    async def busy() -> None:
        await scheduler._turn.acquire()

    scene.play(busy)
    try:
        scene.running.clock.moved(Instant(scene.stored("release_at", unit) + seconds * SECOND_US))
        look()
    finally:
        scheduler._turn.release()


def test_a_service_is_not_ready_while_a_release_is_overdue_for_longer_than_the_setting(fresh: ServiceHarness) -> None:
    def look() -> None:
        answer = get(fresh, "/readyz")
        assert answer.status == 503
        assert answer.body == {
            "status": "not ready",
            "reasons": ["The oldest overdue release is 31 s late; up to 30 s are allowed."],
        }
        assert samples(fresh)["leasebook_oldest_overdue_release_seconds", ()] == 31
        assert get(fresh, "/healthz").status == 200

    late_by(fresh, 31, look)


def test_a_release_that_is_late_within_the_setting_leaves_the_service_ready(fresh: ServiceHarness) -> None:
    def look() -> None:
        assert get(fresh, "/readyz").body == READY
        assert samples(fresh)["leasebook_oldest_overdue_release_seconds", ()] == 30

    late_by(fresh, 30, look)


def test_the_setting_says_how_late_a_release_may_be(opened: Path, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    shutil.copytree(opened, directory)
    with a_scene(directory, environment={"LEASEBOOK_READINESS_LATENESS_MAX_SECONDS": "60"}) as scene:

        def look() -> None:
            assert get(scene, "/readyz").body == READY

        late_by(scene, 60, look)


def test_a_service_is_ready_again_when_what_was_overdue_is_done(fresh: ServiceHarness) -> None:
    late_by(fresh, 3600, lambda: get(fresh, "/readyz"))
    fresh.advance("2030-01-15 10:00:01")
    assert get(fresh, "/readyz").body == READY
    assert samples(fresh)["leasebook_oldest_overdue_release_seconds", ()] == 0


def test_a_service_whose_clock_jumped_is_not_ready_and_says_why_until_an_operator_confirms(tmp_path: Path) -> None:
    with a_scene(tmp_path, clock="real") as scene:
        clock = scene.running.clock
        assert isinstance(clock, RealClock)
        assert get(scene, "/readyz").body == READY
        trusted = clock._trusted
        clock._wall = lambda: clock._boot() + trusted + 10 * MINUTE_US + SECOND_US // 2
        answer = get(scene, "/readyz")
        assert answer.status == 503
        (reason,) = answer.body["reasons"]
        assert "jumped" in reason
        assert "ConfirmClock" in reason
        assert samples(scene)["leasebook_clock_held", ()] == 1
        shown = scene.operator.do(CLOCK, "DescribeClock")
        assert (shown["mode"], shown["held"], shown["reason"]) == ("real", True, reason)
        confirmed = scene.operator.do(CLOCK, "ConfirmClock")
        assert set(confirmed) == {"now", "mode"}
        assert get(scene, "/readyz").body == READY
        assert samples(scene)["leasebook_clock_held", ()] == 0


def test_a_service_that_is_stopping_is_not_ready_and_lets_its_connections_go(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        assert "connection" not in scene.operator.ask(CLOCK, "DescribeClock").headers
        scene.running.app.stop()
        answer = get(scene, "/readyz")
        assert (answer.status, answer.body["reasons"]) == (503, ["The service is stopping."])
        assert get(scene, "/healthz").status == 200
        # A caller that is still connected is served, and then comes back by another connection.
        answer = scene.operator.ask(CLOCK, "DescribeClock")
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_every_reason_is_given_at_once_and_a_store_that_cannot_be_read_is_one(shared: ServiceHarness) -> None:
    class FailingReader:
        async def read(self, question: Any, *, long: bool = False, party: str | None = None) -> Any:  # noqa: ARG002
            raise OSError(f"no disk to ask {question!r}")

        glance = read

    health = Health(FailingReader(), shared.running.sequencer, VirtualClock(Instant(0)), Metrics(), lateness_max_s=30)
    health.stopping = True
    found: list[Any] = []

    async def ask() -> None:
        found.append(await health.page("/readyz"))

    shared.play(ask)
    (page,) = found
    assert page is not None
    assert page.status == 503
    assert b"The service is stopping." in page.body
    assert b"The store cannot be read" in page.body
    assert b"no disk to ask" not in page.body, "what a driver says is not for strangers"


def test_a_service_whose_sequencer_is_gone_is_not_alive(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        assert get(scene, "/healthz").status == 200

        async def end() -> None:
            await scene.running.scheduler.stop()
            await scene.running.sequencer.close()

        scene.play(end)
        answer = get(scene, "/healthz")
        assert answer.status == 500
        assert answer.body["status"] != "ok"


class StubConcern:
    """A concern with what a test makes it say."""

    def __init__(self) -> None:
        self.said: str | None = None
        self.ended: str | None = None

    def unready(self) -> str | None:
        return self.said

    def broken(self) -> str | None:
        return self.ended


def test_what_keeps_the_service_from_its_work_is_a_reason_and_what_ends_it_ends_it(tmp_path: Path) -> None:
    trouble = StubConcern()
    with a_scene(tmp_path) as scene:
        scene.running.health.watch(trouble)
        assert get(scene, "/readyz").status == 200
        trouble.said = "The disk is full."
        answer = get(scene, "/readyz")
        assert (answer.status, answer.body["reasons"]) == (503, ["The disk is full."])
        assert get(scene, "/healthz").status == 200, "a restart would not help"
        trouble.said, trouble.ended = None, "The file is gone."
        assert get(scene, "/readyz").body["reasons"] == ["The file is gone."]
        answer = get(scene, "/healthz")
        assert (answer.status, answer.body["status"]) == (500, "The file is gone.")
        # Where monitors have a port of their own, strangers learn nothing of files.
        scene.running.health.apart = True
        answer = get(scene, "/healthz")
        assert (answer.status, answer.body["status"]) == (500, "broken; restart")


# --- numbers ---------------------------------------------------------------------------------------------


def test_the_promised_metrics_are_there_from_the_start(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        names = {name for name, _ in samples(scene)}
    assert {
        "leasebook_release_lateness_seconds_count",
        "leasebook_release_lateness_seconds_sum",
        "leasebook_release_lateness_seconds_bucket",
        "leasebook_oldest_overdue_release_seconds",
        "leasebook_clock_held",
        "leasebook_queue_length",
        "leasebook_build_info",
    } <= names


def test_requests_and_releases_are_counted(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    caller.buy(release="2030-01-15 09:30:00")
    caller.release(caller.buy())
    caller.refused(UNITS, "DescribeComputeUnit", {"instanceId": "unit-00000000"})
    caller.send("/nowhere", "Action=Nothing", headers=[])
    fresh.advance("2030-01-15 12:00:00")
    found = samples(fresh)

    def requests(path: str, action: str, status: int, code: str) -> float:
        labels = {"path": path, "action": action, "status": str(status), "code": code}
        return found["leasebook_requests_total", tuple(sorted(labels.items()))]

    assert requests(UNITS, "PurchaseComputeUnit", 200, "") == 2
    assert requests(UNITS, "DescribeComputeUnit", 404, "InstanceNotFound") == 1
    assert requests("unknown", "unknown", 404, "ResourceNotFound") == 1
    assert found["leasebook_release_lateness_seconds_count", ()] == 1
    assert found["leasebook_due_done_total", (("kind", "release"),)] == 1
    assert found["leasebook_due_done_total", (("kind", "charge"),)] == 1


def test_live_instances_are_counted_by_status(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        scene.sell()
        caller = scene.customer()
        caller.buy()
        caller.buy()
        caller.release(caller.buy())
        found = samples(scene)
    assert found["leasebook_units", (("status", "Running"),)] == 2
    assert ("leasebook_units", (("status", "Released"),)) not in found
