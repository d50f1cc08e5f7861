"""Checks of the sums of costs: computed a second time from the postings, in another way than when they were made.

Sums by the hour make up those by the day, and these the months. A month is what its postings say; the postings of an
archived month have no hours any more, but are still all in their month.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from leasebook.store.costs.queries import CHARGED, PROJECT, TAGS
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.sums import parts_of, total

ROWS_AT_ONCE: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MINUTES: Final = 60
_ID_LENGTH: Final = 16
_Key = tuple[Any, ...]
_Sums = dict[str, Counter[_Key]]
"""Amounts by level (Hour, Day, Month, Spread), and by account, beginning of the period, and group."""


def cost_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Yield a line for each sum that is not what the postings up to the mark say."""
    ((mark,),) = fetch("SELECT coalesce(max(value), '0') FROM facts WHERE name = 'costs_summed'", ())
    zones = {account: ZoneInfo(name) for account, name in fetch("SELECT id, time_zone FROM accounts", ())}
    groups, crowded, forged = _groups(fetch)
    yield from forged[:limit]
    for count, finding in enumerate(_findings(fetch, int(mark), zones, groups, crowded)):
        if count == limit:
            return
        yield finding


def _groups(fetch: Fetch) -> tuple[dict[_Key, _Key], set[str], list[str]]:
    """Return the properties of the groups by account and id, the accounts that have too many, and findings.

    The id of a group is a digest of its properties.
    """
    found: dict[_Key, _Key] = {}
    crowded: set[str] = set()
    forged: list[str] = []
    for account, group, *alike, rest in fetch(
        "SELECT account_id, id, kind, region, type, user_id, service_id, project_id, tags, rest FROM cost_groups", ()
    ):
        found[account, group] = tuple(alike)
        if rest:
            crowded.add(account)
        named = msgspec.json.encode([account, *alike, bool(rest)])
        if sha256(named).hexdigest()[: len(group)] != group or len(group) != _ID_LENGTH:
            forged.append(f"costs of account {account} have the group {group} with properties that are not its own")
    return found, crowded, forged


def _findings(
    fetch: Fetch, mark: int, zones: dict[str, ZoneInfo], groups: dict[_Key, _Key], crowded: set[str]
) -> Iterator[str]:
    stored: _Sums = {level: Counter() for level in ("Hour", "Day", "Month", "Spread")}
    yield from _stored(fetch, groups, crowded, stored)
    yield from _made_of(stored, zones)
    wanted: _Sums = {level: Counter() for level in stored}
    archived: set[_Key] = set()
    _charged(fetch, mark, zones, crowded, wanted, archived)
    _spread(fetch, mark, zones, crowded, wanted)
    for level in ("Month", "Spread", "Hour"):
        keys = {key for sums in (stored, wanted) for key, amount in sums[level].items() if amount}
        for key in sorted(keys, key=repr):
            if stored[level][key] == wanted[level][key]:
                continue
            account, since, *alike = key
            if level == "Hour" and (account, _start(since, zones[account], "Month")) in archived:
                continue
            what = "what was paid in advance for" if level == "Spread" else f"{level.lower()}"
            yield (
                f"costs of account {account} by {what} {_written(since)}, of {alike}: the sum is {stored[level][key]} "
                f"micro, and the postings say {wanted[level][key]}"
            )


def _stored(fetch: Fetch, groups: dict[_Key, _Key], crowded: set[str], into: _Sums) -> Iterator[str]:
    """Read the sums, page by page; yields a line for each that has an unknown group."""
    after: tuple[Any, ...] = ("", "", 0)
    while True:
        rows = fetch(
            "SELECT account_id, level, since, sums FROM costs WHERE (account_id, level, since) > (?, ?, ?) "
            "ORDER BY account_id, level, since LIMIT ?",
            (*after, ROWS_AT_ONCE),
        )
        for account, level, since, sums in rows:
            for part in sums.split():
                group, billed, spread = part.split(":")
                alike = groups.get((account, group))
                if alike is None:
                    yield f"costs of account {account} have the group {group}, which it has not got"
                    continue
                key = (account, since, *_plain(account, alike, crowded))
                into[level][key] += int(billed)
                into["Spread"][key] += int(spread)
        if len(rows) < ROWS_AT_ONCE:
            return
        after = tuple(rows[-1][:3])


def _plain(account: str, alike: _Key, crowded: set[str]) -> _Key:
    """Return the properties that are compared: in an account with too many groups no service, project or tags."""
    if account in crowded:
        return alike[:4]
    return (*alike[:6], _sorted(alike[6]))


def _sorted(tags: str) -> str:
    return "{}" if tags == "{}" else repr(sorted(msgspec.json.decode(tags, type=dict[str, str]).items()))


def _made_of(stored: _Sums, zones: dict[str, ZoneInfo]) -> Iterator[str]:
    """Check that hours make up days, and days months."""
    for short, long in (("Hour", "Day"), ("Day", "Month")):
        sums: Counter[_Key] = Counter()
        for (account, since, *alike), amount in stored[short].items():
            if account in zones:
                sums[account, _start(since, zones[account], long), *alike] += amount
        for key in sorted(sums.keys() | stored[long].keys(), key=repr):
            if sums[key] != stored[long][key]:
                yield (
                    f"costs of account {key[0]} by {long.lower()} {_written(key[1])}: the sum is {stored[long][key]} "
                    f"micro, and those by {short.lower()} make up {sums[key]}"
                )


def _charged(
    fetch: Fetch, mark: int, zones: dict[str, ZoneInfo], crowded: set[str], into: _Sums, archived: set[_Key]
) -> None:
    """Sum all postings up to the mark that charge something."""
    rows = fetch(
        f"SELECT account_id, at, kind, region, type, created_by, service_id, project_id, tags, max(minutes), "
        f"{parts_of('amount')} FROM (SELECT p.account_id, p.at, p.kind, u.region, u.type, u.created_by, u.service_id, "
        f"{PROJECT} AS project_id, {TAGS} AS tags, p.minutes, {CHARGED} AS amount FROM postings p "
        "JOIN units u ON u.seq = p.unit WHERE p.seq <= ?) AS charged "
        "GROUP BY account_id, at, kind, region, type, created_by, service_id, project_id, tags",
        (mark,),
    )
    for account, at, *alike, minutes, high, low in rows:
        zone, plain = zones[account], _plain(account, tuple(alike), crowded)
        for level in ("Hour", "Month"):
            into[level][account, _start(at, zone, level), *plain] += total(high, low)
        if (minutes or 0) > _HOUR_MINUTES:
            archived.add((account, _start(at, zone, "Month")))


def _spread(fetch: Fetch, mark: int, zones: dict[str, ZoneInfo], crowded: set[str], into: _Sums) -> None:
    """Spread what was paid in advance over its months: as much as has passed of the time, rounded down."""
    rows = fetch(
        "SELECT p.account_id, p.unit_id, p.at, p.amount, p.since, p.until, p.kind, u.region, u.type, u.created_by, "
        f"u.service_id, {PROJECT}, {TAGS} FROM postings p JOIN units u ON u.seq = p.unit "
        "WHERE p.kind <> 'Usage' AND p.seq <= ? ORDER BY p.unit_id, p.seq",
        (mark,),
    )
    open_ones: list[tuple[Any, ...]] = []
    last = None
    for account, unit, at, amount, since, until, *alike in rows:
        if unit != last:
            _close(open_ones, zones, into)
            open_ones, last = [], unit
        plain = _plain(account, tuple(alike), crowded)
        if alike[0] == "Refund":
            paid = [
                place
                for place, one in enumerate(open_ones)
                if one[2][0] in ("Purchase", "Resize") and one[1] == amount and one[5] is None
            ]
            if paid:
                open_ones[paid[-1]] = (*open_ones[paid[-1]][:5], at)
            else:
                open_ones.append((account, -amount, plain, at, at, None))
            continue
        begin = at if since is None else max(at, since)
        open_ones.append((account, amount, plain, begin, begin if until is None else max(begin, until), None))
    _close(open_ones, zones, into)


def _close(payments: list[tuple[Any, ...]], zones: dict[str, ZoneInfo], into: _Sums) -> None:
    for account, amount, plain, begin, end, refunded in payments:
        zone = zones[account]
        months = [_start(begin, zone, "Month")]
        while months[-1] <= max(begin, end, refunded or 0):
            months.append(_next_month(months[-1], zone))
        done = 0
        for since, until in itertools.pairwise(months):
            if refunded is not None and until > refunded:
                passed = 0
            elif end > begin:
                passed = amount * max(0, min(until, end) - begin) // (end - begin)
            else:
                passed = amount if until > begin else 0
            into["Spread"][account, since, *plain] += passed - done
            done = passed


def _local(at: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def _instant(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _start(at: int, zone: tzinfo, level: str) -> int:
    """Return when the hour, day or month of a moment begins, on clocks that show full hours when they change."""
    moment = _local(at, zone)
    day = _instant(moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))
    if level == "Day":
        return day
    if level == "Month":
        return _instant(moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0))
    # The same offset holds from the last full hour on, unless the clocks changed meanwhile by part of an hour.
    begun = _instant(moment) - (moment.minute * 60 + moment.second) * 10**6 - moment.microsecond
    if _local(begun, zone).minute or _local(begun, zone).utcoffset() != moment.utcoffset():
        begun = _before_the_change(begun, at, zone)
    return max(day, begun)


def _before_the_change(begun: int, at: int, zone: tzinfo) -> int:
    """Return the last full hour at or before a moment, where the clocks changed since the one that they would show."""
    low, high = begun - 1, at
    offset = _local(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _local(middle, zone).utcoffset() == offset else (low, middle)
    if not _local(high, zone).minute:
        return high
    moment = _local(low, zone)
    return low - (moment.minute * 60 + moment.second) * 10**6 - moment.microsecond


def _next_month(since: int, zone: tzinfo) -> int:
    moment = _local(since, zone)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return _instant(
        moment.replace(year=year, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    )


def _written(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat()
