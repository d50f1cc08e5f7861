"""The limits of the account, how much of them is used, and the text in which they are changed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault
from leasebook.console.desk import Desk
from leasebook.console.frame.formats import amount, count
from leasebook.console.navigation import marked
from leasebook.console.pages.overview.figures import share
from leasebook.console.pages.units.listing import projects
from leasebook.contract import errors as e
from leasebook.contract.action import ACCOUNT

OTHERS: Final = "*"
MOVERS: Final[dict[str, str]] = {
    "anybody": marked("every user who may set release times"),
    "buyer": marked("the user who bought it"),
    "managers": marked("only managers of the account"),
}
"""Who may move a release time to later."""


class Row(NamedTuple):
    """A limit: its name, its value, and how much of it is used, in words and in percent where that is counted."""

    name: str
    limit: str
    used: str = ""
    percent: float | None = None


class Group(NamedTuple):
    """The limits of the account, of a user, of a project or of a tag."""

    title: str
    rows: list[Row]


async def limits(desk: Desk) -> Response:
    """Show the limits and the use of them, and the text in which they are changed."""
    found = await desk.do(ACCOUNT, "DescribeGuardRails")
    shown = msgspec.json.format(msgspec.json.encode(found.limits), indent=2).decode()
    groups = groups_of(desk, found, await projects(desk))
    return desk.page("admin/limits.html", groups=groups, text=desk.typed("limits", shown))


async def set_limits(desk: Desk) -> Response:
    """Replace the limits by those of the text."""
    try:
        given = msgspec.json.decode(desk.field("limits"))
    except (msgspec.DecodeError, RecursionError) as error:
        said = desk.gettext("This text is not JSON:")
        raise Fault(e.INAPPROPRIATE_JSON, f"{said} {error}") from error
    await desk.do(ACCOUNT, "SetGuardRails", {"limits": given, "replace": True})
    return desk.go("/admin/limits", done="limits-set")


def groups_of(desk: Desk, found: Any, project_names: Mapping[str, str]) -> list[Group]:
    """Return the limits that there are, in the reader's words."""
    limits, used = found.limits, found.used
    rows = _bounds(desk, limits, {} if used is None else used.units, None if used is None else used.spend)
    rows += _movers(desk, limits) + _approval(desk, limits.needs_approval)
    groups = [Group(desk.gettext("The account"), rows)]
    units, spend, asks = (one or {} for one in (limits.user_units, limits.user_spend, limits.user_needs_approval))
    for user in sorted({*units, *spend, *asks}):
        others = user == OTHERS or used is None
        rows = _units(desk, units.get(user), {} if others else used.user_units.get(user, {}), counted=not others)
        rows += _money(
            desk, desk.gettext("Charges of a month, at most"), spend.get(user), None if others else _spent(used, user)
        )
        rows += _approval(desk, asks.get(user))
        name = desk.gettext("Each other user") if user == OTHERS else user
        groups.append(Group(name if used is None else used.user_names.get(user, name), rows))
    for project, one in sorted((limits.projects or {}).items()):
        of = None if used is None else used.projects.get(project)
        rows = _bounds(desk, one, {} if of is None else of.units, "0" if of is None else of.spend)
        groups.append(Group(desk.gettext("Project %s") % project_names.get(project, project), rows))
    for key, values in sorted((limits.tags or {}).items()):
        for value, one in sorted(values.items()):
            spent = "0" if used is None else used.tag_spend.get(key, {}).get(value, "0")
            groups.append(Group(f"{key}={value}", _budget(desk, one, spent)))
    return [group for group in groups if group.rows]


def _spent(used: Any, user: str) -> str:
    return str(used.user_spend.get(user, "0"))


def _bounds(desk: Desk, limits: Any, units: Mapping[str, int], spent: str | None) -> list[Row]:
    """Return the limits that accounts and projects share."""
    rows = _budget(desk, limits, spent)
    rows += _money(desk, desk.gettext("Charges of a month, at most"), limits.spend, spent)
    rows += _units(desk, limits.units, units, counted=True)
    if limits.release_max_seconds is not None:
        rows.append(Row(desk.gettext("A release is at most ahead"), desk.span(limits.release_max_seconds)))
    if limits.release_default_seconds is not None:
        rows.append(
            Row(desk.gettext("Without a release time it is released after"), desk.span(limits.release_default_seconds))
        )
    if limits.end_required:
        rows.append(Row(desk.gettext("Release time"), desk.gettext("every postpaid instance must have one")))
    return rows


def _movers(desk: Desk, limits: Any) -> list[Row]:
    rows = []
    if limits.extend_by is not None:
        rows.append(Row(desk.gettext("Release times are moved to later by"), desk.gettext(MOVERS[limits.extend_by])))
    if limits.extensions_max is not None:
        said = desk.ngettext("%(num)s time", "%(num)s times", limits.extensions_max) % {"num": limits.extensions_max}
        rows.append(Row(desk.gettext("A release time is moved to later at most"), said))
    return rows


def _budget(desk: Desk, limits: Any, spent: str | None) -> list[Row]:
    rows = _money(desk, desk.gettext("Budget of a month"), limits.budget, spent)
    if limits.budget_warn_percent:
        percents = ", ".join(f"{one} %" for one in limits.budget_warn_percent)
        rows.append(Row(desk.gettext("An event is sent at"), percents))
    if limits.budget_refuse_percent is not None:
        rows.append(Row(desk.gettext("Purchases are refused from"), f"{limits.budget_refuse_percent} %"))
    return rows


def _approval(desk: Desk, limits: Any) -> list[Row]:
    """Return the limits above which a purchase waits for an approval."""
    if limits is None:
        return []
    said = [f"{count(most)} \N{MULTIPLICATION SIGN} {_type(desk, kind)}" for kind, most in (limits.units or {}).items()]
    said += [] if limits.cost is None else [f"{amount(limits.cost)} {desk.currency}"]
    said += [] if limits.release_seconds is None else [desk.span(limits.release_seconds)]
    if limits.months is not None:
        said.append(desk.ngettext("%(num)s month", "%(num)s months", limits.months) % {"num": limits.months})
    return [Row(desk.gettext("A purchase needs an approval above"), "; ".join(said))] if said else []


def _units(desk: Desk, limits: Mapping[str, int] | None, used: Mapping[str, int], *, counted: bool) -> list[Row]:
    return [
        Row(
            desk.gettext("Units of %s, at most") % _type(desk, kind),
            count(most),
            count(used.get(kind, 0)) if counted and kind != OTHERS else "",
            share(str(used.get(kind, 0)), str(most)) if counted and kind != OTHERS else None,
        )
        for kind, most in (limits or {}).items()
    ]


def _money(desk: Desk, name: str, limit: str | None, spent: str | None) -> list[Row]:
    if limit is None:
        return []
    used, percent = ("", None) if spent is None else (amount(spent), share(Decimal(spent), limit))
    return [Row(name, f"{amount(limit)} {desk.currency}", used, percent)]


def _type(desk: Desk, kind: str) -> str:
    return desk.gettext("every other type") if kind == OTHERS else kind
