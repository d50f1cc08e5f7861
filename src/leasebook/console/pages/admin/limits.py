"""The limits of the account, how much of them is used, and the forms in which they are changed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

from leasebook.api.fault import Fault, bad_field
from leasebook.console.desk import Desk
from leasebook.console.frame.formats import amount, count
from leasebook.console.navigation import marked
from leasebook.console.pages.admin.limit_rules import (
    EXAMPLES,
    MOVERS,
    OTHERS,
    RULES,
    Leaf,
    Scope,
    by_scope,
    change_of,
    field_of,
    leaves,
    read,
    typed,
)
from leasebook.console.pages.overview.figures import share
from leasebook.console.pages.units.listing import buyers, projects
from leasebook.contract import errors as e
from leasebook.contract.action import ACCOUNT, CATALOG

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    marked("Units and charges"): ("units", "spend"),
    marked("Budget"): ("budget", "budgetWarnPercent", "budgetRefusePercent"),
    marked("Release times"): (
        *("releaseMaxSeconds", "releaseDefaultSeconds", "endRequired", "extendBy", "extensionsMax"),
    ),
    marked("Approvals"): tuple(key for key in RULES if key.startswith("needsApproval")),
}
"""The rules as the list to choose from has them."""
WHOM: Final = {
    "account": marked("the account"),
    "user": marked("users"),
    "project": marked("projects"),
    "tag": marked("tags"),
}
"""By kind of scope: its name in a sentence."""
TYPES_MAX: Final = 1000
_PARAM: Final = re.compile(r" param\[(.*)\]$", re.DOTALL)


class Row(NamedTuple):
    """A limit: its name and value for people, how much of it is used, and its field.

    The field has ``typed``, and ``was`` is the value that is set: a field that has it is left as it is.
    """

    name: str
    limit: str
    used: str
    percent: float | None
    id: str
    how: str
    typed: str
    was: str
    removed: bool = False
    said: str = ""


class Group(NamedTuple):
    """The limits of the account, of a user, of a project or of a tag."""

    title: str
    whom: str
    rows: list[Row]


class Change(NamedTuple):
    """A changed limit: for whom it is, its name, and its value before and after."""

    title: str
    name: str
    before: str
    after: str


class Names(NamedTuple):
    """The names of users and projects by their ids."""

    users: Mapping[str, str]
    projects: Mapping[str, str]


async def limits(desk: Desk) -> Response:
    """Show the limits and the use of them, and the forms in which they are changed."""
    return await _page(desk, await desk.do(ACCOUNT, "DescribeGuardRails"))


async def set_limits(desk: Desk) -> Response:
    """Change limits by their rows, add one, or replace all by those of the text; show what became of them."""
    if "limits" in desk.fields:
        try:
            body = {"limits": msgspec.json.decode(desk.field("limits")), "replace": True}
        except (msgspec.DecodeError, RecursionError) as error:
            said = desk.gettext("This text is not JSON:")
            raise Fault(e.INAPPROPRIATE_JSON, f"{said} {error}") from error
    else:
        scope, changes = _added(desk) if desk.field("act") == "add" else _changed(desk)
        if not changes:
            return desk.go("/admin/limits")
        found = await desk.do(ACCOUNT, "DescribeGuardRails")
        body = {"limits": change_of(msgspec.to_builtins(found.limits), scope, changes)}
    done = await desk.do(ACCOUNT, "SetGuardRails", body)
    return await _page(desk, done)


async def _page(desk: Desk, found: Any) -> Response:
    names = Names(await buyers(desk, ""), await projects(desk))
    if found.used is not None:
        names = names._replace(users=dict(names.users) | found.used.user_names)
    wire = msgspec.to_builtins(found.limits)
    shown = msgspec.json.format(msgspec.json.encode(found.limits), indent=2).decode()
    may_set = desk.can(ACCOUNT, "SetGuardRails")
    offerings, _ = await desk.try_to(CATALOG, "DescribeOfferings", {"maxKeys": TYPES_MAX}) if may_set else (None, None)
    before = getattr(found, "before", None)
    return desk.page(
        "admin/limits.html",
        groups=groups_of(desk, wire, found.used, names),
        changes=[] if before is None else changes_of(desk, msgspec.to_builtins(before), wire, names),
        is_set=hasattr(found, "after"),
        text=desk.typed("limits", shown) if "limits" in desk.fields else shown,
        is_text="limits" in desk.fields and desk.refusal is not None,
        scopes=_scopes(desk, names) if may_set else (),
        choices={
            desk.gettext(title): {key: desk.gettext(RULES[key].name) for key in keys} for title, keys in GROUPS.items()
        },
        types=sorted({one.type for one in offerings.offerings}) if offerings is not None else (),
        movers={key: desk.gettext(name) for key, name in MOVERS.items() if key != "anybody"},
        added=_typed_row(desk),
    )


def _typed_row(desk: Desk) -> dict[str, str]:
    """Return the typed values of the row that adds a limit, where it was refused."""
    fields = ("whom", "tag", "rule", "type", "value")
    is_kept = desk.refusal is not None and desk.field("act") == "add"
    kept = {name: desk.field(name) if is_kept else "" for name in fields}
    said = "" if desk.refusal is None or not is_kept else _without_field(desk, desk.refusal)
    return kept | {"said": said}


def _without_field(desk: Desk, fault: Fault) -> str:
    return desk.said(_PARAM.sub("", fault.message))


def _scopes(desk: Desk, names: Names) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the scopes to which a limit can be added: the title of each group, and the ids and names in it."""
    users = [Scope("user", OTHERS), *(Scope("user", user) for user in names.users if user != OTHERS)]
    of = {
        desk.gettext("The account"): [Scope("account")],
        desk.gettext("Users"): users,
        desk.gettext("Projects"): [Scope("project", project) for project in names.projects],
        desk.gettext("Tags"): [Scope("tag")],
    }
    return [
        (title, [(_id(one), title_of(desk, one, names)) for one in scopes]) for title, scopes in of.items() if scopes
    ]


def title_of(desk: Desk, scope: Scope, names: Names) -> str:
    """Return the name of a scope for people."""
    match scope.kind:
        case "account":
            return desk.gettext("The account")
        case "user":
            return desk.gettext("Each other user") if scope.name == OTHERS else names.users.get(scope.name, scope.name)
        case "project":
            return desk.gettext("Project %s") % names.projects.get(scope.name, scope.name)
        case _:
            return f"{scope.name}={scope.value}" if scope.name else desk.gettext("The tag that is written beside")


def groups_of(desk: Desk, wire: Mapping[str, Any], used: Any, names: Names) -> list[Group]:
    """Return the limits that there are, in the reader's words."""
    groups = []
    for scope, of in by_scope(wire).items():
        units, spent = _use_of(scope, used)
        rows = [_row(desk, leaf, units, spent) for leaf in leaves(of)]
        if rows:
            groups.append(Group(title_of(desk, scope, names), _id(scope), _as_typed(desk, scope, rows)))
    return groups


def _use_of(scope: Scope, used: Any) -> tuple[Mapping[str, int] | None, str | None]:
    """Return the units and the charges of a scope; None: they are not counted."""
    if used is None or scope == Scope("user", OTHERS):
        return None, None
    match scope.kind:
        case "account":
            return used.units, used.spend
        case "user":
            return used.user_units.get(scope.name, {}), used.user_spend.get(scope.name, "0")
        case "project":
            of = used.projects.get(scope.name)
            return ({}, "0") if of is None else (of.units, of.spend)
        case _:
            return None, used.tag_spend.get(scope.name, {}).get(scope.value, "0")


def _row(desk: Desk, leaf: Leaf, units: Mapping[str, int] | None, spent: str | None) -> Row:
    used, percent = "", None
    if leaf.key == "units" and units is not None and leaf.type != OTHERS:
        held = units.get(leaf.type, 0)
        used, percent = count(held), share(str(held), str(leaf.value))
    elif leaf.key in ("spend", "budget") and spent is not None:
        used, percent = amount(spent), share(Decimal(spent), leaf.value)
    how = RULES[leaf.key].how
    text = typed(how, leaf.value)
    return Row(name_of(desk, leaf), said(desk, leaf), used, percent, _id((leaf.key, leaf.type)), how, text, text)


def name_of(desk: Desk, leaf: Leaf) -> str:
    """Return the name of a limit, with its type of units."""
    if not RULES[leaf.key].has_type:
        return desk.gettext(RULES[leaf.key].name)
    kind = desk.gettext("every other type") if leaf.type == OTHERS else leaf.type
    if leaf.key == "units":
        return desk.gettext("Units of %s, at most") % kind
    return desk.gettext("An approval is needed above this many units of %s") % kind


def said(desk: Desk, leaf: Leaf) -> str:
    """Return the value of a limit for people."""
    match RULES[leaf.key].how:
        case "amount":
            return f"{amount(leaf.value)} {desk.currency}"
        case "percent":
            return f"{leaf.value} %"
        case "percents":
            return ", ".join(f"{one} %" for one in leaf.value)
        case "span":
            return typed("span", leaf.value)
        case "extender":
            return desk.gettext(MOVERS[leaf.value])
        case "set":
            return desk.gettext("yes")
        case _:
            return count(leaf.value)


def changes_of(desk: Desk, before: Mapping[str, Any], after: Mapping[str, Any], names: Names) -> list[Change]:
    """Return the limits that differ between two states."""
    sides: list[dict[tuple[Scope, str, str], Leaf]] = [
        {(scope, leaf.key, leaf.type): leaf for scope, of in by_scope(side).items() for leaf in leaves(of)}
        for side in (before, after)
    ]
    none = desk.gettext("none")
    found = []
    for place in dict.fromkeys((*sides[0], *sides[1])):
        was, now = (side.get(place) for side in sides)
        if was != now:
            one = was or now
            assert one is not None  # noqa: S101 - it is on one of the sides
            found.append(
                Change(
                    title_of(desk, place[0], names),
                    name_of(desk, one),
                    none if was is None else said(desk, was),
                    none if now is None else said(desk, now),
                )
            )
    return found


def _as_typed(desk: Desk, scope: Scope, rows: list[Row]) -> list[Row]:
    """Put the typed values into the rows of the form that was refused, and the refusal beside its row."""
    fault = desk.refusal
    if fault is None or desk.field("act") != "change" or desk.field("whom") != _id(scope):
        return rows
    given = dict(zip(desk.fields.get("row", ()), desk.fields.get("value", ()), strict=False))
    removed = {*desk.many("remove")}
    at = _PARAM.search(fault.message)
    kept = []
    for row in rows:
        key, kind = msgspec.json.decode(row.id)
        is_meant = at is not None and at[1] == field_of(scope, key, kind)
        kept.append(
            row._replace(
                typed=given.get(row.id, row.typed).strip(),
                removed=row.id in removed,
                said=_without_field(desk, fault) if is_meant else "",
            )
        )
    return kept


def _changed(desk: Desk) -> tuple[Scope, list[Leaf]]:
    """Return the limits of a form whose values were changed, and with None those that are taken away."""
    scope, removed = _scope(desk), {*desk.many("remove")}
    changes = []
    rows: Sequence[Sequence[str]] = [desk.fields.get(name, ()) for name in ("row", "was", "value")]
    for row, was, value in zip(*rows, strict=False):
        key, kind = _place(desk, row)
        if row in removed:
            changes.append(Leaf(key, kind, None))
        elif value.strip() != was:
            changes.append(Leaf(key, kind, _read(desk, scope, key, kind, value.strip())))
    return scope, changes


def _added(desk: Desk) -> tuple[Scope, list[Leaf]]:
    """Return the limit that a form adds."""
    scope, (key, kind) = _scope(desk), _place(desk, _id((desk.field("rule"), desk.field("type"))))
    if scope.kind == "tag":
        name, sign, value = desk.field("tag").partition("=")
        if not (sign and name.strip()):
            raise bad_field("limits.tags", desk.gettext("Write the tag as key=value."))
        scope = Scope("tag", name.strip(), value.strip())
    rule = RULES[key]
    if scope.kind not in rule.whom:
        said_for = ", ".join(desk.gettext(name) for one, name in WHOM.items() if one in rule.whom)
        raise bad_field(field_of(scope, key, ""), desk.gettext("This limit can be set for these only: %s.") % said_for)
    if rule.has_type and not kind:
        raise bad_field(field_of(scope, key, ""), desk.gettext("Give the type of units, or * for every other type."))
    kind = kind if rule.has_type else ""
    return scope, [Leaf(key, kind, _read(desk, scope, key, kind, desk.field("value")))]


def _read(desk: Desk, scope: Scope, key: str, kind: str, text: str) -> Any:
    how = RULES[key].how
    try:
        return read(how, text)
    except ValueError:
        raise bad_field(field_of(scope, key, kind), desk.gettext(EXAMPLES[how])) from None


def _scope(desk: Desk) -> Scope:
    try:
        return msgspec.json.decode(desk.field("whom"), type=Scope)
    except (msgspec.DecodeError, RecursionError):
        raise bad_field("whom", desk.gettext("Choose for whom the limit is.")) from None


def _place(desk: Desk, row: str) -> tuple[str, str]:
    """Return the key of a rule and the type of units of a row; raises Fault for what no page has written."""
    try:
        key, kind = msgspec.json.decode(row, type=tuple[str, str])
    except (msgspec.DecodeError, RecursionError):
        key, kind = "", ""
    if key not in RULES:
        raise bad_field("rule", desk.gettext("Choose a limit from the list."))
    return key, kind


def _id(value: Any) -> str:
    return msgspec.json.encode(value).decode()
