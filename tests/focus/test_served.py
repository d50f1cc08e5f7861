"""Exports that a server makes: slow readers, callers who leave, limits, failures, and flat memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leasebook.batch import Unavailable
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus import served, turns
from leasebook.export.focus.export import Wanted, rows_wanted
from leasebook.export.focus.rows import Seller
from leasebook.export.focus.served import Bounds, CostExports
from leasebook.export.focus.spool import PIECE_BYTES, Spool
from leasebook.ports.cost_files import CostsWanted, TooManyExportsError
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.errors import BadStore
from leasebook.store.opening import Target
from leasebook.store.queries.account.excerpt import Excerpt
from leasebook.store.queries.snapshot import Around, excerpt
from tests.focus.exports import rows_in
from tests.focus.life import ExportScenario

SELLER = Seller("The Lessor", "CNY")
ENDLESS = "endless"
"""The account whose exports have no end, where a test asks for that."""


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


class Views:
    """Views of a store, and how many were opened and closed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.opened = 0
        self.closed = 0

    @contextmanager
    def __call__(
        self, accounts: tuple[str, ...] | None, since: Instant, until: Instant, around: Around
    ) -> Iterator[ReadRepository]:
        with excerpt(Target(self.directory), Excerpt(accounts, since, until), around) as ask:
            self.opened += 1
            yield ask
        self.closed += 1


def made(
    views: Callable[..., AbstractContextManager[ReadRepository]],
    meter: Meter,
    *,
    per_account: int = 9,
    seconds: int = 60,
) -> CostExports:
    return CostExports(views, SELLER, Bounds(in_all=9, per_account=per_account, seconds=seconds), meter)


@pytest.fixture
async def exports(life: ExportScenario, meter: Meter) -> AsyncIterator[CostExports]:
    exports = made(Views(life.directory), meter)
    yield exports
    await exports.stop()


def wanted(party: str = "one", accounts: tuple[str, ...] | None = None) -> CostsWanted:
    return CostsWanted(
        party=party,
        accounts=accounts,
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
def endless(life: ExportScenario, monkeypatch: pytest.MonkeyPatch) -> Iterator[CostsWanted]:
    """An export without an end."""
    rows = rows_in(life, (2028, 1))
    enough = threading.Event()

    def forever(ask: ReadRepository, export: Wanted, pace: Callable[[int], None]) -> Iterator[Any]:
        if export.accounts != (ENDLESS,):
            yield from rows_wanted(ask, export, pace)
            return
        while not enough.is_set():
            for row in rows:
                pace(1)
                yield row

    monkeypatch.setattr(served, "rows_wanted", forever)
    yield wanted(ENDLESS, (ENDLESS,))
    enough.set()


async def test_a_file_arrives_whole_and_is_counted(exports: CostExports, meter: Meter) -> None:
    file = await whole(await exports.begin(wanted()))
    assert file.count(b"\n") > 20
    assert file.endswith(b"\n")
    assert (meter.open, meter.ended, meter.bytes) == (0, ["sent"], len(file))


async def test_a_file_whose_caller_leaves_is_not_made_to_the_end(
    exports: CostExports, meter: Meter, endless: CostsWanted
) -> None:
    pieces = await exports.begin(endless)
    await anext(pieces)
    await left(pieces)
    assert (meter.open, meter.ended) == (0, ["abandoned"])
    # This waits for the thread, which would go on for ever.
    await asyncio.wait_for(exports.stop(), 60)


async def test_a_thread_that_still_writes_never_writes_into_a_file_that_has_the_number_of_its_own(
    exports: CostExports, endless: CostsWanted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files: list[Any] = []
    begin = Spool.begin

    def noted(spool: Spool, *args: Any) -> None:
        files.append(spool._file)
        begin(spool, *args)

    monkeypatch.setattr(Spool, "begin", noted)
    pieces = await exports.begin(endless)
    number = files[0].fileno()
    await left(pieces)
    with (tmp_path / "another").open("w+b") as another:
        if another.fileno() != number:
            os.dup2(another.fileno(), number)
        await asyncio.wait_for(exports.stop(), 60)
        if another.fileno() != number:
            os.close(number)
    assert (tmp_path / "another").read_bytes() == b""


async def test_a_short_export_does_not_wait_for_long_ones(exports: CostExports, endless: CostsWanted) -> None:
    long = [await exports.begin(endless) for _ in range(8)]
    assert (await asyncio.wait_for(whole(await exports.begin(wanted())), 60)).count(b"\n") > 20
    for pieces in long:
        await left(pieces)


async def test_limits_count_what_is_under_way_and_name_the_setting(
    life: ExportScenario, meter: Meter, endless: CostsWanted
) -> None:
    exports = CostExports(Views(life.directory), SELLER, Bounds(in_all=3, per_account=2, seconds=60), meter)
    one, two = await exports.begin(endless), await exports.begin(endless)
    with pytest.raises(TooManyExportsError, match=r"The account has 2 .* costs.exports_per_account_max"):
        await exports.begin(endless)
    three = await exports.begin(wanted("two"))
    with pytest.raises(TooManyExportsError, match=r"This server has 3 .* costs.exports_max"):
        await exports.begin(wanted("three"))
    await left(one)
    assert await whole(await exports.begin(wanted("three")))
    for pieces in (two, three):
        await left(pieces)
    assert meter.ended == ["refused", "refused", "abandoned", "sent", "abandoned", "abandoned"]
    assert meter.open == 0
    await exports.stop()


async def test_an_export_that_takes_too_long_gives_its_place_to_others(
    life: ExportScenario, meter: Meter, endless: CostsWanted
) -> None:
    exports = made(Views(life.directory), meter, per_account=1, seconds=0)
    with pytest.raises(Unavailable, match=r"longer than 0 seconds \(the setting costs.export_seconds\)"):
        await exports.begin(endless)
    assert (meter.open, meter.ended) == (0, ["failed"])
    await exports.stop()


async def test_a_slow_reader_keeps_neither_the_view_of_the_store_nor_another_caller(
    life: ExportScenario, meter: Meter
) -> None:
    views = Views(life.directory)
    exports = made(views, meter)
    slow = [await exports.begin(wanted()) for _ in range(4)]
    file = await whole(await exports.begin(wanted("two")))
    await exports.stop()
    assert views.opened == views.closed == 5
    # A file that is complete can still be read.
    assert {await whole(pieces) for pieces in slow[:2]} == {file}
    for pieces in slow[2:]:
        await left(pieces)


async def test_the_log_of_the_embedded_store_can_be_restarted_while_an_export_is_made(
    life: ExportScenario, meter: Meter, endless: CostsWanted, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(life.directory, tmp_path / "data"))
    exports = made(Views(data), meter)
    pieces = await exports.begin(endless)
    with closing(sqlite3.connect(data / "leasebook.db")) as store:
        store.execute("PRAGMA busy_timeout = 0")
        store.execute("INSERT INTO facts (name, value) VALUES ('written', 'meanwhile')")
        store.commit()
        ((busy, written, copied),) = store.execute("PRAGMA wal_checkpoint(RESTART)")
    assert written > 0
    assert (busy, written) == (0, copied)
    await left(pieces)
    await exports.stop()


async def test_a_store_or_a_disk_that_fails_is_said_before_the_file_begins(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def broken(*_: object) -> Iterator[Any]:
        raise BadStore("/somewhere is gone")
        yield

    exports = made(broken, meter)
    with pytest.raises(Unavailable) as failed:
        await exports.begin(wanted())
    assert "somewhere" not in str(failed.value)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with pytest.raises(Unavailable):
        await exports.begin(wanted())
    assert (meter.open, meter.ended) == (0, ["failed", "failed"])
    await exports.stop()


async def test_files_leave_room_on_the_disk_which_may_be_the_one_of_the_store(
    exports: CostExports, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=100, f_frsize=4096))
    with pytest.raises(Unavailable) as failed:
        await exports.begin(wanted())
    assert "bytes are free in the directory for temporary files" in failed.value.detail
    assert meter.ended == ["failed"]


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


@pytest.mark.parametrize("dataset", ["CostAndUsage", "ContractCommitment", "InvoiceDetail"])
def test_work_that_makes_no_row_of_its_own_is_paced_too(life: ExportScenario, dataset: Any) -> None:
    export = Wanted(dataset=dataset, first=(2028, 1), last=(2028, 1), accounts=None, seller=SELLER, now=Instant(2**60))
    work: list[int] = []
    with excerpt(Target(life.directory), Excerpt(None, *export.span()), Turnless) as ask:
        list(rows_wanted(ask, export, work.append))
        spent = sum(len(list(ask.spending(account.id, *export.span()))) for account in ask.accounts())
    assert sum(work) > spent > 5


@pytest.mark.parametrize(("row_us", "pauses"), [(10, 9), (100, 97), (5000, 999)])
def test_pauses_come_with_processor_time_and_not_with_rows(
    monkeypatch: pytest.MonkeyPatch, row_us: int, pauses: int
) -> None:
    spent, slept = iter(range(10**6)), list[float]()
    clock = SimpleNamespace(thread_time=lambda: next(spent) * row_us / 10**6, sleep=slept.append)
    monkeypatch.setattr(turns, "time", clock)
    paused, checked = turns.Turns(), list[int]()
    with paused.taken():
        pace = paused.pace(lambda: checked.append(1))
        for _ in range(1000):
            pace(1)
    assert abs(len(slept) - pauses) <= 1
    assert len(checked) == len(slept)


class Turnless(AbstractContextManager["Turnless"]):
    """Nothing to wait for."""

    def __exit__(self, *_: object) -> None:
        """Leave."""


async def test_memory_does_not_grow_with_the_file(
    exports: CostExports, life: ExportScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, peaks = rows_in(life, (2028, 1)), list[int]()
    for count in (60, 300):
        monkeypatch.setattr(served, "rows_wanted", lambda *_, count=count: iter(rows * count))
        tracemalloc.start()
        size = 0
        async for piece in await exports.begin(wanted()):
            size += len(piece)
            await asyncio.sleep(0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert size > 16 * PIECE_BYTES
    assert peaks[1] < peaks[0] + 2 * PIECE_BYTES
