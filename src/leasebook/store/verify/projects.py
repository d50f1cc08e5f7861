"""Checks of projects: of charges, by the moves of their instances, and of the projects that policies are for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Final, NamedTuple

import msgspec

from leasebook.domain.model.account import ProjectPolicy
from leasebook.domain.model.resource.project import DEFAULT_PROJECT, public_project
from leasebook.domain.record.event import MOVED, Event, types_mask
from leasebook.domain.values.calendar import MINUTE_US
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.packing import unpacked
from leasebook.store.rows.postings import OF_UNIT

ROWS_AT_ONCE: Final = 5_000
FOREVER: Final = 2**63
_policies_of: Final = msgspec.json.Decoder(tuple[ProjectPolicy, ...]).decode
_decoded: Final = msgspec.json.Decoder(tuple[Event, ...]).decode


class Period(NamedTuple):
    """A period in which an instance belonged to a project."""

    since: int
    until: int
    project: str


def project_findings(fetch: Fetch, limit: int) -> Iterator[str]:
    """Yield a line for each charge that is in another project than its instance was in then, at most ``limit``."""
    moves: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for unit, at, data in _moves(fetch):
        moves.setdefault(unit, []).append((at, data))
    yield from islice(chain(_policies(fetch), _findings(fetch, moves)), limit)


def _policies(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each policy that a user has for a project which the user's account does not have."""
    last = ""
    while rows := fetch(
        "SELECT id, account_id, project_policies FROM users WHERE id > ? AND project_policies <> '[]' "
        "ORDER BY id LIMIT ?",
        (last, ROWS_AT_ONCE),
    ):
        last = rows[-1][0]
        for user, account_id, text in rows:
            try:
                held = _policies_of(text)
            except msgspec.DecodeError:
                # The check of identities reports the user.
                continue
            named = {project_id for one in held for project_id in one.project_ids if project_id != DEFAULT_PROJECT}
            for project_id in sorted(named):
                owners = fetch("SELECT account_id FROM projects WHERE id = ?", (project_id,))
                if [tuple(owner) for owner in owners] != [(account_id,)]:
                    yield f"user {user} has a policy for the project {project_id}, which its account does not have"


def _findings(fetch: Fetch, moves: dict[str, list[tuple[int, dict[str, Any]]]]) -> Iterator[str]:
    for (seq,) in fetch("SELECT seq FROM posting_rows WHERE project_id IS NOT NULL AND unit IS NULL LIMIT 1000", ()):
        yield f"posting {seq} is for no instance, and in a project"
    last = 0
    while rows := fetch(
        "SELECT p.seq, p.unit_id, p.project_id, u.project_id FROM postings p JOIN units u ON u.seq = p.unit "
        "WHERE p.seq > ? AND coalesce(p.project_id, '') <> coalesce(u.project_id, '') ORDER BY p.seq LIMIT ?",
        (last, ROWS_AT_ONCE),
    ):
        last = rows[-1][0]
        for seq, unit, charged, project in rows:
            if unit not in moves:
                yield (
                    f"posting {seq} charges the project {public_project(charged)}, and unit {unit} was always in "
                    f"{public_project(project)}"
                )
    for unit, moved_at in moves.items():
        yield from _moved(fetch, unit, moved_at)


def _moves(fetch: Fetch) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield the moves of instances, in their order."""
    bit, last = types_mask([MOVED]), -1
    while rows := fetch(
        f"SELECT seq, events FROM event_pages WHERE seq > ? AND types & {bit} <> 0 ORDER BY seq LIMIT ?",
        (last, ROWS_AT_ONCE),
    ):
        last = rows[-1][0]
        for _, text in rows:
            try:
                events = _decoded(unpacked(text))
            except msgspec.DecodeError:
                # The check of events reports the page.
                continue
            yield from ((one.unit_id, one.at, one.data) for one in events if one.type == MOVED and one.unit_id)


def _moved(fetch: Fetch, unit: str, moved_at: list[tuple[int, dict[str, Any]]]) -> Iterator[str]:
    periods, since, project = [], 0, str(moved_at[0][1].get("formerProjectId"))
    for at, data in moved_at:
        if data.get("formerProjectId") != project:
            yield f"unit {unit} was moved from the project {data.get('formerProjectId')}, and it was in {project}"
        periods.append(Period(since, at, project))
        since, project = at, str(data.get("projectId"))
    periods.append(Period(since, FOREVER, project))
    for seq, kind, begin, minutes, charged in fetch(
        f"SELECT seq, kind, since, minutes, project_id FROM posting_rows WHERE {OF_UNIT} ORDER BY seq", (unit,)
    ):
        own = [period for period in periods if period.project == public_project(charged)]
        is_metered = kind == "Usage" and begin is not None and minutes is not None
        if not any(not is_metered or _has(period, begin, minutes) for period in own):
            yield f"posting {seq} charges the project {public_project(charged)}, and unit {unit} was not in it then"


def _has(period: Period, begin: int, minutes: int) -> bool:
    """Whether all minutes of a charge begin in a period.

    Units that are added to a minute which was charged to the former project are charged to the new one.
    """
    grown = MINUTE_US - 1 if minutes == 1 else 0
    return begin + (minutes - 1) * MINUTE_US < period.until and begin >= period.since - grown
