"""A house: the wishes of a file, the plan that fulfils them, and the file that describes a service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.accounts import AccountWanted
from leasebook.cli.house.kinds.kind import Place
from leasebook.cli.house.kinds.offerings import OfferingWanted
from leasebook.cli.house.kinds.own_projects import own_projects
from leasebook.cli.house.kinds.subscriptions import Known, SubscriptionWanted
from leasebook.cli.house.kinds.table import ACCOUNTS, OFFERINGS, SUBSCRIPTIONS
from leasebook.cli.house.plan import MAKE, Plan, Run, Step
from leasebook.cli.house.reading import Node, Text, read
from leasebook.cli.house.secrets_file import Asked
from leasebook.cli.house.server import IAM, Refused, Server
from leasebook.cli.house.words import BadHouse
from leasebook.cli.terminal.texts import _

_HOUSE: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class House:
    """The house of a file. None: the file says nothing about offerings, accounts or subscriptions."""

    name: str
    offerings: Mapping[str, OfferingWanted] | None
    accounts: Mapping[str, AccountWanted] | None
    subscriptions: list[SubscriptionWanted] | None


def house_of(text: bytes, variables: Mapping[str, str]) -> House:
    """Read a file; raises BadHouse with the line."""
    root = read(text, variables)
    parts = {one.key: one.read for one in (OFFERINGS, ACCOUNTS, SUBSCRIPTIONS)}
    given = schema.fields(root, {"house": _house, **parts})
    if "house" not in given:
        raise BadHouse(words.NO_HOUSE, root.line)
    return House(given["house"], *(given.get(key) for key in parts))


def _house(node: Node) -> str:
    name = schema.text(node)
    if not _HOUSE.fullmatch(name):
        raise BadHouse(words.bad_house(schema.shown(node) if isinstance(node, Text) else name), node.line)
    return name


def maker_of(server: Server) -> str:
    """Return the id of the user whose key the command has; raises Refused."""
    for row in server.rows(IAM, "DescribeUsers", "users"):
        if any(key["accessKeyId"] == server.access_key for key in row["accessKeys"]):
            return str(row["userId"])
    raise Refused("DescribeUsers", "ResourceNotFound", _(words.WHO_ARE_YOU))


def plan_of(house: House, server: Server, asked: Iterable[Asked], *, prune: bool) -> Plan:
    """Look at the service, and plan what makes it the house; raises BadHouse and Refused."""
    maker = maker_of(server)
    plan = Plan(maker)
    catalogue = OFFERINGS.look(server) if house.offerings is not None else {}
    rows = ACCOUNTS.look(server) if house.accounts is not None or house.subscriptions else []
    places: list[Place] = ACCOUNTS.places(house.accounts or {}, rows, server, maker)
    projects = own_projects(server, places) if any(one.projects for one in house.subscriptions or ()) else None
    pending, known = [one for one in asked if one.by == maker], Known(places, rows, projects)
    is_looked_at = house.subscriptions is not None or any(one.action == "CreateSubscription" for one in pending)
    there = SUBSCRIPTIONS.look(server) if is_looked_at else []
    for one in pending:
        if ACCOUNTS.unfetched(one, rows, places) or SUBSCRIPTIONS.unfetched(one, there):
            plan.add([_fetching(one, server)])
    OFFERINGS.plan(house.offerings or {}, catalogue, plan)
    for wanted, place in zip((house.accounts or {}).values(), places, strict=True):
        ACCOUNTS.plan(wanted, place, rows, plan, server)
    SUBSCRIPTIONS.plan(house.subscriptions or [], there, known, plan)
    # A thing ends before those that it depends on.
    if house.subscriptions is not None:
        if prune:
            SUBSCRIPTIONS.prune(house.subscriptions, there, known, plan, maker)
        plan.left += [] if prune else SUBSCRIPTIONS.left(house.subscriptions, there, known)
    if house.accounts is not None:
        if prune:
            ACCOUNTS.prune(places, rows, plan, server, maker)
        plan.left += [] if prune else ACCOUNTS.left(places, rows)
    if house.offerings is not None:
        if prune:
            OFFERINGS.prune(house.offerings, catalogue, plan, server, maker)
        plan.left += [] if prune else OFFERINGS.left(house.offerings, catalogue)
    return plan


def _fetching(asked: Asked, server: Server) -> Step:
    if asked.is_repeatable(server.now()):
        return Step(MAKE, words.fetched(asked.of), lambda run: run.fetch_secret(asked), makes_secret=True)

    def give_up(run: Run) -> None:
        run.secrets.given_up(asked)

    return Step(MAKE, words.lapsed(asked.of, asked.time), give_up, makes_secret=True)


def export_of(server: Server, name: str) -> dict[str, Any]:
    """Return the file that describes the service, as plain values; raises Refused."""
    rows, maker = ACCOUNTS.look(server), maker_of(server)
    subscriptions = SUBSCRIPTIONS.look(server)
    projects = own_projects(server) if any(row.get("projectIds") for row in subscriptions) else None
    return {
        "house": name,
        OFFERINGS.key: OFFERINGS.write(OFFERINGS.look(server)),
        ACCOUNTS.key: ACCOUNTS.write(rows, server, maker),
        SUBSCRIPTIONS.key: SUBSCRIPTIONS.write(subscriptions, ACCOUNTS.labels(rows), projects),
    }


def text_of(house: Mapping[str, Any]) -> str:
    """Write a house as YAML."""
    import yaml

    # The values share no lists or tables, so no alias is written.
    written: str = yaml.safe_dump(dict(house), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return words.EXPORTED + written
