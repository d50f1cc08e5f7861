"""Subscriptions of the house to events: of the operator's own account, or of accounts that they name.

A subscription is known by its target, its accounts and its projects. Those to one instance are none of the house: they
end with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import Place
from leasebook.cli.house.kinds.names import found_by
from leasebook.cli.house.kinds.own_projects import OwnProjects
from leasebook.cli.house.plan import CHANGE, END, MAKE, Plan, Run, Step, change
from leasebook.cli.house.reading import Items, Node, escaped
from leasebook.cli.house.secrets_file import Asked
from leasebook.cli.house.server import NOTIFICATION, Making, Server
from leasebook.cli.house.words import BadHouse
from leasebook.contract.nouns.subscription import CreateSubscriptionRequest

EVERY: Final = "*"
_KINDS: Final = {"webhook": ("Webhook", "url"), "email": ("Email", "address")}
"""The keys of the file, each with the kind and the field of the service."""

SubscriptionRow = Mapping[str, Any]


@dataclass(frozen=True)
class SubscriptionWanted:
    """A subscription of the file. ``shown`` is its target without the values of variables.

    ``accounts`` are names of the file, or ``*`` alone; none: the operator's own account. ``projects`` are names of
    projects of that account; none: all. ``types`` and ``paused`` None: those of the subscription stay.
    """

    line: int
    kind: str
    target: str
    shown: str
    accounts: tuple[str, ...]
    projects: tuple[str, ...]
    types: tuple[str, ...] | None
    paused: bool | None

    @property
    def named(self) -> tuple[str, ...]:
        """Return the parts by which two subscriptions of the file are the same."""
        return (self.kind, self.target, *self.accounts, "", *self.projects)

    def body(self, accounts: Sequence[str], projects: Sequence[str]) -> dict[str, Any]:
        """Return the request that makes it, with the ids of its accounts and projects."""
        body = {"kind": self.kind, dict(_KINDS.values())[self.kind]: self.target, "types": list(self.types or ())}
        for key, ids in (("accounts", accounts), ("projectIds", projects)):
            if ids:
                body[key] = list(ids)
        return body


@dataclass(frozen=True)
class Known:
    """The accounts that subscriptions may name: those of the file, and all that the service has.

    ``projects`` are those of the operator's own account; None: no subscription of the file names any.
    """

    places: Sequence[Place]
    rows: Sequence[Mapping[str, Any]]
    projects: OwnProjects | None = None

    def id_of(self, name: str, line: int) -> str | None:
        """Return the id of an account; None: the run makes it. Raises BadHouse."""
        if name == EVERY:
            return name
        for place in self.places:
            if place.label == name:
                return None if place.account is None else str(place.account["accountId"])
        if any(row["accountId"] == name for row in self.rows):
            return name
        row = found_by(self.rows, "accountId", None, name, line)
        if row is None:
            known = (*(place.label for place in self.places), *(row["name"] for row in self.rows))
            raise BadHouse(words.no_account(name, schema.nearest(name, known)), line)
        return str(row["accountId"])

    def project_ids(self, wanted: SubscriptionWanted) -> dict[str, str | None]:
        """Return the ids of the projects of a subscription by their names; None: the run makes it. Raises BadHouse."""
        if self.projects is None:
            return {}
        return {name: self.projects.id_of(name, wanted.line) for name in wanted.projects}

    def made_project(self, run: Run, name: str) -> str:
        """Return the id of a project that the run has made."""
        assert self.projects is not None  # noqa: S101 - a subscription of the file names it
        return self.projects.made(run, name)


class Subscriptions:
    """The subscriptions of the operator's account."""

    key: Final = "subscriptions"

    def read(self, node: Node) -> list[SubscriptionWanted]:
        """Read ``subscriptions``; raises BadHouse also where two are the same."""
        found = schema.many(_subscription)(node)
        first: dict[tuple[str, ...], int] = {}
        for one in found:
            if one.named in first:
                raise BadHouse(words.twice(one.shown, first[one.named]), one.line)
            first[one.named] = one.line
        return found

    def look(self, server: Server) -> list[SubscriptionRow]:
        """Return the subscriptions to all instances, oldest first."""
        rows = server.rows(NOTIFICATION, "DescribeSubscriptions", "subscriptions")
        return [row for row in rows if "instanceId" not in row]

    def plan(self, wanted: list[SubscriptionWanted], there: list[SubscriptionRow], known: Known, plan: Plan) -> None:
        """Add a step for each subscription that is to be made or changed."""
        for one in wanted:
            row = _found(one, there, known)
            plan.add([_make(one, there, known)] if row is None else _changes(one, row))

    def prune(
        self, wanted: list[SubscriptionWanted], there: list[SubscriptionRow], known: Known, plan: Plan, maker: str
    ) -> None:
        """Add a step for each subscription that goes by the caller's rights and that the file does not have."""
        for row in _extra(wanted, there, known):
            thing = words.subscription(_host(row))
            if row.get("ownerId") != maker:
                plan.left.append(words.of_another(thing))
            else:
                plan.ends.append(Step(END, thing, _end(row["subscriptionId"])))

    def left(self, wanted: list[SubscriptionWanted], there: list[SubscriptionRow], known: Known) -> list[str]:
        """Return the subscriptions that the file does not have."""
        return [words.subscription(_host(row)) for row in _extra(wanted, there, known)]

    def unfetched(self, asked: Asked, there: list[SubscriptionRow]) -> bool:
        """Whether a subscription was made whose secret did not arrive."""
        ids = [frozenset(asked.body.get(key, ())) for key in ("accounts", "projectIds")]
        key = (asked.body.get("kind"), asked.body.get("url"), *ids)
        return asked.action == "CreateSubscription" and any(
            row["subscriptionId"] not in asked.known and _key(row) == key for row in there
        )

    def write(
        self, there: list[SubscriptionRow], labels: Mapping[str, str], projects: OwnProjects | None
    ) -> list[dict[str, Any]]:
        """Write the subscriptions, of several that are the same the oldest.

        ``labels`` name accounts by their ids. ``projects`` are needed if a subscription is for some.
        """
        written: dict[object, dict[str, Any]] = {}
        for row in there:
            key = next(key for key, (kind, _) in _KINDS.items() if kind == row["kind"])
            one: dict[str, Any] = {key: escaped(_target(row))}
            if row.get("accounts"):
                one["accounts"] = [escaped(labels.get(account, account)) for account in row["accounts"]]
            if projects is not None and row.get("projectIds"):
                one["projects"] = [escaped(projects.name_of(project)) for project in row["projectIds"]]
            if row["types"]:
                one["types"] = list(row["types"])
            if row["status"] == "Paused":
                one["paused"] = True
            written.setdefault(_key(row), one)
        return sorted(written.values(), key=str)


def _subscription(node: Node) -> SubscriptionWanted:
    given = schema.fields(
        node,
        {
            "webhook": schema.scalar,
            "email": schema.scalar,
            "accounts": _names,
            "projects": _names,
            "types": schema.many(schema.text),
            "paused": schema.truth,
        },
    )
    targets = [name for name in _KINDS if name in given]
    if len(targets) != 1:
        raise BadHouse(words.ONE_TARGET, node.line)
    kind, target = _KINDS[targets[0]][0], given[targets[0]]
    types = tuple(sorted(set(given["types"]))) if "types" in given else None
    accounts, projects = (tuple(sorted(set(given.get(key, ())))) for key in ("accounts", "projects"))
    if accounts and projects:
        raise BadHouse(words.ACCOUNTS_OR_PROJECTS, node.line)
    whose = (accounts, projects, types, given.get("paused"))
    wanted = SubscriptionWanted(node.line, kind, target.value, target.shown, *whose)
    names = {"url": "webhook", "address": "email", "projectIds": "projects"}
    body = wanted.body(["id"] * len(accounts), ["id"] * len(projects))
    schema.fitting(CreateSubscriptionRequest, body, node.line, names)
    return wanted


def _names(node: Node) -> list[str]:
    return schema.many(schema.text)(node) if isinstance(node, Items) else [schema.text(node)]


def _target(row: SubscriptionRow) -> str:
    return row.get("url") or row.get("address") or ""


def _key(row: SubscriptionRow) -> tuple[str, str, frozenset[str], frozenset[str]]:
    return row["kind"], _target(row), frozenset(row.get("accounts") or ()), frozenset(row.get("projectIds") or ())


def _found(wanted: SubscriptionWanted, there: list[SubscriptionRow], known: Known) -> SubscriptionRow | None:
    ids = [known.id_of(name, wanted.line) for name in wanted.accounts]
    projects = known.project_ids(wanted).values()
    key = (wanted.kind, wanted.target, frozenset(ids), frozenset(projects))
    return next((row for row in there if _key(row) == key), None)


def _host(row: SubscriptionRow) -> str:
    """Return the part of a target that may be shown: the path of a URL may hold a secret of the receiver's."""
    if row["kind"] == "Email":
        return str(row["address"])
    parts = urlsplit(row["url"])
    return f"{parts.scheme}://{parts.hostname}/…"


def _extra(wanted: list[SubscriptionWanted], there: list[SubscriptionRow], known: Known) -> list[SubscriptionRow]:
    named = {row["subscriptionId"] for one in wanted if (row := _found(one, there, known)) is not None}
    return [row for row in there if row["subscriptionId"] not in named]


def _make(wanted: SubscriptionWanted, there: list[SubscriptionRow], known: Known) -> Step:
    thing = words.subscription(wanted.shown)
    before = frozenset(row["subscriptionId"] for row in there)
    found = {name: known.id_of(name, wanted.line) for name in wanted.accounts}
    inside = known.project_ids(wanted)

    def do(run: Run) -> None:
        ids = sorted(run.ids["account", name] if one is None else one for name, one in found.items())
        projects = sorted(known.made_project(run, name) if one is None else one for name, one in inside.items())
        key = (wanted.kind, wanted.target, frozenset(ids), frozenset(projects))

        def there_now() -> list[str]:
            rows = run.server.rows(NOTIFICATION, "DescribeSubscriptions", "subscriptions")
            return [row["subscriptionId"] for row in rows if _key(row) == key]

        making = Making(
            NOTIFICATION,
            "CreateSubscription",
            wanted.body(ids, projects),
            "subscriptionId",
            before,
            there_now,
            ends_unlisted=True,
        )
        parts = ("subscription", wanted.kind, wanted.target, *ids, *(f"project {one}" for one in projects))
        has_secret = wanted.kind == "Webhook"
        made = run.make_secret(thing, making, *parts) if has_secret else run.make(making, *parts)
        if wanted.paused:
            of = {"subscriptionId": made["subscriptionId"]}
            run.server.call(NOTIFICATION, "ModifySubscription", **of, status="Paused")

    details = [change("accounts", None, wanted.accounts)] if wanted.accounts else []
    details += [change("projects", None, wanted.projects)] if wanted.projects else []
    details += [change("types", None, wanted.types)] if wanted.types else []
    return Step(MAKE, thing, do, tuple(details), makes_secret=wanted.kind == "Webhook")


def _changes(wanted: SubscriptionWanted, row: SubscriptionRow) -> list[Step]:
    details: list[str] = []
    changed: dict[str, Any] = {}
    if wanted.types is not None and list(wanted.types) != sorted(row["types"]):
        details.append(change("types", sorted(row["types"]) or None, wanted.types or None))
        changed["types"] = list(wanted.types)
    is_paused = row["status"] == "Paused"
    if wanted.paused is not None and wanted.paused != is_paused and row["status"] != "Pending":
        details.append(change("paused", is_paused, wanted.paused))
        changed["status"] = "Paused" if wanted.paused else "Active"

    def do(run: Run) -> None:
        run.server.call(NOTIFICATION, "ModifySubscription", subscriptionId=row["subscriptionId"], **changed)

    return [Step(CHANGE, words.subscription(wanted.shown), do, tuple(details))] if changed else []


def _end(subscription_id: str) -> Callable[[Run], None]:
    def do(run: Run) -> None:
        run.server.call(NOTIFICATION, "DeleteSubscription", subscriptionId=subscription_id)

    return do
