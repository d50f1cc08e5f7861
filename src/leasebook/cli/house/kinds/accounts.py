"""Accounts: made with a name, a time zone and an opening balance, renamed, and closed where they are empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.kinds.names import found_by, labels
from leasebook.cli.house.plan import CHANGE, END, MAKE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.secrets_file import Asked
from leasebook.cli.house.server import ACCOUNT, EVENTS, IAM, MISMATCH, Making, Refused, Server, token_of
from leasebook.cli.house.words import BadHouse
from leasebook.cli.terminal.texts import _
from leasebook.contract.nouns.account import RenameAccountRequest, TopUpAccountRequest
from leasebook.contract.nouns.user import CreateAccountRequest

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AccountWanted:
    """An account of the file; ``parts`` has what the file wants in it, by the kinds' keys."""

    label: str
    line: int
    id: str | None
    name: str
    time_zone: str | None
    opening: Decimal | None
    parts: Mapping[str, Any] = field(default_factory=dict)


class Accounts:
    """The accounts of a house."""

    key: Final = "accounts"

    def __init__(self, kinds: tuple[AccountKind, ...]) -> None:
        self._kinds = kinds

    def read(self, node: Node) -> dict[str, AccountWanted]:
        """Read ``accounts``; raises BadHouse."""
        found = schema.table(node)
        return {label: self._account(label, one, found.line_of(label)) for label, one in found.entries.items()}

    def _account(self, label: str, node: Node, line: int) -> AccountWanted:
        own = {"id": schema.text, "name": schema.text, "timeZone": schema.text, "openingBalance": schema.amount}
        given = schema.fields(node, own | {kind.key: kind.read for kind in self._kinds})
        name, opening, time_zone = given.get("name", label), given.get("openingBalance"), given.get("timeZone")
        body = {key: value for key, value in (("name", name), ("timeZone", time_zone)) if value is not None}
        schema.fitting(CreateAccountRequest, body, line, {})
        if "id" not in given:
            schema.fitting(RenameAccountRequest, {"name": name}, line, {})
        if opening is not None:
            schema.fitting(TopUpAccountRequest, {"amount": str(opening)}, line, {"amount": "openingBalance"})
        parts = {kind.key: given[kind.key] for kind in self._kinds if kind.key in given}
        return AccountWanted(label, line, given.get("id"), name, time_zone, opening, parts)

    def look(self, server: Server) -> list[Row]:
        """Return all accounts, closed ones included."""
        return list(server.rows(IAM, "DescribeAccounts", "accounts"))

    def places(self, wanted: Mapping[str, AccountWanted], rows: list[Row], server: Server, maker: str) -> list[Place]:
        """Return the place of each account of the file, with the things that it has; raises BadHouse."""
        places = []
        taken: dict[str, str] = {}
        for one in wanted.values():
            row = found_by(_open(rows), "accountId", one.id, one.name, one.line)
            if row is not None and row["accountId"] in taken:
                raise BadHouse(words.same_account(one.label, taken[row["accountId"]]), one.line)
            place = Place(one.label, row, one.parts, maker=maker)
            if row is not None:
                taken[row["accountId"]] = one.label
            self.fill(place, server)
            places.append(place)
        return places

    def fill(self, place: Place, server: Server, *, all_kinds: bool = False) -> None:
        """Look at what an account has, of the kinds that the file has."""
        for kind in self._kinds:
            if place.account is None:
                place.there[kind.key] = kind.absent()
            # Limits name users and projects.
            elif (
                all_kinds
                or kind.key in place.wanted
                or kind.key == "users"
                or (kind.key == "projects" and "limits" in place.wanted)
            ):
                place.there[kind.key] = kind.look(server, place.account["accountId"])

    def plan(self, wanted: AccountWanted, place: Place, rows: list[Row], plan: Plan, server: Server) -> None:
        """Add the steps of an account, and of everything in it."""
        if place.account is None:
            plan.add([_make(wanted, rows)])
            if wanted.opening:
                plan.add([_opening(wanted, place)])
        else:
            plan.add(_changes(wanted, place.account))
            if wanted.opening and not _was_topped_up(server, place.account["accountId"]):
                plan.add([_opening(wanted, place)])
            zone = place.account["timeZone"]
            if wanted.time_zone not in {None, zone}:
                plan.problems.append(words.zone_stays(wanted.label, wanted.line, zone, wanted.time_zone))
        for kind in self._kinds:
            if kind.key in wanted.parts:
                kind.plan(place, plan)

    def unfetched(self, asked: Asked, rows: list[Row], places: list[Place]) -> bool:
        """Whether a thing was made whose secret was asked for, and did not arrive."""
        if asked.action == "CreateAccount":
            same = (row for row in _open(rows) if row["name"] == asked.body["name"])
            return any(row["accountId"] not in asked.known for row in same)
        return any(kind.unfetched(place, asked) for place in places if place.is_there for kind in self._kinds)

    def prune(self, places: list[Place], rows: list[Row], plan: Plan, server: Server, maker: str) -> None:
        """Add a step for each thing that the caller made and the file does not have; accounts come last."""
        for place in places:
            for kind in self._kinds:
                kind.prune(place, plan, server)
        extra = _extra(places, rows)
        events = {"accountId": "*", "types": ["iam.accountCreated"]}
        told = server.rows(EVENTS, "DescribeEvents", "events", **events) if extra else ()
        made = {one["data"]["accountId"] for one in told if one["data"].get("userId") == maker}
        for row in extra:
            thing = words.account(row["name"])
            if row["accountId"] not in made:
                plan.left.append(words.of_another(thing))
            elif reason := _why_not_empty(row):
                plan.hindered.append(words.not_empty(thing, reason))
            else:
                plan.ends.append(Step(END, thing, _close(row["accountId"])))

    def left(self, places: list[Place], rows: list[Row]) -> list[str]:
        """Return the things that the file does not have."""
        own = [one for place in places for kind in self._kinds for one in kind.left(place)]
        return own + [words.account(row["name"]) for row in _extra(places, rows)]

    def labels(self, rows: list[Row]) -> dict[str, str]:
        """Return what a file calls each account, by its id."""
        return labels(_open(rows), "accountId", ("*",))

    def write(self, rows: list[Row], server: Server, maker: str) -> dict[str, Any]:
        """Write all accounts that are not closed, by their names: two exports differ where the service does."""
        written = {}
        for account_id, label in sorted(self.labels(rows).items(), key=itemgetter(1)):
            row = next(one for one in rows if one["accountId"] == account_id)
            place = Place(label, row, maker=maker)
            self.fill(place, server, all_kinds=True)
            facts: dict[str, Any] = {}
            if label != row["name"]:
                facts |= {"id": account_id, "name": escaped(row["name"])}
            facts["timeZone"] = row["timeZone"]
            for kind in self._kinds:
                value = kind.write(place)
                if value is not None:
                    facts[kind.key] = value
            written[escaped(label)] = facts
        return written


def _open(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["status"] != "Closed"]


def _extra(places: list[Place], rows: list[Row]) -> list[Row]:
    named = {place.account["accountId"] for place in places if place.account is not None}
    return [row for row in _open(rows) if row["accountId"] not in named]


def _make(wanted: AccountWanted, rows: list[Row]) -> Step:
    known = frozenset(row["accountId"] for row in rows)

    def do(run: Run) -> None:
        body = {"name": wanted.name}
        if wanted.time_zone is not None:
            body["timeZone"] = wanted.time_zone

        def there_now() -> list[str]:
            found = run.server.rows(IAM, "DescribeAccounts", "accounts", name=wanted.name)
            return [row["accountId"] for row in found if row["status"] != "Closed"]

        making = Making(IAM, "CreateAccount", body, "accountId", known, there_now)
        made = run.make_secret(words.key_of(words.root_of(wanted.label)), making, "account", wanted.label)
        run.ids["account", wanted.label] = made["accountId"]

    details = (words.changed("timeZone", _(words.NOTHING), wanted.time_zone),) if wanted.time_zone else ()
    return Step(MAKE, words.account(wanted.label), do, (*details, words.new_keys(1)), makes_secret=True)


def _opening(wanted: AccountWanted, place: Place) -> Step:
    """Pay the opening balance, once in the life of an account: the token is the account's, whatever the amount."""

    def do(run: Run) -> None:
        account_id = place.account_id(run)
        try:
            run.server.call(
                ACCOUNT,
                "TopUpAccount",
                accountId=account_id,
                amount=str(wanted.opening),
                clientToken=token_of("opening", account_id),
            )
        except Refused as refused:
            if refused.code != MISMATCH or not _was_topped_up(run.server, account_id):
                raise

    return Step(CHANGE, words.account(wanted.label), do, (change("openingBalance", None, wanted.opening),))


def _was_topped_up(server: Server, account_id: str) -> bool:
    found = server.call(ACCOUNT, "DescribePostings", accountId=account_id, kind="TopUp", maxKeys=1)
    return bool(found["postings"])


def _changes(wanted: AccountWanted, row: Row) -> list[Step]:
    if wanted.name == row["name"]:
        return []

    def do(run: Run) -> None:
        run.server.call(IAM, "RenameAccount", accountId=row["accountId"], name=wanted.name)

    return [Step(CHANGE, words.account(wanted.label), do, (change("name", row["name"], wanted.name),))]


def _why_not_empty(row: Row) -> str | None:
    """Say why an account cannot be closed; None: it is empty."""
    instances = row["prepaid"]["instances"] + row["postpaid"]["instances"]
    if instances or row["services"]:
        return words.holds(instances, row["services"])
    if Decimal(row["balance"]):
        return words.has_money(row["balance"], row["currency"])
    return None


def _close(account_id: str) -> Any:
    def do(run: Run) -> None:
        run.server.call(IAM, "CloseAccount", accountId=account_id)

    return do
