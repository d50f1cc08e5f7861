"""Statements: the cost of an instance in a month, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from leasebook.domain.record.ledger import Posting, PostingKind, wallet
from leasebook.domain.values.calendar import MINUTE_US, Instant, from_datetime, zone
from leasebook.domain.values.money import Micro


class Line(msgspec.Struct, frozen=True):
    """A period with one number of units and one price, charged to one project (None: the default project).

    ``amount`` is what left the account, in micro-units; a refund's is negative.
    """

    kind: PostingKind
    since: Instant | None
    until: Instant | None
    minutes: int | None
    count: int | None
    price: Micro | None
    amount: int
    order_id: str | None
    project_id: str | None = None


def month_of(year: int, month: int, zone_name: str) -> tuple[Instant, Instant]:
    """Return when a calendar month begins and ends in an account's time zone."""
    # Not a month after the beginning: where the clocks skip the first hour, that ends an hour into the next month.
    after = divmod(year * 12 + month, 12)
    first, last = (datetime(y, m + 1, 1, tzinfo=zone(zone_name)) for y, m in ((year, month - 1), after))
    return from_datetime(first), from_datetime(last)


def lines_of(postings: Iterable[Posting]) -> Iterator[Line]:
    """Yield an instance's postings as lines: consecutive charges at one price are one line.

    Units at a quoted price and others at the listed price are charged in parallel, so several lines may be open at a
    time.
    """
    lines: list[Line] = []
    for posting in postings:
        line = _line(posting)
        for place, last in enumerate(lines):
            if _goes_on(last, line):
                lines[place] = msgspec.structs.replace(
                    last,
                    until=line.until,
                    minutes=(last.minutes or 0) + (line.minutes or 0),
                    amount=last.amount + line.amount,
                )
                break
        else:
            while lines and not _may_go_on(lines[0], line):
                yield lines.pop(0)
            lines.append(line)
    yield from lines


def _may_go_on(last: Line, line: Line) -> bool:
    """Whether a later charge may still continue ``last``, although ``line`` does not."""
    if last.kind != "Usage" or line.kind != "Usage" or last.until is None or line.since is None:
        return False
    return last.until >= line.since


def _line(posting: Posting) -> Line:
    until = posting.until
    if posting.kind == "Usage" and posting.since is not None:
        # Metered by the minute: the last minute counts in full.
        until = Instant(posting.since + (posting.minutes or 0) * MINUTE_US)
    return Line(
        kind=posting.kind,
        since=posting.since,
        until=until,
        minutes=posting.minutes,
        count=posting.count,
        price=posting.price,
        amount=-posting.effect_on(wallet(posting.account_id)),
        order_id=posting.order_id,
        project_id=posting.project_id,
    )


def _goes_on(last: Line, line: Line) -> bool:
    if last.kind != "Usage" or line.kind != "Usage":
        return False
    if last.until is None or last.project_id != line.project_id:
        return False
    return (last.until, last.count, last.price) == (line.since, line.count, line.price)
