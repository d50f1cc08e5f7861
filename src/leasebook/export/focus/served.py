"""Cost exports that a server makes for callers: a few at a time, each from one view of the store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Final, Literal, Protocol

import msgspec

from leasebook.batch import Unavailable
from leasebook.export.focus.datasets import NoSuchDatasetError, layout_of
from leasebook.export.focus.export import Wanted, rows_wanted
from leasebook.export.focus.formats import BadMarkError, NoParquetError, check_form, write_rows
from leasebook.export.focus.rows import Seller
from leasebook.export.focus.spool import Spool
from leasebook.ports.costs import CannotExportError, CostsWanted, TooManyExportsError
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.errors import BadStore

WRITERS: Final = 2
"""Threads that write files. Others wait for their turn: the view of the store is opened when it comes."""
ROWS_AT_ONCE: Final = 20
"""Rows between two pauses, about a millisecond's work."""
PAUSE_S: Final = 0.0002
"""A pause lets the event loop and the batch have the interpreter; without it they wait 5 ms for each turn."""

Outcome = Literal["sent", "failed", "abandoned", "refused"]
Snapshots = Callable[[], AbstractContextManager[ReadRepository]]
"""Opens a view of the store in the calling thread."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds on the exports under way: of this server, and of one account."""

    in_all: int
    per_account: int


class Meter(Protocol):
    """Where exports are counted."""

    def exports_open(self, change: int) -> None:
        """Note that an export began (1), or ended (-1)."""

    def export_ended(self, outcome: Outcome, sent_bytes: int) -> None:
        """Count an export by how it ended, and the bytes of it that were sent."""


class CostExports:
    """Makes files of costs. See ``leasebook.ports.costs.CostFiles``."""

    def __init__(self, snapshots: Snapshots, seller: Seller, bounds: Bounds, meter: Meter) -> None:
        self._snapshots = snapshots
        self._seller = seller
        self._bounds = bounds
        self._meter = meter
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="costs")
        self._open: Counter[str] = Counter()
        self._spools: set[Spool] = set()

    async def begin(self, wanted: CostsWanted) -> AsyncIterator[bytes]:
        """Begin a file, and return its pieces once the first are there."""
        _check(wanted)
        self._require_room(wanted.party)
        pieces = self._pieces(wanted)
        # The first piece is empty. Anything that goes wrong before it is an answer, and no broken file.
        await anext(pieces)
        return pieces

    async def stop(self) -> None:
        """Give up the files that are being made."""
        for spool in self._spools:
            spool.give_up()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _require_room(self, party: str) -> None:
        for now, most, whose, setting in (
            (self._open[party], self._bounds.per_account, "The account", "costs.exports_per_account_max"),
            (self._open.total(), self._bounds.in_all, "This server", "costs.exports_max"),
        ):
            if now >= most:
                self._meter.export_ended("refused", 0)
                raise TooManyExportsError(
                    f"{whose} has {now} cost exports under way, and at most {most} at a time. Wait until one has "
                    f"arrived; the operator may allow more (the setting {setting})."
                )

    async def _pieces(self, wanted: CostsWanted) -> AsyncIterator[bytes]:
        self._count(wanted.party, 1)
        outcome: Outcome = "abandoned"
        sent = 0
        spool: Spool | None = None
        try:
            spool = Spool()
            self._spools.add(spool)
            spool.begin(self._threads, lambda file: self._write(wanted, spool, file))
            await spool.started()
            yield b""
            async for piece in spool.pieces():
                sent += len(piece)
                yield piece
            outcome = "sent"
        except (OSError, BadStore) as error:
            outcome = "failed"
            raise Unavailable("the file of the export cannot be made on this server", str(error)) from None
        except Exception:
            outcome = "failed"
            raise
        finally:
            if spool is not None:
                self._spools.discard(spool)
                spool.close()
            self._count(wanted.party, -1)
            self._meter.export_ended(outcome, sent)

    def _count(self, party: str, change: int) -> None:
        self._open[party] += change
        if not self._open[party]:
            del self._open[party]
        self._meter.exports_open(change)

    def _write(self, wanted: CostsWanted, spool: Spool | None, file: BinaryIO) -> None:
        assert spool is not None  # noqa: S101 - it is there before this is called
        export = Wanted(
            dataset=wanted.dataset,
            first=wanted.first,
            last=wanted.last,
            accounts=wanted.accounts,
            seller=self._seller,
            now=wanted.now,
        )
        columns = layout_of(wanted.version, wanted.dataset)
        with self._snapshots() as ask:
            write_rows(file, _paced(rows_wanted(ask, export), spool), columns, wanted.form, bom=wanted.bom)


def _check(wanted: CostsWanted) -> None:
    try:
        layout_of(wanted.version, wanted.dataset)
    except NoSuchDatasetError as error:
        raise CannotExportError(str(error), "dataset") from None
    try:
        check_form(wanted.form, bom=wanted.bom)
    except BadMarkError as error:
        raise CannotExportError(f"{error}".capitalize() + "; leave bom out.", "bom") from None
    except NoParquetError as error:
        raise CannotExportError(f"{error}, on the server. Or ask for csv.") from None


def _paced(rows: Iterable[Any], spool: Spool) -> Iterator[Any]:
    """Pass rows on, with pauses for the other threads; raises AbandonedError once nothing reads the file."""
    for number, row in enumerate(rows, 1):
        yield row
        if not number % ROWS_AT_ONCE:
            spool.check()
            time.sleep(PAUSE_S)
