"""Archiving the hourly charges of past months, so that years of them stay affordable.

A postpaid instance makes a posting an hour, 8,760 a year. After a month is settled, the books need only the sums:
consecutive charges for the same units at the same price become one posting with their amount and minutes, and the
hourly postings go into a compressed file. A statement shows them as one line anyway, so balances, charges, statements
and checks stay the same.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg

from leasebook.domain.costs.rows import COSTS_SUMMED
from leasebook.domain.record.ledger import Posting
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import MINUTE_US, Instant, rfc3339, to_datetime
from leasebook.ports.progress import Progress, unseen
from leasebook.store.errors import BadStore
from leasebook.store.maintenance.archive_file import ArchiveFile, Line, clear_leftover, new_file
from leasebook.store.maintenance.beside import Run, beside
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import columns
from leasebook.store.rows.codec import POSTINGS
from leasebook.store.rows.postings import OF_UNIT
from leasebook.store.verify.nouns.overdue import store_now

UNITS: Final = 4
"""Instances per transaction: about 3,000 rows for a month, for which servers wait some twenty milliseconds."""
_HAS_POSTINGS: Final = "EXISTS (SELECT 1 FROM posting_rows p WHERE p.unit = u.seq)"
PAUSE_S: Final = 0.02
"""Seconds between two transactions, so that servers come first."""


class Archived(msgspec.Struct, frozen=True):
    """The postings that went into the file, those that replace them in the books, and the file's size."""

    hourly: int
    monthly: int
    file_bytes: int


class _Done(msgspec.Struct):
    """The progress; ``changes``: a transaction was begun, so the books may have changed."""

    progress: Progress
    hourly: int = 0
    monthly: int = 0
    changes: bool = False


def archive(where: Target, before: Instant, goal: Path, progress: Progress = unseen) -> Archived:
    """Roll up the hourly charges before an instant, by calendar month of the account; servers may run meanwhile.

    Months that have not ended in an account's time zone stay, and an instant beyond them is refused.

    The file is on the disk before the books change, and is never overwritten; only one that a killed run left, and
    whose postings are all in the books, is replaced. Postings rolled up twice, after a crash in between, are in two
    files with the same numbers. Raises BadStore; then the file is kept only if the books may have changed.
    """
    done = _Done(progress)
    try:
        with _over(where, before) as (run, transaction, now):
            clear_leftover(goal, run)
            with _new_file(goal, done) as file:
                _roll_up(run, transaction, (before, now), file, done)
    except FileExistsError:
        raise BadStore(f"{goal} exists already; an archive never writes over another.") from None
    except (OSError, sqlite3.Error, psycopg.Error) as error:
        kept = (
            f"Keep the file: {done.hourly} postings or more are rolled up, and are only there. Go on with another --to"
            if done.changes
            else "Nothing was changed, and no file is left"
        )
        reason = " ".join(str(error).split())
        raise BadStore(f"archiving {where.name} to {goal} stopped: {reason}. {kept}.") from None
    return Archived(done.hourly, done.monthly, goal.stat().st_size)


@contextmanager
def _new_file(goal: Path, done: _Done) -> Iterator[ArchiveFile]:
    """Create the file, and delete it after an error if the books have not changed."""
    try:
        with new_file(goal) as file:
            yield file
    except FileExistsError:
        raise
    except BaseException:
        if not done.changes:
            goal.unlink(missing_ok=True)
        raise


@contextmanager
def _over(where: Target, before: Instant) -> Iterator[tuple[Run, Callable[[], Any], Instant]]:
    """Open the store, and read its time; raises BadStore if the instant is in a month that has not ended.

    Also if charges before it are not yet part of the sums of costs, which need their hours.
    """
    with beside(where, "archive") as (run, transaction):
        now = store_now(run)[0]
        zones = [str(zone) for (zone,) in run("SELECT DISTINCT time_zone FROM accounts", ())]
        latest = max(_began(now, zone) for zone in (*zones, "UTC"))
        if before > latest:
            raise BadStore(
                f"{rfc3339(before, 'UTC')} is in a month that is not over; it is {rfc3339(now, 'UTC')} for this store. "
                f"Give {rfc3339(latest, 'UTC')} or an earlier moment."
            )
        _require_summed(run, before)
        yield run, transaction, now


def _require_summed(run: Run, before: Instant) -> None:
    ((mark,),) = run("SELECT coalesce(max(value), '0') FROM facts WHERE name = ?", (COSTS_SUMMED,))
    # The additions keep the searches in the order of the numbers: only the last few are not summed.
    found = run(
        "SELECT count(*) FROM (SELECT at FROM posting_rows WHERE seq > ? AND at + 0 < ? "
        "AND kind || '' = 'Usage') AS rest",
        (int(mark), before),
    )
    if found[0][0]:
        raise BadStore(
            f"{found[0][0]} charges before {rfc3339(before, 'UTC')} are not yet part of the sums of costs "
            "(DescribeCosts), which need their hours. A server adds them by itself: run one on this store until its "
            "metric leasebook_costs_behind_postings is 0, and archive then."
        )


def _began(now: Instant, zone: str) -> Instant:
    today = to_datetime(now, zone)
    return month_of(today.year, today.month, zone)[0]


def _roll_up(
    run: Run,
    transaction: Callable[[], Any],
    until: tuple[Instant, Instant],
    file: ArchiveFile,
    done: _Done,
) -> None:
    last, seen = "", 0
    total = _count_units(run) if done.progress is not unseen else None
    while units := _next_units(run, last):
        last = units[-1]
        seen += len(units)
        done.progress("instances", seen, total)
        lines = [line for unit in units for line in _lines(run, unit, *until)]
        if not lines:
            continue
        file.add(lines)
        done.changes = True
        with transaction():
            for kept, group in groupby(lines, lambda line: line.rolled_into):
                _replace(run, kept, list(group))
                done.monthly += 1
        done.hourly += len(lines)
        _pause()


def _count_units(run: Run) -> int:
    """Count the instances with postings: one step along the index for each instance."""
    asked = f"SELECT count(*) FROM units u WHERE {_HAS_POSTINGS}"
    return int(run(asked, ())[0][0])


def _pause() -> None:
    time.sleep(PAUSE_S)


def _next_units(run: Run, last: str) -> list[str]:
    """Return the next instances with postings; of each instance one step along the index tells whether it has any."""
    found = run(f"SELECT u.id FROM units u WHERE u.id > ? AND {_HAS_POSTINGS} ORDER BY u.id LIMIT ?", (last, UNITS))
    return [str(unit) for (unit,) in found]


def _lines(run: Run, unit: str, before: Instant, now: Instant) -> Iterator[Line]:
    """Yield the hourly charges to roll up, each with the last of its consecutive charges."""
    rows = run(
        f"SELECT seq, {columns(POSTINGS)} FROM postings WHERE {OF_UNIT} AND kind = 'Usage' AND at < ? ORDER BY seq",
        (unit, before),
    )
    postings = [(row[0], POSTINGS.read(row[1:])) for row in rows]
    if not postings:
        return
    zone = _zone_of(run, postings[0][1].account_id)
    ended = _began(now, zone)
    run_on: list[tuple[int, Posting]] = []
    for item in postings:
        if item[1].at >= ended:
            break
        if run_on and not _goes_on(run_on[-1][1], item[1], zone):
            yield from _rolled(run_on)
            run_on = []
        run_on.append(item)
    yield from _rolled(run_on)


def _rolled(run_on: list[tuple[int, Posting]]) -> Iterator[Line]:
    if len(run_on) > 1:
        yield from (Line(seq, run_on[-1][0], posting) for seq, posting in run_on)


def _goes_on(last: Posting, posting: Posting, zone: str) -> bool:
    """Whether a charge begins where the last one ended: units added within a minute overlap it."""
    if last.since is None or last.minutes is None or _sort_of(last, zone) != _sort_of(posting, zone):
        return False
    return last.since + last.minutes * MINUTE_US == posting.since


def _zone_of(run: Run, account_id: str) -> str:
    ((zone,),) = run("SELECT time_zone FROM accounts WHERE id = ?", (account_id,))
    return str(zone)


def _sort_of(posting: Posting, zone: str) -> tuple[Any, ...]:
    """The properties that postings rolled into one must share: month, accounts, units, price and project."""
    return _month(posting.at, zone), posting.debit, posting.credit, posting.count, posting.price, posting.project_id


def _month(at: Instant, zone: str) -> tuple[int, int]:
    """Return the calendar month of a charge in the account's time zone, as statements count it."""
    moment = to_datetime(at, zone)
    return moment.year, moment.month


def _replace(run: Run, kept: int, lines: list[Line]) -> None:
    """Make the month's last posting carry the sum. It keeps its number, and so its place in lists."""
    amount = sum(line.posting.amount for line in lines)
    minutes = sum(line.posting.minutes or 0 for line in lines)
    numbers = [line.seq for line in lines if line.seq != kept]
    gone = run(
        f"DELETE FROM posting_rows WHERE seq IN ({', '.join('?' for _ in numbers)}) AND kind = 'Usage' "
        "RETURNING amount",
        numbers,
    )
    before = run("SELECT amount FROM posting_rows WHERE seq = ?", (kept,))
    if sum(row[0] for row in (*gone, *before)) != amount:
        raise BadStore(f"somebody else archives the same store: posting {kept} changed meanwhile")
    since = min((line.posting.since for line in lines if line.posting.since is not None), default=None)
    run(
        "UPDATE posting_rows SET amount = ?, minutes = ?, since = ? WHERE seq = ? RETURNING seq",
        (amount, minutes, since, kept),
    )
