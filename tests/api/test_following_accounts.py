"""One stream with the events of several accounts: in order, resumable after any id, and only for readers of fleets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any

import psycopg
import pytest

from leasebook.api.streams.events import EDGES_MAX, Edges
from leasebook.ports.queries.costs import PostingEdge
from tests.api.scene import EVENTS, UNITS, Caller, ServiceHarness, order
from tests.harness import events_of

FLEET_READ, OPERATE = "LeasebookFleetReadPolicy", "QianfanServiceOperateAccessPolicy"
BEGUN = b": this stream has every event, in order\n\n"


class Following:
    """A stream, read until its reader has enough."""

    def __init__(self, caller: Caller, **body: Any) -> None:
        self.caller = caller
        self.body = json.dumps(body).encode()
        self.received: list[bytes] = []
        self.changed = asyncio.Event()

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in self.events]

    @property
    def events(self) -> list[Any]:
        return events_of(b"".join(self.received).decode())

    def tells_of(self, unit: str) -> bool:
        return any(event.get("subject") == unit for event in self.events)

    async def until(self, is_enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_enough():
                self.changed.clear()
                await self.changed.wait()

    async def read(self, meanwhile: Callable[[Following], Coroutine[Any, Any, None]]) -> None:
        """Follow while something happens."""
        desk, enough = self.caller.desk, asyncio.Event()
        query = "Action=FollowEvents"
        headers = [*desk.signed(EVENTS, query, self.body), (b"content-length", str(len(self.body)).encode())]
        path = {"path": EVENTS, "raw_path": EVENTS.encode(), "query_string": query.encode()}
        requests = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> Any:
            if requests:
                return requests.pop()
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.received.append(message.get("body", b""))
            self.changed.set()

        stream = asyncio.create_task(
            desk.service.app({"type": "http", "method": "POST", "headers": headers, **path}, receive, send)
        )
        try:
            await meanwhile(self)
        finally:
            enough.set()
            await stream


def reader_of(scene: ServiceHarness) -> Caller:
    return scene.user(scene.customer(), FLEET_READ)


def test_a_stream_over_accounts_has_all_events_in_the_order_of_their_ids_and_goes_on_after_any(
    either: ServiceHarness,
) -> None:
    first, second, third = (either.customer("1000") for _ in range(3))
    ids = [one.account_id() for one in (first, second, third)]
    reader = reader_of(either)
    streams: dict[str, Following] = {}

    async def buy(*callers: Caller) -> None:
        for caller in callers:
            (await caller.desk.call(UNITS, "PurchaseComputeUnit", order())).result  # noqa: B018 - fails for a refusal

    async def all_of_them(stream: Following) -> None:
        await stream.until(lambda: BEGUN in stream.received)
        await buy(first, second, third, first)
        await stream.until(lambda: len(stream.events) == 8)

    async def two_of_them(stream: Following) -> None:
        await stream.until(lambda: len(stream.events) == 5)

    async def scene() -> None:
        streams["*"] = Following(reader, accountId="*")
        await streams["*"].read(all_of_them)
        place = streams["*"].ids[0]
        streams["two"] = Following(reader, accountId=[ids[0], ids[2]], after=place)
        await streams["two"].read(two_of_them)

    either.play(scene)
    every = streams["*"].events
    order_of = [tuple(map(int, one["id"].split("-"))) for one in every]
    assert order_of == sorted(set(order_of))
    assert [(one["type"], one["source"].rpartition("/")[2]) for one in every] == [
        (kind, ids[number]) for number in (0, 1, 2, 0) for kind in ("unit.bought", "unit.running")
    ]
    of_two = [one["id"] for one in every if not one["source"].endswith(ids[1])]
    assert streams["two"].ids == of_two[1:]


def test_an_id_of_none_of_the_accounts_and_a_reader_without_the_right_are_refused(
    either_shared: ServiceHarness,
) -> None:
    first, second, third = (either_shared.customer("1000") for _ in range(3))
    first.buy()
    reader = reader_of(either_shared)
    last = first.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
    others = {"accountId": [second.account_id(), third.account_id()], "after": last}
    assert reader.field_refused(EVENTS, "FollowEvents", others) == "after"
    assert reader.field_refused(EVENTS, "FollowEvents", {"accountId": "*", "after": "77-0"}) == "after"
    plain = either_shared.user(first, OPERATE)
    for meant in ("*", [first.account_id(), second.account_id()]):
        assert plain.refused(EVENTS, "FollowEvents", {"accountId": meant}) == "AccessDenied"
    absent = {"accountId": [first.account_id(), "0" * 32]}
    assert reader.refused(EVENTS, "FollowEvents", absent) == "ResourceNotFound"
    money = {"accountId": "*", "types": ["account.arrears"]}
    assert reader.refused(EVENTS, "FollowEvents", money) == "AccessDenied"


@pytest.mark.parametrize("either", ["postgres"], indirect=True)
def test_an_event_waits_for_transactions_that_may_still_write_one_with_a_lower_number(
    either: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, reader = either.customer("1000"), reader_of(either)
    looked, see = asyncio.Event(), Edges.see

    def noted(edges: Edges, edge: PostingEdge) -> None:
        looked.set()
        see(edges, edge)

    monkeypatch.setattr(Edges, "see", noted)
    assert either.where.url is not None
    with closing(psycopg.connect(either.where.url)) as other:

        async def waiting(stream: Following) -> None:
            await stream.until(lambda: BEGUN in stream.received)
            other.execute("SELECT pg_current_xact_id()")
            (await customer.desk.call(UNITS, "PurchaseComputeUnit", order())).result  # noqa: B018 - fails for a refusal
            looked.clear()
            for _ in range(4):
                async with asyncio.timeout(60):
                    await looked.wait()
                looked.clear()
            assert stream.events == []
            other.commit()
            await stream.until(lambda: len(stream.events) == 2)

        async def scene() -> None:
            await Following(reader, accountId="*").read(waiting)

        either.play(scene)


def test_pages_are_complete_when_all_transactions_of_when_they_were_seen_are_over() -> None:
    edges = Edges()
    edges.see(PostingEdge(7, begun=100, over=90))
    assert (edges.whole, edges.pause_s is None) == (0, False)
    edges.see(PostingEdge(9, begun=105, over=99))
    assert edges.whole == 0
    edges.see(PostingEdge(9, begun=106, over=100))
    assert (edges.whole, edges.pause_s is None) == (7, False)
    edges.see(PostingEdge(9, begun=110, over=107))
    assert (edges.whole, edges.pause_s) == (9, None)
    for number in range(3 * EDGES_MAX):
        edges.see(PostingEdge(10 + number, begun=200 + number, over=150))
    assert edges.pause_s == 1.0
    edges.see(PostingEdge(500, begun=900, over=899))
    assert edges.whole == 9 + EDGES_MAX
