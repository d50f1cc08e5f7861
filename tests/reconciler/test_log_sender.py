"""The sender of lines: what reaches a real log store, in which order, and what happens while that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
import pytest
from structlog.testing import capture_logs

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import REPLICAS
from leasebook.domain.model.replica import Replica, RunSpec, Wanted
from leasebook.domain.model.service import LogStore, Service
from leasebook.domain.values.calendar import Instant
from leasebook.engines.contract import LogPart, LogPlace, Unreachable
from leasebook.notifications import log_store as log_store_client
from leasebook.notifications.log_store import LogStoreClient
from leasebook.ports.queries.log_stores import LogSources
from leasebook.reconciler import log_sender
from leasebook.reconciler.followed_logs import FollowedLogs
from leasebook.reconciler.log_sender import EVERY_S, PAUSE_MAX_S, LogSender
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.log_stores import LogKeeper, LogRequest, a_log_store, answer_of
from tests.reconciler.scene import replica, service

T = TypeVar("T")
ATTACHED = LogStore("bj", "default", "lines", "user-1", Instant(1))


class CountedLines:
    """The metrics of a log store, as numbers."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.requests: list[str] = []
        self.is_away = False

    def log_lines(self, outcome: str, count: int) -> None:
        self.lines[outcome] = self.lines.get(outcome, 0) + count

    def log_request(self, outcome: str) -> None:
        self.requests.append(outcome)

    def log_store_away(self, *, away: bool) -> None:
        self.is_away = away


class Sending:
    """A sender on a world of replicas. Its books are what the test says."""

    def __init__(self, keeper: LogKeeper) -> None:
        self.keeper = keeper
        self.world = FakeWorld(lambda: 0.0, {"cpu-1": 100})
        self.meter = CountedLines()
        self.services: dict[str, Service] = {}
        self.rows: list[Replica] = []
        self.client = LogStoreClient(keeper.url)
        self.now_s = 0.0
        self.sender = self.another()

    def another(self) -> LogSender:
        """Return a sender that knows nothing yet, as after a restart."""
        logs = FollowedLogs({"fake": FakeEngine(self.world)}, "node-1", 5.0)
        return LogSender(
            self,
            logs,
            self.client,
            holder="w",
            meter=self.meter,
            now_ns=lambda: 1000,
            now_s=lambda: self.now_s,
        )

    async def read(self, question: Callable[[Any], T], *, long: bool = False, party: str | None = None) -> T:
        """Answer as a store does."""
        del long, party
        return question(self)

    def log_sources(self, holder: str, service_ids: set[str]) -> LogSources:
        assert holder == "w"
        ids = {row.service_id for row in self.rows} | service_ids
        rows = [row for row in self.rows if row.service_id in self.services]
        return LogSources({name: row for name, row in self.services.items() if name in ids}, rows)

    async def run(self, row: Replica, *lines: str, attached: bool = True) -> Replica:
        """Run a replica that writes lines."""
        if attached:
            self.services[row.service_id] = service(row.service_id, name="talker", log_store=ATTACHED)
        self.world.script(row.name, prints=lines)
        spec = RunSpec(command=("x",))
        wanted = Wanted(name=row.name, unit_id="u", service_id="s", unit_type="cpu-1", units=1, spec=spec)
        await FakeEngine(self.world).start(wanted)
        self.rows.append(row)
        return row

    def says(self, row: Replica, *lines: str) -> None:
        """Have it write further lines."""
        for run in self.world.runs:
            if run.wanted.name == row.name:
                script = msgspec.structs.replace(run.start.script, prints=(*run.start.script.prints, *lines))
                run.start = msgspec.structs.replace(run.start, script=script)


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    async with a_log_store() as keeper:
        made = Sending(keeper)
        yield made
        await made.client.close()


async def test_lines_go_out_in_order_with_the_words_that_say_whose_they_are(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one", "", "zwei \U0001f9ee")
    assert await sending.sender.turn() == EVERY_S
    (request,) = sending.keeper.requests
    assert sending.keeper.lines == ["one", "", "zwei \U0001f9ee"]
    assert [record.observed_ns for record in request.records] == [1000, 1001, 1002]
    assert request.records[0].whose == {
        "service.name": "talker",
        "service.instance.id": row.name,
        "leasebook.account_id": "acc-1",
        "leasebook.service_id": "svco-1",
        "leasebook.instance_id": "unit-1",
        "leasebook.replica": "0",
        "leasebook.log_project": "default",
        "leasebook.log_store": "lines",
        "leasebook.log_region": "bj",
    }
    assert request.body["resourceLogs"][0]["scopeLogs"][0]["scope"]["name"] == "leasebook"
    sending.says(row, "four")
    await sending.sender.turn()
    await sending.sender.turn()
    assert sending.keeper.lines == ["one", "", "zwei \U0001f9ee", "four"]
    assert (sending.meter.lines, sending.meter.requests) == ({"sent": 4}, ["taken", "taken"])


async def test_a_restarted_sender_goes_on_after_the_last_line_that_was_taken(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one")
    await sending.sender.turn()
    sending.says(row, "two")
    await sending.another().turn()
    assert sending.keeper.lines == ["one", "two"]


async def test_while_the_log_store_is_away_lines_wait_and_the_pauses_grow(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one")
    answers = [answer_of(503), answer_of(401), answer_of(404, None, "retry-after: 120"), answer_of(302)]
    sending.keeper.answer = lambda _request: answers.pop(0)
    assert [await sending.sender.turn() for _ in range(4)] == [1.0, 2.0, 120.0, 8.0]
    assert sending.meter.is_away
    sending.keeper.answer = lambda _request: answer_of(500, None, "retry-after: 99999")
    assert await sending.sender.turn() == 300.0
    sending.keeper.answer = lambda _request: answer_of(500)
    assert [await sending.sender.turn() for _ in range(3)] == [32.0, PAUSE_MAX_S, PAUSE_MAX_S]
    sending.says(row, "two")
    sending.keeper.answer = LogKeeper().answer
    assert await sending.sender.turn() == EVERY_S
    assert sending.keeper.lines == ["one", "two"]
    assert not sending.meter.is_away
    assert sending.meter.requests == ["later"] * 8 + ["taken"]
    assert sending.meter.lines == {"sent": 2}


async def test_a_log_store_that_hangs_up_or_is_not_there_is_away(sending: Sending) -> None:
    await sending.run(replica("Ready"), "one")
    sending.keeper.answer = lambda _request: b"no HTTP\r\n\r\n"
    assert await sending.sender.turn() == 1.0
    sending.keeper.answer = LogKeeper().answer
    await sending.sender.turn()
    assert sending.keeper.lines == ["one"]


async def test_lines_that_are_refused_do_not_take_those_of_others_with_them(sending: Sending) -> None:
    bad = await sending.run(replica("Ready", 0), "bad", "worse")
    await sending.run(replica("Ready", 1), "good")

    def picky(request: LogRequest) -> bytes:
        return answer_of(400) if any(record.line == "bad" for record in request.records) else answer_of(204)

    sending.keeper.answer = picky
    assert await sending.sender.turn() == EVERY_S
    assert sending.keeper.lines == ["good"]
    assert sending.meter.lines == {"refused": 2, "sent": 1}
    sending.says(bad, "better")
    await sending.sender.turn()
    assert sending.keeper.lines == ["good", "better"]


async def test_lines_that_the_log_store_says_it_left_out_count_as_refused(sending: Sending) -> None:
    await sending.run(replica("Ready"), "one", "two", "three")
    partial = {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}
    sending.keeper.answer = lambda _request: answer_of(200, partial)
    await sending.sender.turn()
    await sending.sender.turn()
    assert sending.meter.lines == {"refused": 2, "sent": 1}
    assert len(sending.keeper.requests) == 1


async def test_lines_dropped_from_a_full_log_are_counted_once(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sending.run(replica("Ready"), "kept")
    log_part = FakeEngine.log_part

    async def dropping(engine: FakeEngine, name: str, after: LogPlace | None, bytes_max: int) -> Any:
        part = await log_part(engine, name, after, bytes_max)
        return part._replace(lost=lost[0] if after is None else 0)

    lost = [5]
    monkeypatch.setattr(FakeEngine, "log_part", dropping)
    sending.keeper.answer = lambda _request: answer_of(503)
    await sending.sender.turn()
    lost[0] = 7
    await sending.sender.turn()
    sending.keeper.answer = LogKeeper().answer
    await sending.sender.turn()
    await sending.sender.turn()
    assert sending.meter.lines == {"lost": 7, "sent": 1}


@pytest.mark.parametrize("kind", ["lost", "refused", "left out"])
async def test_an_owner_whose_lines_go_astray_does_not_fill_the_log_of_the_operator(
    sending: Sending, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    row = await sending.run(replica("Ready"), "first")
    log_part = FakeEngine.log_part

    async def dropping(engine: FakeEngine, name: str, after: LogPlace | None, bytes_max: int) -> Any:
        return (await log_part(engine, name, after, bytes_max))._replace(lost=3)

    if kind == "lost":
        monkeypatch.setattr(FakeEngine, "log_part", dropping)
    elif kind == "refused":
        sending.keeper.answer = lambda _request: answer_of(400)
    else:
        sending.keeper.answer = lambda _request: answer_of(200, {"partialSuccess": {"rejectedLogRecords": "1"}})
    said = []
    for turn in range(60):
        sending.now_s = 2.0 * turn
        sending.says(row, f"line {turn}")
        with capture_logs() as logs:
            await sending.sender.turn()
        said += [(turn, one["lines"]) for one in logs if one["log_level"] == "warning"]
    each = 3 if kind == "lost" else 1
    # The first turn sends two lines. Nothing is left out of the sums.
    assert said == [(0, 3 if kind == "lost" else 2 if kind == "refused" else 1), (30, 30 * each)]
    sending.now_s += 60.0
    monkeypatch.undo()
    with capture_logs() as logs:
        await sending.sender.turn()
    assert [one["lines"] for one in logs if "lines" in one] == [29 * each]


async def test_lines_of_which_nothing_is_left_are_counted_once(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await sending.run(replica("Ready"))
    places: dict[str, LogPlace] = {}

    async def gone(_engine: FakeEngine, name: str, after: LogPlace | None, _bytes_max: int) -> LogPart:
        place = after or places.get(name)
        return LogPart((), LogPlace(14, 3), 3 - (place.lines if place else 0), is_over=True)

    async def noted(_engine: FakeEngine, name: str, place: LogPlace) -> None:
        places[name] = place

    monkeypatch.setattr(FakeEngine, "log_part", gone)
    monkeypatch.setattr(FakeEngine, "log_sent", noted)
    with capture_logs() as logs:
        await sending.sender.turn()
        await sending.sender.turn()
    assert sending.meter.lines == {"lost": 3}
    assert [(one["name"], one["lines"]) for one in logs if "lines" in one] == [(row.name, 3)]


async def test_the_last_lines_of_a_replica_that_is_gone_are_sent(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one")
    await sending.sender.turn()
    sending.says(row, "last words")
    sending.rows.clear()
    await FakeEngine(sending.world).stop(row.name, 0)
    await sending.sender.turn()
    await sending.sender.turn()
    assert sending.keeper.lines == ["one", "last words"]
    assert sending.sender._logs.in_turn() == []


async def test_a_try_that_came_and_went_between_two_looks_is_followed(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "first try")
    await sending.sender.turn()
    short = replica("Starting", generation=2)
    await sending.run(short, "it cannot begin")
    other = replica("Starting", generation=3, service_id="svco-2")
    await sending.run(other, "of another service", attached=False)
    sending.rows[:] = [row]
    changes = Changes([], [])
    changes.updated[REPLICAS] = [short, other]
    sending.sender.committed(changes)
    await sending.sender.turn()
    assert sending.keeper.lines == ["first try", "it cannot begin"]


async def test_a_log_store_that_is_detached_gets_no_more_lines(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one")
    await sending.sender.turn()
    del sending.services[row.service_id]
    sending.says(row, "two")
    await sending.sender.turn()
    assert sending.keeper.lines == ["one"]


async def test_replicas_of_other_machines_and_engines_are_left_to_others(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEngine, "local", True)
    await sending.run(replica("Ready", 0, node="node-2"), "there")
    await sending.run(replica("Ready", 1, engine="ray"), "on ray")
    await sending.run(replica("Ready", 2), "here")
    await sending.sender.turn()
    assert sending.keeper.lines == ["here"]


async def test_a_request_is_bounded_and_each_replica_has_its_turn(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sender, "PART_BYTES", 200)
    monkeypatch.setattr(log_sender, "BATCH_BYTES", 400)
    rows = [await sending.run(replica("Ready", number), *["x" * 50] * 20) for number in range(6)]
    assert await sending.sender.turn() == 0.0
    first = {record.whose["service.instance.id"] for record in sending.keeper.records}
    assert len(first) == 2
    while await sending.sender.turn() == 0.0:
        pass
    assert all(sum(len(record.line) for record in one.records) <= 400 for one in sending.keeper.requests)
    order = [record.whose["service.instance.id"] for record in sending.keeper.records]
    assert set(order[: 3 * 3 * 2]) == {row.name for row in rows}, "none is sent twice before each was sent once"
    assert sending.meter.lines == {"sent": 120}


async def test_an_engine_that_cannot_be_asked_is_asked_again(sending: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    await sending.run(replica("Ready"), "one")
    sending.world.cut()
    assert await sending.sender.turn() == EVERY_S
    assert sending.keeper.lines == []
    sending.world.mend()

    async def forgets(_engine: FakeEngine, _name: str, _place: LogPlace) -> None:
        raise Unreachable

    monkeypatch.setattr(FakeEngine, "log_sent", forgets)
    await sending.sender.turn()
    await sending.sender.turn()
    assert sending.keeper.lines == ["one"]


async def test_a_probe_takes_a_bounded_time_and_probes_at_once_share_a_request(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await asyncio.gather(*(sending.client.probe() for _ in range(20)))
    assert (set(found), len(sending.keeper.requests)) == ({None}, 1)
    monkeypatch.setattr(log_store_client, "PROBE_S", 0.05)
    waiting = asyncio.Event()

    async def hangs(_request: LogRequest) -> bytes:
        await waiting.wait()
        return b""

    sending.keeper.answer = hangs
    assert await sending.client.probe() == "It did not answer within 0.05 s."


async def test_what_a_caller_reads_of_a_failure_has_no_header_and_no_host_of_the_operator(sending: Sending) -> None:
    secret = LogStoreClient(sending.keeper.url, [("authorization", " Bearer log-key")])
    assert await secret.probe() == "The headers of the request are not allowed in HTTP."
    away = LogStoreClient("http://collector.invalid:4318/v1/logs")
    with capture_logs() as lines:
        assert await away.probe() == "There is no connection, or it broke."
    assert [(line["event"], bool(line["detail"])) for line in lines] == [("the log store cannot be reached", True)]


async def test_a_log_that_cannot_be_read_does_not_keep_the_lines_of_others(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await sending.run(replica("Ready", 0), "unreadable")
    await sending.run(replica("Ready", 1), "good")
    log_part = FakeEngine.log_part

    async def broken(engine: FakeEngine, name: str, after: LogPlace | None, bytes_max: int) -> Any:
        if name == bad.name:
            raise ValueError("its notes are no numbers")
        return await log_part(engine, name, after, bytes_max)

    monkeypatch.setattr(FakeEngine, "log_part", broken)
    with capture_logs() as lines:
        for _ in range(3):
            await sending.sender.turn()
    assert sending.keeper.lines == ["good"]
    assert [line["name"] for line in lines] == [bad.name], "it is logged once"
    monkeypatch.setattr(FakeEngine, "log_part", log_part)
    await sending.sender.turn()
    assert sending.keeper.lines == ["good", "unreadable"]


async def test_a_sender_that_stops_ends_its_request_first(sending: Sending) -> None:
    row = await sending.run(replica("Ready"), "one")
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: LogRequest) -> bytes:
        arrived.set()
        await go_on.wait()
        return answer_of(200)

    sending.keeper.answer = slow
    sending.sender.start()
    await arrived.wait()
    stopping = asyncio.create_task(sending.sender.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert sending.world.sent[row.name].lines == 1
    assert sending.meter.lines == {"sent": 1}
