"""Exports that a server makes: slow readers, callers who leave, limits, failures, and flat memory."""

from __future__ import annotations

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from leasebook.batch import Unavailable
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus import served
from leasebook.export.focus.rows import Seller
from leasebook.export.focus.served import Bounds, CostExports
from leasebook.export.focus.spool import PIECE_BYTES
from leasebook.ports.costs import CostsWanted, TooManyExportsError
from leasebook.store.errors import BadStore
from leasebook.store.opening import Target
from leasebook.store.queries.snapshot import glimpse
from tests.focus.exports import rows_in
from tests.focus.life import ExportScenario


class Meter:
    """Keeps the counts."""

    def __init__(self) -> None:
        self.open = 0
        self.ended: list[str] = []
        self.bytes = 0

    def exports_open(self, change: int) -> None:
        self.open += change

    def export_ended(self, outcome: str, sent_bytes: int) -> None:
        self.ended.append(outcome)
        self.bytes += sent_bytes


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
async def exports(life: ExportScenario, meter: Meter) -> AsyncIterator[CostExports]:
    def opened() -> Any:
        return glimpse(Target(life.directory))

    made = CostExports(opened, Seller("The Lessor", "CNY"), Bounds(in_all=3, per_account=2), meter)
    yield made
    await made.stop()


def wanted(party: str = "one") -> CostsWanted:
    return CostsWanted(
        party=party,
        accounts=None,
        first=(2028, 1),
        last=(2028, 3),
        dataset="CostAndUsage",
        version="1.4",
        form="csv",
        bom=False,
        now=Instant(0),
    )


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def left(pieces: AsyncIterator[bytes]) -> None:
    """Close a file before its end, as a caller who leaves has it closed."""
    await pieces.aclose()  # type: ignore[attr-defined]


@pytest.fixture
def endless(life: ExportScenario, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Exports without an end; the list has the number of rows that were made."""
    rows, made = rows_in(life, (2028, 1)), [0]
    enough = threading.Event()

    def forever(*_: object) -> Iterator[Any]:
        while not enough.is_set():
            made[0] += len(rows)
            yield from rows

    monkeypatch.setattr(served, "rows_wanted", forever)
    yield made
    enough.set()


async def test_a_file_arrives_whole_and_is_counted(exports: CostExports, meter: Meter) -> None:
    file = await whole(await exports.begin(wanted()))
    assert file.count(b"\n") > 20
    assert file.endswith(b"\n")
    assert (meter.open, meter.ended, meter.bytes) == (0, ["sent"], len(file))


async def test_a_file_whose_caller_leaves_is_not_made_to_the_end(
    exports: CostExports, meter: Meter, endless: list[int]
) -> None:
    pieces = await exports.begin(wanted())
    await anext(pieces)
    await left(pieces)
    assert (meter.open, meter.ended) == (0, ["abandoned"])
    # This waits for the thread, which would go on for ever.
    await asyncio.wait_for(exports.stop(), 60)
    assert endless[0]


async def test_limits_count_what_is_under_way_and_name_the_setting(
    exports: CostExports, meter: Meter, endless: list[int]
) -> None:
    one, two = await exports.begin(wanted()), await exports.begin(wanted())
    with pytest.raises(TooManyExportsError, match=r"The account has 2 .* costs.exports_per_account_max"):
        await exports.begin(wanted())
    await left(one)
    three = await exports.begin(wanted("two"))
    await left(two)
    for pieces in (three,):
        await left(pieces)
    assert meter.ended == ["refused", "abandoned", "abandoned", "abandoned"]
    assert meter.open == 0
    assert endless[0]


async def test_a_slow_reader_keeps_neither_the_view_of_the_store_nor_another_caller(
    life: ExportScenario, meter: Meter
) -> None:
    opened: list[Any] = []
    closed: list[Any] = []

    @contextmanager
    def counted() -> Iterator[Any]:
        with glimpse(Target(life.directory)) as ask:
            opened.append(ask)
            yield ask
        closed.append(ask)

    exports = CostExports(counted, Seller("The Lessor", "CNY"), Bounds(in_all=9, per_account=9), meter)
    slow = [await exports.begin(wanted()) for _ in range(4)]
    file = await whole(await exports.begin(wanted("two")))
    await exports.stop()
    assert len(opened) == len(closed) == 5
    # A file that is complete can still be read.
    assert {await whole(pieces) for pieces in slow[:2]} == {file}
    for pieces in slow[2:]:
        await left(pieces)


async def test_a_store_or_a_disk_that_fails_is_said_before_the_file_begins(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    @contextmanager
    def broken() -> Iterator[Any]:
        raise BadStore("/somewhere is gone")
        yield

    exports = CostExports(broken, Seller("The Lessor", "CNY"), Bounds(in_all=9, per_account=9), meter)
    with pytest.raises(Unavailable) as failed:
        await exports.begin(wanted())
    assert "somewhere" not in str(failed.value)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with pytest.raises(Unavailable):
        await exports.begin(wanted())
    assert (meter.open, meter.ended) == (0, ["failed", "failed"])
    await exports.stop()


async def test_a_failure_on_the_way_is_no_end_of_the_file(
    exports: CostExports, life: ExportScenario, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_in(life, (2028, 1))

    def broken(*_: object) -> Iterator[Any]:
        for _round in range(100):
            yield from rows
        raise BadStore("the disk is gone")

    monkeypatch.setattr(served, "rows_wanted", broken)
    pieces = await exports.begin(wanted())
    with pytest.raises(Unavailable):
        await whole(pieces)
    assert meter.ended == ["failed"]


def _the_same(rows: list[Any], *_: object) -> Iterator[Any]:
    return iter(rows)


async def test_memory_does_not_grow_with_the_file(
    exports: CostExports, life: ExportScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, peaks = rows_in(life, (2028, 1)), list[int]()
    for count in (15, 120):
        monkeypatch.setattr(served, "rows_wanted", partial(_the_same, rows * count))
        tracemalloc.start()
        size = 0
        async for piece in await exports.begin(wanted()):
            size += len(piece)
            await asyncio.sleep(0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert size > 4 * PIECE_BYTES
    assert peaks[1] < peaks[0] + PIECE_BYTES
