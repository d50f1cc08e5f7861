"""The limits of an account as single rules: the scopes of each, how it is typed, and the change that sets it.

Limits are JSON objects with the keys of SetGuardRails here. Those of the account, a user, a project and a tag are
brought into one form, that of the account, so that a rule is named by its key and, where it has one, the type of units.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final, Literal, NamedTuple

import msgspec

from leasebook.console.navigation import marked

APPROVAL: Final = "needsApproval"
OTHERS: Final = "*"
"""The users who are not named, and the types that are not."""
Whom = Literal["account", "user", "project", "tag"]
How = Literal["count", "months", "amount", "percent", "percents", "span", "extender", "set"]
MOVERS: Final[dict[str, str]] = {
    "anybody": marked("every user who may set release times"),
    "buyer": marked("the user who bought it"),
    "managers": marked("only managers of the account"),
}
"""Who may move a release time to later."""


class Scope(msgspec.Struct, frozen=True, array_like=True):
    """The holder of limits: ``name`` is the id of a user or project, or the key of a tag, ``value`` that of the tag."""

    kind: Whom
    name: str = ""
    value: str = ""


class Rule(NamedTuple):
    """A kind of limit: its name for people, how its value is typed, and the kinds of scope that can have it."""

    name: str
    how: How
    whom: tuple[Whom, ...]
    has_type: bool = False


class Leaf(NamedTuple):
    """A limit that is set: its rule, the type of units where it is of one, and its value in JSON."""

    key: str
    type: str
    value: Any


ACCOUNT: Final = Scope("account")
_PLACES: Final[tuple[Whom, ...]] = ("account", "project")
_BUDGETED: Final[tuple[Whom, ...]] = ("account", "project", "tag")
_HOLDERS: Final[tuple[Whom, ...]] = ("account", "user", "project")
_ASKERS: Final[tuple[Whom, ...]] = ("account", "user")
RULES: Final[dict[str, Rule]] = {
    "units": Rule(marked("Units of a type, at most"), "count", _HOLDERS, has_type=True),
    "spend": Rule(marked("Charges of a month, at most"), "amount", _HOLDERS),
    "budget": Rule(marked("Budget of a month"), "amount", _BUDGETED),
    "budgetWarnPercent": Rule(marked("An event is sent at"), "percents", _BUDGETED),
    "budgetRefusePercent": Rule(marked("Purchases are refused from"), "percent", _BUDGETED),
    "releaseMaxSeconds": Rule(marked("A release is at most ahead"), "span", _PLACES),
    "releaseDefaultSeconds": Rule(marked("Without a release time it is released after"), "span", _PLACES),
    "endRequired": Rule(marked("Every postpaid instance must have a release time"), "set", _PLACES),
    "extendBy": Rule(marked("Release times are moved to later by"), "extender", ("account",)),
    "extensionsMax": Rule(marked("A release time is moved to later at most (times)"), "count", ("account",)),
    f"{APPROVAL}.units": Rule(
        marked("An approval is needed above this many units of a type"), "count", _ASKERS, has_type=True
    ),
    f"{APPROVAL}.cost": Rule(marked("An approval is needed above these costs"), "amount", _ASKERS),
    f"{APPROVAL}.releaseSeconds": Rule(
        marked("An approval is needed for a release further ahead than"), "span", _ASKERS
    ),
    f"{APPROVAL}.months": Rule(marked("An approval is needed above this many months"), "months", _ASKERS),
    f"{APPROVAL}.lapseSeconds": Rule(marked("A request for an approval waits for"), "span", _ASKERS),
    f"{APPROVAL}.selfApproval": Rule(marked("Managers may approve their own requests"), "set", _ASKERS),
    APPROVAL: Rule(marked("No purchase needs an approval"), "set", _ASKERS),
}
"""By key, in the order of the page. ``needsApproval`` alone is one without any limit in it."""
EXAMPLES: Final[dict[How, str]] = {
    "count": marked("Give a whole number from 0 to 1,000,000,000."),
    "months": marked("Give a number of months from 0 to 120."),
    "amount": marked("Give an amount such as 1500 or 99.50, with at most six decimal places."),
    "percent": marked("Give a percentage from 1 to 1000."),
    "percents": marked("Give up to 20 percentages from 1 to 1000, such as 50, 80, 100."),
    "span": marked("Give a length of time of at least a minute, such as 90 min, 8 h or 2 d 12 h."),
    "extender": marked("Choose who may move a release time: buyer or managers."),
    "set": "",
}
"""How a value is typed, said where it cannot be read."""
SECONDS: Final = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
_SPELLINGS: Final = {"天": "d", "小时": "h", "时": "h", "分钟": "min", "分": "min", "秒": "s", "m": "min"}
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_SPAN: Final = re.compile(r"(?:[0-9]{1,10} *(?:min|分钟|小时|[dhms天时分秒]) *)+")
_PART: Final = re.compile(r"([0-9]+) *(min|分钟|小时|[dhms天时分秒])")
_SPAN_MAX: Final = 100 * 366 * 86_400
_COUNT_MAX: Final = 1_000_000_000
_BOUNDS: Final[dict[How, tuple[int, int]]] = {"count": (0, _COUNT_MAX), "months": (0, 120), "percent": (1, 1000)}
_PERCENTS_MAX: Final = 20


def by_scope(limits: Mapping[str, Any]) -> dict[Scope, dict[str, Any]]:
    """Return the limits of each that has some, with the keys of those of the account."""
    named = ("userUnits", "userSpend", "userNeedsApproval", "projects", "tags")
    found: dict[Scope, dict[str, Any]] = {ACCOUNT: {key: one for key, one in limits.items() if key not in named}}
    for field, key in (("userUnits", "units"), ("userSpend", "spend"), ("userNeedsApproval", APPROVAL)):
        for user, one in sorted(limits.get(field, {}).items()):
            found.setdefault(Scope("user", user), {})[key] = one
    found |= {Scope("project", project): one for project, one in sorted(limits.get("projects", {}).items())}
    for tag, values in sorted(limits.get("tags", {}).items()):
        found |= {Scope("tag", tag, value): one for value, one in sorted(values.items())}
    return found


def leaves(limits: Mapping[str, Any]) -> Iterator[Leaf]:
    """Yield the limits of one scope, in the order of ``RULES``."""
    for key, rule in RULES.items():
        head, _, part = key.partition(".")
        value = limits.get(head)
        if key == APPROVAL:
            value = True if value == {} else None
        elif part:
            value = (value or {}).get(part)
        if rule.has_type:
            for kind, most in (value or {}).items():
                yield Leaf(key, kind, most)
        elif value is not None:
            yield Leaf(key, "", value)


def change_of(limits: Mapping[str, Any], scope: Scope, changes: Sequence[Leaf]) -> dict[str, Any]:
    """Return the change of SetGuardRails that sets limits of a scope; with None as its value one is cleared.

    Limits on approvals and budgets by tag are sent whole, because the action sets them whole.
    """
    of = deepcopy(by_scope(limits).get(scope, {}))
    body: dict[str, Any] = {}
    for key, kind, value in changes:
        if scope.kind == "tag":
            _put(of, (key,), value)
        elif key == APPROVAL:
            of[APPROVAL] = None if value is None else {}
            body[APPROVAL] = of[APPROVAL]
        elif key.startswith(APPROVAL):
            _put(of, (*key.split("."), *((kind,) if kind else ())), value)
            body[APPROVAL] = of.get(APPROVAL)
        else:
            head = body.setdefault(key, {}) if kind else body
            head[kind or key] = value
    if scope.kind == "tag":
        return {"tags": {scope.name: {scope.value: of if "budget" in of or not _is_cleared(changes) else None}}}
    if scope.kind == "project":
        return {"projects": {scope.name: body}}
    if scope.kind == "user":
        fields = {"units": "userUnits", "spend": "userSpend", APPROVAL: "userNeedsApproval"}
        return {fields[key]: {scope.name: one} for key, one in body.items()}
    return body


def _is_cleared(changes: Iterable[Leaf]) -> bool:
    return any(one.key == "budget" and one.value is None for one in changes)


def _put(of: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a value in nested objects; None takes it out, and with it objects that become empty."""
    head, *rest = path
    if rest:
        inner = of.get(head) or {}
        _put(inner, tuple(rest), value)
        value = inner or None
    if value is None:
        of.pop(head, None)
    else:
        of[head] = value


def field_of(scope: Scope, key: str, kind: str) -> str:
    """Return the dotted name of a limit in the request, as refusals have it."""
    heads: dict[str, tuple[str, ...]] = {"project": ("projects", scope.name), "tag": ("tags", scope.name, scope.value)}
    head, *rest = key.split(".")
    if scope.kind == "user":
        path: tuple[str, ...] = (f"user{head[0].upper()}{head[1:]}", scope.name)
    else:
        path = (*heads.get(scope.kind, ()), head)
    return ".".join(("limits", *path, *rest, *((kind,) if kind else ())))


def read(how: How, text: str) -> Any:
    """Return the value that was typed, as JSON has it; raises ValueError for any other text."""
    if how == "set":
        return True
    if how == "extender" and text in MOVERS:
        return text
    if how in _BOUNDS:
        return _whole(text.removesuffix("%").strip() if how == "percent" else text, *_BOUNDS[how])
    if how == "percents":
        found = [_whole(one, *_BOUNDS["percent"]) for one in re.split(r"[\s,;%，；、]+", text) if one]  # noqa: RUF001 - Chinese
        if 0 < len(found) <= _PERCENTS_MAX:
            return found
    if how == "amount" and _AMOUNT.fullmatch(text.replace(",", "")):
        return text.replace(",", "")
    if how == "span" and _SPAN.fullmatch(text):
        parts = ((int(number), _SPELLINGS.get(unit, unit)) for number, unit in _PART.findall(text))
        seconds = sum(number * SECONDS[unit] for number, unit in parts)
        if SECONDS["min"] <= seconds <= _SPAN_MAX:
            return seconds
    raise ValueError(text)


def typed(how: How, value: Any) -> str:
    """Return a value as it is typed: ``read`` makes the same of it again."""
    if how == "set":
        return ""
    if how == "percents":
        return ", ".join(str(one) for one in value)
    if how != "span":
        return str(value)
    said, left = [], int(value)
    for unit, seconds in SECONDS.items():
        if left // seconds:
            said.append(f"{left // seconds} {unit}")
        left %= seconds
    return " ".join(said)


def _whole(text: str, least: int, most: int) -> int:
    if not (_NUMBER.fullmatch(text) and least <= int(text) <= most):
        raise ValueError(text)
    return int(text)
