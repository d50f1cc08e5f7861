"""The guard rails of an account. A file with ``limits`` names all of them; a limit that it lacks is cleared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.kinds.users import id_of, label_of
from leasebook.cli.house.plan import CHANGE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.server import ACCOUNT, Server
from leasebook.contract.nouns.limits import SetGuardRailsRequest

_FIELDS: Final = {
    "units": "units",
    "userUnits": "userUnits",
    "spend": "spend",
    "userSpend": "userSpend",
    "budget": "budget",
    "budgetWarnPercent": "budgetWarnPercent",
    "budgetRefusePercent": "budgetRefusePercent",
    "releaseMax": "releaseMaxSeconds",
    "releaseDefault": "releaseDefaultSeconds",
    "endRequired": "endRequired",
    "extendBy": "extendBy",
    "extensionsMax": "extensionsMax",
}
"""The keys of the file, each with the field of SetGuardRails."""
_BY_USER: Final = frozenset({"userUnits", "userSpend"})
_AMOUNTS: Final = frozenset({"spend", "budget"})
_PARSERS: Final[dict[str, schema.Parser[Any]]] = {
    "units": schema.by_key(schema.count),
    "userUnits": schema.by_key(schema.by_key(schema.count)),
    "spend": schema.amount,
    "userSpend": schema.by_key(schema.amount),
    "budget": schema.amount,
    "budgetWarnPercent": schema.many(schema.count),
    "budgetRefusePercent": schema.count,
    "releaseMax": schema.span,
    "releaseDefault": schema.span,
    "endRequired": schema.truth,
    "extendBy": schema.one_of("anybody", "buyer", "managers"),
    "extensionsMax": schema.count,
}
_NO_LIMIT: Final = {"endRequired": False, "extendBy": "anybody"}
"""Values that mean the same as no limit."""

Limits = Mapping[str, Any]


@dataclass(frozen=True)
class LimitsWanted:
    """The limits of the file, by its keys; users have the file's names."""

    line: int
    limits: Limits


class GuardRailsKind(AccountKind):
    """The guard rails of an account."""

    key = "limits"

    def read(self, node: Node) -> LimitsWanted:
        """Read ``limits``."""
        found = schema.table(node)
        limits = _plain(schema.fields(node, _PARSERS))
        body = {"limits": {_FIELDS[name]: _sent(value) for name, value in limits.items()}}
        schema.fitting(SetGuardRailsRequest, body, found.line, {"limits.": "", "Seconds": ""})
        return LimitsWanted(found.line, limits)

    def look(self, server: Server, account_id: str) -> Limits:
        """Return the limits by the keys of the file; users have their ids."""
        told = server.call(ACCOUNT, "DescribeGuardRails", accountId=account_id)["limits"]
        known = {name: told[field] for name, field in _FIELDS.items() if field in told}
        return _plain({name: _money(value) if name in _AMOUNTS else value for name, value in known.items()})

    def absent(self) -> Limits:
        """Return no limits."""
        return {}

    def plan(self, place: Place, plan: Plan) -> None:
        """Add one step for all limits that differ."""
        wanted: LimitsWanted = place.wanted[self.key]
        there: Limits = place.there[self.key]
        ids = {name: id_of(place, name, wanted.line) for field in _BY_USER for name in wanted.limits.get(field, {})}
        details, changes = [], {}
        for name in _PARSERS:
            before, after = there.get(name), wanted.limits.get(name)
            if name in _BY_USER:
                before = {label_of(place, user): value for user, value in (before or {}).items()} or None
                after = {_same_user(place, user, ids): value for user, value in (after or {}).items()} or None
            if before != after:
                details.append(change(name, _text(name, before), _text(name, after)))
                changes[name] = (there.get(name), wanted.limits.get(name))

        def do(run: Run) -> None:
            whose = {label: _made(run, place, label, user) for label, user in ids.items()}
            body = {_FIELDS[name]: _change(name, before, after, whose) for name, (before, after) in changes.items()}
            run.server.call_exactly(ACCOUNT, "SetGuardRails", {"accountId": place.account_id(run), "limits": body})

        thing = words.limits(place.label)
        plan.add([Step(CHANGE, thing, do, tuple(details))] if changes else [])

    def write(self, place: Place) -> dict[str, Any] | None:
        """Write the limits; the names of users are those that the file has."""
        limits = {}
        for name, value in place.there[self.key].items():
            if name in _BY_USER:
                limits[name] = {escaped(label_of(place, user)): _written(name, one) for user, one in value.items()}
            else:
                limits[name] = _written(name, value)
        return limits or None


def _plain(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Write limits in one way: amounts as decimals, percentages in order, and none that limits nothing."""
    plain: dict[str, Any] = {}
    for name, value in limits.items():
        one = value
        if name == "userSpend":
            one = {user: _money(amount) for user, amount in value.items()}
        elif name == "userUnits":
            one = {user: types for user, types in value.items() if types}
        elif name == "budgetWarnPercent":
            one = sorted(set(value))
        if one not in ({}, []) and _NO_LIMIT.get(name) != one:
            plain[name] = one
    return plain


def _money(value: object) -> Decimal:
    return Decimal(str(value))


def _same_user(place: Place, name: str, ids: Mapping[str, str | None]) -> str:
    user_id = ids[name]
    return name if user_id is None else label_of(place, user_id)


def _made(run: Run, place: Place, label: str, user_id: str | None) -> str:
    return run.ids["user", place.label, label] if user_id is None else user_id


def _change(name: str, before: Any, after: Any, whose: Mapping[str, str]) -> Any:
    """Return the change from one value to another: entries that the file lacks are cleared with null."""
    if after is None:
        return None
    if name in _BY_USER:
        after = {whose[user]: value for user, value in after.items()}
    if not isinstance(after, dict):
        return _sent(after)
    cleared = dict.fromkeys(before or {})
    if name == "userUnits":
        return cleared | {
            user: dict.fromkeys((before or {}).get(user) or {}) | dict(types) for user, types in after.items()
        }
    return cleared | {key: _sent(value) for key, value in after.items()}


def _sent(value: Any) -> Any:
    """Write a value as requests have it."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {key: _sent(one) for key, one in value.items()}
    return value


def _text(name: str, value: Any) -> Any:
    """Write a value for the plan."""
    return schema.span_text(value) if name.startswith("release") and value is not None else value


def _written(name: str, value: Any) -> Any:
    """Write a value as files have it."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _text(name, value)
