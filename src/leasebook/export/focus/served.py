"""Cost exports that a server makes for callers, each from one view of the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Literal, Protocol

import msgspec

from leasebook.batch import Unavailable
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.datasets import NoSuchDatasetError, layout_of
from leasebook.export.focus.export import Wanted, rows_wanted
from leasebook.export.focus.formats import BadMarkError, NoParquetError, check_form, write_rows
from leasebook.export.focus.rows import Seller
from leasebook.export.focus.spool import AbandonedError, Spool
from leasebook.export.focus.turns import Turns
from leasebook.ports.cost_files import CannotExportError, CostsWanted, TooManyExportsError
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.errors import BadStore

Outcome = Literal["sent", "failed", "abandoned", "refused"]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds on the exports under way: of this server, of one account, and of the time of each."""

    in_all: int
    per_account: int
    seconds: int


class Views(Protocol):
    """Opens views of the store."""

    def __call__(
        self,
        accounts: tuple[str, ...] | None,
        since: Instant,
        until: Instant,
        around: Callable[[], AbstractContextManager[Any]],
    ) -> AbstractContextManager[ReadRepository]:
        """Open a view of what accounts (None: all) spent in a period, for the calling thread.

        ``around`` is entered around each query.
        """


class Meter(Protocol):
    """Where exports are counted."""

    def exports_open(self, change: int) -> None:
        """Note that an export began (1), or ended (-1)."""

    def export_ended(self, outcome: Outcome, sent_bytes: int) -> None:
        """Count an export by how it ended, and the bytes of it that were sent."""


class _Export:
    """An export under way. It ends once: when its file is sent or cannot be, when its caller leaves, or out of time."""

    def __init__(self, spool: Spool, over: Callable[[_Export, Outcome], None]) -> None:
        self.spool = spool
        self.sent = 0
        self.is_late = False
        self._over = over
        self._is_over = False

    def end(self, outcome: Outcome) -> None:
        """Let go of the file, and of the place among the exports under way."""
        if not self._is_over:
            self._is_over = True
            self.spool.close()
            self._over(self, outcome)

    def end_late(self) -> None:
        """End it because its time is up."""
        self.is_late = not self._is_over
        self.end("failed")


class CostExports:
    """Makes files of costs. See ``leasebook.ports.cost_files.CostFiles``."""

    def __init__(self, views: Views, seller: Seller, bounds: Bounds, meter: Meter) -> None:
        self._views = views
        self._seller = seller
        self._bounds = bounds
        self._meter = meter
        self._threads = ThreadPoolExecutor(bounds.in_all, thread_name_prefix="costs")
        self._turns = Turns()
        self._parties: Counter[str] = Counter()
        self._open: set[_Export] = set()

    async def begin(self, wanted: CostsWanted) -> AsyncIterator[bytes]:
        """Begin a file, and return its pieces once the first are there."""
        _check(wanted)
        self._require_room(wanted.party)
        pieces = self._pieces(wanted)
        # The first piece is empty. Anything that goes wrong before it is an answer, and no broken file.
        await anext(pieces)
        return pieces

    async def stop(self) -> None:
        """Give up the files that are being made, and wait for their threads."""
        for export in self._open:
            export.spool.give_up()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    def _require_room(self, party: str) -> None:
        for now, most, whose, setting in (
            (self._parties[party], self._bounds.per_account, "The account", "costs.exports_per_account_max"),
            (self._parties.total(), self._bounds.in_all, "This server", "costs.exports_max"),
        ):
            if now >= most:
                self._meter.export_ended("refused", 0)
                raise TooManyExportsError(
                    f"{whose} has {now} cost exports under way, and at most {most} at a time. Wait until one has "
                    f"arrived; the operator may allow more (the setting {setting})."
                )

    async def _pieces(self, wanted: CostsWanted) -> AsyncIterator[bytes]:
        export = self._begun(wanted)
        late = asyncio.get_running_loop().call_later(self._bounds.seconds, export.end_late)
        outcome: Outcome = "abandoned"
        try:
            await export.spool.started()
            yield b""
            async for piece in export.spool.pieces():
                export.sent += len(piece)
                yield piece
            outcome = "sent"
        except (OSError, BadStore, AbandonedError) as error:
            outcome = "failed"
            raise self._failed(export, error) from None
        except Exception:
            outcome = "failed"
            raise
        finally:
            late.cancel()
            export.end(outcome)

    def _failed(self, export: _Export, error: Exception) -> Unavailable:
        if export.is_late:
            return Unavailable(
                f"the export took longer than {self._bounds.seconds} seconds (the setting costs.export_seconds). Ask "
                "for fewer months or accounts at a time"
            )
        return Unavailable("the file of the export cannot be made on this server", str(error))

    def _begun(self, wanted: CostsWanted) -> _Export:
        def over(export: _Export, outcome: Outcome) -> None:
            self._open.discard(export)
            self._parties -= Counter([wanted.party])
            self._meter.exports_open(-1)
            self._meter.export_ended(outcome, export.sent)

        try:
            spool = Spool()
        except OSError as error:
            self._meter.export_ended("failed", 0)
            raise Unavailable("the file of the export cannot be made on this server", str(error)) from None
        export = _Export(spool, over)
        self._open.add(export)
        self._parties[wanted.party] += 1
        self._meter.exports_open(1)
        spool.begin(self._threads, lambda file: self._write(wanted, spool, file))
        return export

    def _write(self, wanted: CostsWanted, spool: Spool, file: BinaryIO) -> None:
        export = Wanted(
            dataset=wanted.dataset,
            first=wanted.first,
            last=wanted.last,
            accounts=wanted.accounts,
            seller=self._seller,
            now=wanted.now,
            within=wanted.within,
        )
        columns = layout_of(wanted.version, wanted.dataset)
        with self._turns.taken(), self._views(wanted.accounts, *export.span(), self._turns.passed) as ask:
            rows = rows_wanted(ask, export, self._turns.pace(spool.check))
            write_rows(file, rows, columns, wanted.form, bom=wanted.bom)


def _check(wanted: CostsWanted) -> None:
    try:
        layout_of(wanted.version, wanted.dataset)
    except NoSuchDatasetError as error:
        raise CannotExportError(str(error), "dataset") from None
    try:
        check_form(wanted.form, bom=wanted.bom)
    except BadMarkError:
        raise CannotExportError("Only a CSV has a byte order mark: leave bom out, or ask for csv.", "bom") from None
    except NoParquetError as error:
        raise CannotExportError(f"{error}, on the server. Or ask for csv.") from None
