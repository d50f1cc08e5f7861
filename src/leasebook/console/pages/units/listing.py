"""The list of units as a reader has filtered, sorted and searched it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from leasebook.console.desk import Desk
from leasebook.console.frame.formats import moment
from leasebook.contract.action import IAM, PROJECT, UNITS
from leasebook.contract.nouns.instance import ComputeUnitInstance

AT_ONCE: Final = 1000
"""Units that are read, sorted and searched together; the API gives no more at a time."""
PAGE: Final = 50
FILTERS: Final = ("status", "type", "region", "paymentTiming", "projectId", "userId")
USERS_MAX: Final = 200
"""Users whom the filter lists."""


def end_of(unit: ComputeUnitInstance) -> str | None:
    """Return when a unit ends by itself: its release, or the end of its term."""
    return unit.release_time or (unit.expired_time if unit.payment_timing == "Prepaid" else None)


def _end(unit: ComputeUnitInstance) -> float:
    end = end_of(unit)
    return float("inf") if end is None else moment(end).timestamp()


SORTS: Final[dict[str, Callable[[ComputeUnitInstance], Any]]] = {
    "bought": lambda _unit: 0,
    "end": _end,
    "name": lambda unit: (unit.name or "\uffff", unit.instance_id),
    "type": lambda unit: (unit.type, unit.region),
    "units": lambda unit: unit.total_compute_units,
    "status": lambda unit: unit.status,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes of the reader. ``marker`` is where the thousand begins, ``page`` counts from 1 within it."""

    filters: dict[str, str]
    tag: str = ""
    search: str = ""
    sort: str = "end"
    is_down: bool = False
    page: int = 1
    marker: str = ""

    def query(self, **changed: object) -> dict[str, object]:
        """Return the query of the list's address, with changes."""
        asked: dict[str, object] = {
            **self.filters,
            "tag": self.tag,
            "q": self.search,
            "sort": self.sort if self.sort != "end" else "",
            "down": "1" if self.is_down else "",
            "page": self.page if self.page > 1 else "",
            "marker": self.marker,
        }
        return asked | changed

    def sorted_by(self, name: str) -> dict[str, object]:
        """Return the query of the list sorted by a column: the other way round where it is already."""
        down = "1" if name == self.sort and not self.is_down else ""
        return self.query(sort=name if name != "end" else "", down=down, page="")


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list. ``found`` counts all that fit; ``next_marker``: more than a thousand were bought."""

    units: list[ComputeUnitInstance]
    found: int
    pages: int
    next_marker: str | None


def wanted_by(desk: Desk) -> Wanted:
    """Read the query of the list's address."""
    page = desk.asked("page")
    return Wanted(
        filters={name: desk.asked(name) for name in FILTERS if desk.asked(name)},
        tag=desk.asked("tag"),
        search=desk.asked("q"),
        sort=desk.asked("sort") if desk.asked("sort") in SORTS else "end",
        is_down=desk.asked("down") == "1",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1,  # noqa: PLR2004 - digits
        marker=desk.asked("marker"),
    )


def body_of(wanted: Wanted) -> dict[str, Any]:
    """Return the filters as DescribeComputeUnits takes them. Raises ValueError where there is no tag to the text."""
    body: dict[str, Any] = dict(wanted.filters)
    if wanted.tag:
        key, sign, value = wanted.tag.partition("=")
        body["tags"] = {key.strip(): value.strip() if sign else None}
    return body


async def listed(desk: Desk, wanted: Wanted) -> Listed:
    """Read, sort and search. Raises Fault."""
    body = body_of(wanted) | {"maxKeys": AT_ONCE} | ({"marker": wanted.marker} if wanted.marker else {})
    answer = await desk.do(UNITS, "DescribeComputeUnits", body)
    units = [unit for unit in answer.compute_unit_instance_list if fits(unit, wanted.search)]
    units.sort(key=SORTS[wanted.sort], reverse=wanted.is_down)
    pages = max(1, -(-len(units) // PAGE))
    begin = (min(wanted.page, pages) - 1) * PAGE
    return Listed(units=units[begin : begin + PAGE], found=len(units), pages=pages, next_marker=answer.next_marker)


def fits(unit: ComputeUnitInstance, search: str) -> bool:
    """Whether every word of a search is part of a unit's id, name, type, region or tags."""
    if not search:
        return True
    tags = " ".join(f"{key}={value}" for key, value in (unit.tags or {}).items())
    text = f"{unit.instance_id} {unit.name or ''} {unit.type} {unit.region} {tags}".lower()
    return all(word in text for word in search.lower().split())


async def buyers(desk: Desk, wanted: str) -> dict[str, str]:
    """Return the names of users by whom the list can be filtered: all that the reader may see, or only the own one."""
    answer, _ = await desk.try_to(IAM, "DescribeUsers", {"maxKeys": USERS_MAX})
    user = desk.session.user
    found = {user.id: user.name} if answer is None else {one.user_id: one.name for one in answer.users}
    # A link may name a user who is not in the list, for example a deleted one.
    return found | ({wanted: wanted} if wanted and wanted not in found else {})


async def projects(desk: Desk) -> dict[str, str]:
    """Return the names of the account's projects by their ids; none where the user may not see them."""
    answer, _ = await desk.try_to(PROJECT, "DescribeProjects", {"maxKeys": AT_ONCE})
    return {} if answer is None else {one.project_id: one.name for one in answer.projects}
