"""Proving what accounts are told and limited by: events against instances, and limits against what counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import msgspec

from leasebook.domain.model.instance import UP
from leasebook.domain.record.event import Event, types_mask
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.money import Micro, amount_text
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.queries.sums import parts_of, total
from leasebook.store.rows.packing import unpacked
from leasebook.store.verify.nouns.identities import Identities
from leasebook.store.verify.nouns.stories import BESIDES, WHOLE, StoredRow, Stories, Story

PAGES_AT_ONCE: Final = 500
"""Pages of events that are in memory at once."""
ROWS_AT_ONCE: Final = 5_000
"""Instances that are in memory at once on the way to their stories."""
UNITS_BEFORE_EVENTS: Final = "units_before_events"
"""The fact that says the number of the last unit that was bought before there were events; 0 in a newer store."""
_decoded: Final = msgspec.json.Decoder(tuple[Event, ...]).decode
_counts: Final = msgspec.json.Decoder(dict[str, dict[str, int]]).decode
_amounts: Final = msgspec.json.Decoder(dict[str, Micro]).decode


def _events(text: bytes | str) -> tuple[Event, ...] | None:
    """Read a page; None where somebody wrote something else there."""
    try:
        return _decoded(unpacked(text))
    except msgspec.DecodeError:
        return None


def check_limits(fetch: Fetch) -> Iterator[str]:
    """What counts against an account's limits: the units that its users hold, and the month's postings."""
    rows = fetch(
        "SELECT g.account_id, g.held, g.month, g.spent, a.time_zone FROM guards g "
        "LEFT JOIN accounts a ON a.id = g.account_id ORDER BY g.account_id",
        (),
    )
    for account, held_text, month, spent_text, zone in rows:
        if zone is None:
            yield f"account {account} has limits and does not exist"
            continue
        held = {(user, kind): count for user, kinds in _counts(held_text).items() for kind, count in kinds.items()}
        found = {(user, kind): int(count) for user, kind, count in fetch(_HELD, (account,))}
        for user, kind in sorted(held.keys() | found.keys()):
            said, has = held.get((user, kind), 0), found.get((user, kind), 0)
            if said != has:
                yield f"account {account} counts {said} units of {kind} for {user}, who holds {has}"
        spent, charged = _amounts(spent_text), _spent(fetch, account, month, zone)
        for user in sorted(spent.keys() | charged.keys()):
            counted, was = spent.get(user, Micro(0)), charged.get(user, Micro(0))
            if counted != was:
                yield (
                    f"account {account} counts {amount_text(counted)} in {month} for {user}, whose postings sum up to "
                    f"{amount_text(was)}"
                )


_HELD: Final = (
    "SELECT created_by, type, sum(CASE WHEN target_count > count THEN target_count ELSE count END) FROM units "
    "WHERE account_id = ? AND status NOT IN ('Released', 'CreateFailed') GROUP BY created_by, type"
)
_MOVED: Final = "CASE WHEN p.credit = 'wallet:' || p.account_id THEN -p.amount ELSE p.amount END"
_SPENT: Final = (
    f"SELECT u.created_by, {parts_of(_MOVED)} FROM postings p JOIN units u ON u.id = p.unit_id "
    "WHERE p.account_id = ? AND p.at >= ? AND p.at < ? GROUP BY u.created_by"
)


def _spent(fetch: Fetch, account: str, month: str, zone: str) -> dict[str, Micro]:
    if not month:
        return {}
    year, number = map(int, month.split("-"))
    began, ended = month_of(year, number, zone)
    return {user: Micro(total(*sums)) for user, *sums in fetch(_SPENT, (account, began, ended))}


def check_events(fetch: Fetch, identities: Identities) -> Iterator[str]:
    """Pages of events are what they say they are, stand under the instances that they tell of, and tell their rows.

    What they tell of accounts, users and keys goes to ``identities``.
    """
    ((units,),) = fetch("SELECT count(*) FROM units", ())
    with closing(Stories(units)) as stories:
        yield from _check_pages(fetch, stories, identities)
        lost = fetch(
            "SELECT e.unit_id, e.page FROM event_units e LEFT JOIN event_pages p ON p.seq = e.page "
            "WHERE p.seq IS NULL LIMIT 1000",
            (),
        )
        for unit, page in lost:
            yield f"unit {unit} has events on page {page}, which does not exist"
        yield from _check_stories(fetch, stories)


def _check_pages(fetch: Fetch, stories: Stories, identities: Identities) -> Iterator[str]:
    """Each page can be read and is of the times that it says. What it tells goes to the stories."""
    for rows in _pages(fetch):
        for seq, account, first_at, last_at, types, text in rows:
            events = _events(text)
            if events is None:
                yield f"page {seq} of the events of account {account} cannot be read"
                continue
            for event in events:
                stories.tell(seq, account, event)
                identities.tell(seq, account, event)
            times = [event.at for event in events]
            if not times or (min(times), max(times)) != (first_at, last_at):
                yield f"page {seq} of the events of account {account} is of other times than it says"
            if types != types_mask({event.type for event in events}):
                yield f"page {seq} of the events of account {account} is of other types than it says"


def _check_stories(fetch: Fetch, stories: Stories) -> Iterator[str]:
    """All events of an instance, one after another, tell what its row says, and it lists the pages where they stand.

    Of one that is older than events only what was told since is compared.
    """
    before = units_before_events(fetch)
    if before is None:
        yield "the store does not say from which unit on events tell of purchases: bring it up to date first"
    last = 0
    while rows := fetch(
        f"SELECT seq, id, account_id, {', '.join((*WHOLE, *BESIDES))} FROM units WHERE seq > ? ORDER BY seq LIMIT ?",
        (last, ROWS_AT_ONCE),
    ):
        last = rows[-1][0]
        for seq, unit, account, *values in rows:
            stories.row(unit, account, seq, values)
    listed = ("", 0)
    while rows := fetch(
        "SELECT unit_id, page FROM event_units WHERE (unit_id, page) > (?, ?) ORDER BY unit_id, page LIMIT ?",
        (*listed, ROWS_AT_ONCE),
    ):
        listed = rows[-1]
        for unit, page in rows:
            stories.listed(unit, page)
    for story in stories.stories():
        for page in sorted(story.told_on ^ story.listed_on):
            yield f"page {page} of the events and unit {story.unit_id} disagree"
        if story.row is not None:
            yield from _compared(story, story.row, is_new=before is not None and story.row.seq > before)


def units_before_events(fetch: Fetch) -> int | None:
    """Return the number of the last unit that is older than events."""
    found = fetch("SELECT value FROM facts WHERE name = ?", (UNITS_BEFORE_EVENTS,))
    return int(found[0][0]) if found and found[0][0].isdigit() else None


def _compared(story: Story, stored: StoredRow, *, is_new: bool) -> Iterator[str]:
    unit, account, row = story.unit_id, stored.account_id, stored.values
    if not is_new and story.bought_by is not None:
        yield f"unit {unit} is older than events, and one tells that it was bought"
    if is_new and story.bought_by is None:
        yield f"unit {unit} was bought, and no event tells of it"
    elif story.bought_by not in (None, account):
        yield f"unit {unit} belongs to account {account}, and its events tell another account of it"
    for name, told in story.told.items():
        # Why it cannot begin to run is in the row while it is tried, and no event tells of it.
        if name == "failure" and told is None and row["status"] not in UP:
            continue
        if told != row[name]:
            yield f"unit {unit} has {name} {row[name]}, and its events tell {told}"
    if is_new:
        for name, told in story.tally.columns().items():
            # Prepaid there is no meter; and what is reminded of nothing any more has forgotten of what it was.
            is_said = {
                "meter_from": row["payment_timing"] == "Postpaid",
                "reminded_at": row[name] is not None,
                "extensions": story.tally.counts_extensions,
            }
            if told != row[name] and is_said.get(name, True):
                yield f"unit {unit} has {name} {row[name]}, and its events tell {told}"


def _pages(fetch: Fetch) -> Iterator[list[tuple[Any, ...]]]:
    seq = -1
    while rows := fetch(
        "SELECT seq, account_id, first_at, last_at, types, events FROM event_pages WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, PAGES_AT_ONCE),
    ):
        seq = rows[-1][0]
        yield rows
