"""Checks of events against instances, and of limits against the usage that they count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from leasebook.domain.model.instance import UP
from leasebook.domain.record.event import Event, types_mask
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.money import Micro, amount_text
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.packing import unpacked
from leasebook.store.rows.postings import OF_ACCOUNT
from leasebook.store.rows.sums import parts_of, total
from leasebook.store.verify.nouns.identities import Identities
from leasebook.store.verify.nouns.stories import BESIDES, WHOLE, StoredRow, Stories, Story
from leasebook.store.verify.spending.tag_budgets import check_tag_budgets
from leasebook.store.verify.tag_events import TagEvents

if TYPE_CHECKING:
    from leasebook.store.verify.approvals import Requests

PAGES_AT_ONCE: Final = 500
"""Pages of events in memory at once."""
ROWS_AT_ONCE: Final = 5_000
"""Instances in memory at once while they are distributed to files."""
TAGS_SHOWN_MAX: Final = 20
"""Upper bound of the findings about names and tags."""
UNITS_BEFORE_EVENTS: Final = "units_before_events"
"""The metadata row with the number of the last instance bought before there were events; 0 in a newer store."""
_decoded: Final = msgspec.json.Decoder(tuple[Event, ...]).decode
_counts: Final = msgspec.json.Decoder(dict[str, dict[str, int]]).decode
_amounts: Final = msgspec.json.Decoder(dict[str, Micro]).decode


def _events(text: bytes | str) -> tuple[Event, ...] | None:
    """Parse a page; None if it is damaged."""
    try:
        return _decoded(unpacked(text))
    except msgspec.DecodeError:
        return None


def check_limits(fetch: Fetch) -> Iterator[str]:
    """Compare the usage in an account's limits with the units reserved by its users and the month's postings."""
    rows = fetch(
        "SELECT g.account_id, g.held, g.month, g.spent, a.time_zone, g.rules, g.tag_spent, g.project_units, "
        "g.project_spent FROM guards g LEFT JOIN accounts a ON a.id = g.account_id ORDER BY g.account_id",
        (),
    )
    for account, held_text, month, spent_text, zone, rules, by_tag, *by_project in rows:
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

        yield from _of_projects(fetch, account, month, zone, *by_project)
        yield from check_tag_budgets(fetch, account, month, zone, rules, by_tag)


def _of_projects(fetch: Fetch, account: str, month: str, zone: str, units_text: str, spent_text: str) -> Iterator[str]:
    """Compare the usage of an account's projects with their units and postings; the default one's is the rest."""
    held = {(name, kind): count for name, kinds in _counts(units_text).items() for kind, count in kinds.items()}
    found = {(name, kind): int(count) for name, kind, count in fetch(_HELD_IN_PROJECTS, (account,))}
    for name, kind in sorted(held.keys() | found.keys()):
        said, has = held.get((name, kind), 0), found.get((name, kind), 0)
        if said != has:
            yield f"account {account} counts {said} units of {kind} for the project {name}, which holds {has}"
    spent, charged = _amounts(spent_text), _spent(fetch, account, month, zone, _SPENT_IN_PROJECTS)
    for name in sorted(spent.keys() | charged.keys()):
        counted, was = spent.get(name, Micro(0)), charged.get(name, Micro(0))
        if counted != was:
            yield (
                f"account {account} counts {amount_text(counted)} in {month} for the project {name}, whose postings "
                f"sum up to {amount_text(was)}"
            )


_HELD_IN_PROJECTS: Final = (
    "SELECT project_id, type, sum(CASE WHEN target_count > count THEN target_count ELSE count END) FROM units "
    f"WHERE {OF_ACCOUNT} AND status NOT IN ('Released', 'CreateFailed') AND project_id IS NOT NULL "
    "GROUP BY project_id, type"
)
_HELD: Final = (
    "SELECT created_by, type, sum(CASE WHEN target_count > count THEN target_count ELSE count END) FROM units "
    f"WHERE {OF_ACCOUNT} AND status NOT IN ('Released', 'CreateFailed') GROUP BY created_by, type"
)
_MOVED: Final = "CASE WHEN p.credit = 'wallet:' || p.account_id THEN -p.amount ELSE p.amount END"
_SPENT: Final = (
    f"SELECT u.created_by, {parts_of(_MOVED)} FROM postings p JOIN units u ON u.seq = p.unit "
    f"WHERE p.{OF_ACCOUNT} AND p.at >= ? AND p.at < ? GROUP BY u.created_by"
)


_SPENT_IN_PROJECTS: Final = (
    f"SELECT p.project_id, {parts_of(_MOVED)} FROM postings p WHERE p.{OF_ACCOUNT} AND p.at >= ? AND p.at < ? "
    "AND p.unit_id IS NOT NULL AND p.project_id IS NOT NULL GROUP BY p.project_id"
)


def _spent(fetch: Fetch, account: str, month: str, zone: str, text: str = _SPENT) -> dict[str, Micro]:
    if not month:
        return {}
    year, number = map(int, month.split("-"))
    began, ended = month_of(year, number, zone)
    return {user: Micro(total(*sums)) for user, *sums in fetch(text, (account, began, ended))}


def check_events(fetch: Fetch, identities: Identities, requests: Requests) -> Iterator[str]:
    """Check pages of events: their summaries, their index by instance, and the rows that they report.

    Events of accounts, users and keys are passed to ``identities``, and those of approvals to ``requests``.
    """
    ((units,),) = fetch("SELECT count(*) FROM units", ())
    tags = TagEvents()
    with closing(Stories(units)) as stories:
        yield from _check_pages(fetch, stories, identities, requests, tags)
        lost = fetch(
            "SELECT e.unit_id, e.page FROM event_units e LEFT JOIN event_pages p ON p.seq = e.page "
            "WHERE p.seq IS NULL LIMIT 1000",
            (),
        )
        for unit, page in lost:
            yield f"unit {unit} has events on page {page}, which does not exist"
        yield from _check_stories(fetch, stories)
    yield from tags.findings(fetch, lambda: _all_events(fetch), TAGS_SHOWN_MAX)


def _all_events(fetch: Fetch) -> Iterator[tuple[str, Event]]:
    """Yield the account and the event of each readable page's events."""
    for rows in _pages(fetch):
        for _, account, *_, text in rows:
            yield from ((account, event) for event in _events(text) or ())


def _check_pages(
    fetch: Fetch, stories: Stories, identities: Identities, requests: Requests, tags: TagEvents
) -> Iterator[str]:
    """Check that each page can be read and has the times and types that it states. Its events go to the stories."""
    for rows in _pages(fetch):
        for seq, account, first_at, last_at, types, text in rows:
            events = _events(text)
            if events is None:
                yield f"page {seq} of the events of account {account} cannot be read"
                continue
            for event in events:
                stories.tell(seq, account, event)
                identities.tell(seq, account, event)
                requests.tell(account, event)
                tags.tell(seq, account, event)
            times = [event.at for event in events]
            if not times or (min(times), max(times)) != (first_at, last_at):
                yield f"page {seq} of the events of account {account} is of other times than it says"
            if types != types_mask({event.type for event in events}):
                yield f"page {seq} of the events of account {account} is of other types than it says"


def _check_stories(fetch: Fetch, stories: Stories) -> Iterator[str]:
    """Compare each instance's row with its events, and the index with the pages that have them.

    For an instance that is older than events, only the fields that events have reported since are compared.
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
        for page in sorted(story.reported_on ^ story.listed_on):
            yield f"page {page} of the events and unit {story.unit_id} disagree"
        if story.row is not None:
            yield from _compared(story, story.row, is_new=before is not None and story.row.seq > before)
        elif story.bought_by is not None:
            yield f"unit {story.unit_id} was bought, as its events tell, and does not exist"


def units_before_events(fetch: Fetch) -> int | None:
    """Return the number of the last instance that is older than events."""
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
    for name, reported in story.reported.items():
        # While an engine tries to start it, the row has the reason of the last failure, and no event reports that.
        if name == "failure" and reported is None and row["status"] not in UP:
            continue
        if reported != row[name]:
            yield f"unit {unit} has {name} {row[name]}, and its events tell {reported}"
    if is_new:
        for name, reported in story.tally.columns().items():
            # A prepaid instance has no meter, and one without reminders has no time of the last one.
            is_said = {
                "meter_from": row["payment_timing"] == "Postpaid",
                "reminded_at": row[name] is not None,
                "extensions": story.tally.counts_extensions,
            }
            if reported != row[name] and is_said.get(name, True):
                yield f"unit {unit} has {name} {row[name]}, and its events tell {reported}"


def _pages(fetch: Fetch) -> Iterator[list[tuple[Any, ...]]]:
    seq = -1
    while rows := fetch(
        "SELECT seq, account_id, first_at, last_at, types, events FROM event_pages WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, PAGES_AT_ONCE),
    ):
        seq = rows[-1][0]
        yield rows
