"""The guard rails of an account. A file with ``limits`` names all of them; a limit that it lacks is cleared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds import projects, users
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.kinds.limit_forms import BY_PROJECT, BY_USER, LIMITS
from leasebook.cli.house.plan import CHANGE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.server import ACCOUNT, Server
from leasebook.contract.nouns.limits import SetGuardRailsRequest

Limits = Mapping[str, Any]
_NAMED: Final = {**dict.fromkeys(BY_USER, "user"), **dict.fromkeys(BY_PROJECT, "project")}
"""The limits with entries of users or projects."""
_ID_OF: Final[Mapping[str, Callable[[Place, str, int], str | None]]] = {
    "user": users.id_of,
    "project": projects.id_of,
}
_LABEL_OF: Final[Mapping[str, Callable[[Place, str], str]]] = {"user": users.label_of, "project": projects.label_of}


@dataclass(frozen=True)
class LimitsWanted:
    """The limits of the file, by its keys; users and projects have the file's names."""

    line: int
    limits: Limits


class GuardRailsKind(AccountKind):
    """The guard rails of an account."""

    key = "limits"

    def read(self, node: Node) -> LimitsWanted:
        """Read ``limits``."""
        found = schema.table(node)
        limits = LIMITS.read(node) or {}
        schema.fitting(
            SetGuardRailsRequest, {"limits": LIMITS.sent(limits)}, found.line, {"limits.": "", "Seconds": ""}
        )
        return LimitsWanted(found.line, limits)

    def look(self, server: Server, account_id: str) -> Limits:
        """Return the limits by the keys of the file; users and projects have their ids."""
        told = server.call(ACCOUNT, "DescribeGuardRails", accountId=account_id)["limits"]
        return LIMITS.received(told) or {}

    def absent(self) -> Limits:
        """Return no limits."""
        return {}

    def plan(self, place: Place, plan: Plan) -> None:
        """Add one step for all limits that differ."""
        wanted: LimitsWanted = place.wanted[self.key]
        there: Limits = place.there[self.key]
        ids = {
            (what, name): _ID_OF[what](place, name, wanted.line)
            for field, what in _NAMED.items()
            for name in wanted.limits.get(field, {})
        }
        details, changes = [], {}
        for name, (field, form) in LIMITS.fields.items():
            before, after = there.get(name), wanted.limits.get(name)
            if name in _NAMED:
                what = _NAMED[name]
                before = {_LABEL_OF[what](place, of): one for of, one in (before or {}).items()} or None
                after = {_same(place, what, of, ids): one for of, one in (after or {}).items()} or None
            if before != after:
                shown = (form.written(value, quoted=False) for value in (before, after))
                details.append(change(name, *shown))
                changes[name] = field, there.get(name), wanted.limits.get(name)

        def do(run: Run) -> None:
            whose = {key: _made(run, place, key, found) for key, found in ids.items()}
            body = {}
            for name, (field, before, after) in changes.items():
                wants = after
                if name in _NAMED:
                    wants = {whose[_NAMED[name], of]: one for of, one in (after or {}).items()}
                body[field] = LIMITS.fields[name][1].change(before, wants)
            run.server.call_exactly(ACCOUNT, "SetGuardRails", {"accountId": place.account_id(run), "limits": body})

        thing = words.limits(place.label)
        plan.add([Step(CHANGE, thing, do, tuple(details))] if changes else [])

    def write(self, place: Place) -> dict[str, Any] | None:
        """Write the limits; the names of users and projects are those that the file has."""
        limits = {}
        for name, value in place.there[self.key].items():
            written = LIMITS.fields[name][1].written(value)
            if name in _NAMED:
                label_of = _LABEL_OF[_NAMED[name]]
                written = {label_of(place, of): one for of, one in written.items()}
            limits[name] = _escaped(written)
        return limits or None


def _escaped(value: Any) -> Any:
    """Return a value in which no key is read as a variable."""
    return {escaped(key): _escaped(one) for key, one in value.items()} if isinstance(value, dict) else value


def _same(place: Place, what: str, name: str, ids: Mapping[tuple[str, str], str | None]) -> str:
    found = ids[what, name]
    return name if found is None else _LABEL_OF[what](place, found)


def _made(run: Run, place: Place, key: tuple[str, str], found: str | None) -> str:
    what, label = key
    return run.ids[what, place.label, label] if found is None else found
