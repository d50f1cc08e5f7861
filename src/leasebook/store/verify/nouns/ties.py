"""Checks of references: rows that name an account, a user, a service or an instance name an existing one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.commands.store.bootstrap import CLOCK_MODE, FOUNDED, ROOT_USER
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.commands.store.demo import DEMO_LOADED, SERVICE_ID
from leasebook.domain.commands.store.former_name import NAME
from leasebook.domain.commands.store.master_key import BEFORE_KEY, NEXT_KEY, PAST_KEYS
from leasebook.domain.costs.rows import COSTS_SUMMED
from leasebook.domain.model.model import EVERYBODYS
from leasebook.domain.record.identity_log import LOG_END, MASTER_KEY
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.verify.nouns.events import UNITS_BEFORE_EVENTS
from leasebook.store.verify.nouns.orders import Rule, by_rules

_OWNED: Final = (
    ("units", "unit", "id"),
    ("services", "service", "id"),
    ("orders", "order", "id"),
    ("quotes", "quote", "id"),
    ("approvals", "request for an approval", "id"),
    ("calls", "count of calls of service", "service_id"),
    ("packages", "package", "id"),
    ("tokens", "client token", "value"),
    ("hooks", "subscription", "id"),
    ("event_pages", "page of events", "seq"),
    ("model_sets", "model set", "id"),
    ("models", "model", "id"),
    ("projects", "project", "id"),
)
_MADE: Final = (
    ("units", "unit", "id"),
    ("services", "service", "id"),
    ("orders", "order", "id"),
    ("packages", "package", "id"),
    ("hooks", "subscription", "id"),
    ("model_sets", "model set", "id"),
    ("models", "model", "id"),
    ("projects", "project", "id"),
)
"""Tables with the account that owns a row, and tables with the user who created it."""

_LIVES: Final = (
    ("units", "instances", "t.status <> 'Released' AND t.status <> 'CreateFailed'"),
    ("services", "services", "t.deleted_at IS NULL"),
    ("access_keys", "access keys", "t.status = 'Active'"),
    ("service_keys", "service keys", "t.status = 'Active'"),
    ("hooks", "subscriptions", "t.status IN ('Active', 'Paused', 'Pending')"),
    ("approvals", "requests for approvals", "t.status = 'Open'"),
)
"""The things that must not live in a closed account: table, name, and the condition for living."""
_IN_PROJECTS: Final = (
    ("units", "unit", "t.status <> 'Released' AND t.status <> 'CreateFailed'"),
    ("services", "service", "t.deleted_at IS NULL"),
)
"""The things that must not live in a closed project. A package may be over by itself, and is closed with its project.
"""

RULES: Final = (
    *(
        Rule(
            f"SELECT t.{key}, t.account_id FROM {table} t LEFT JOIN accounts a ON a.id = t.account_id "
            f"WHERE a.id IS NULL AND t.account_id <> '{EVERYBODYS}'",
            f"{called} {{0}} belongs to account {{1}}, which does not exist",
        )
        for table, called, key in _OWNED
    ),
    *(
        Rule(
            f"SELECT t.{key}, t.created_by FROM {table} t LEFT JOIN users u ON u.id = t.created_by WHERE u.id IS NULL",
            f"{called} {{0}} was made by user {{1}}, who does not exist",
        )
        for table, called, key in _MADE
    ),
    Rule(
        "SELECT s.engine, s.told_to FROM supplies s LEFT JOIN accounts a ON a.id = s.told_to "
        "WHERE s.told_to IS NOT NULL AND a.id IS NULL",
        "what engine {0} has is told to account {1}, which does not exist",
    ),
    Rule(
        "SELECT q.id, q.used_by FROM quotes q LEFT JOIN units u ON u.id = q.used_by WHERE q.used_by IS NOT NULL "
        "AND (u.id IS NULL OR u.account_id <> q.account_id OR u.region <> q.region OR u.type <> q.type)",
        "quote {0} was used for unit {1}, which is none that it was for",
    ),
    Rule(
        "SELECT c.service_id, c.app_id, c.account_id FROM calls c LEFT JOIN services s ON s.id = c.service_id "
        "WHERE s.id IS NULL OR s.account_id <> c.account_id",
        "calls of service {0} by {1} are counted for account {2}, whose service it is not",
    ),
    Rule(
        "SELECT p.id, p.used, p.specification FROM packages p WHERE p.used < 0 OR p.used > p.specification "
        "OR p.started_at >= p.expires_at",
        "package {0} has {1} of {2} used",
    ),
    Rule(
        "SELECT r.unit_id, r.service_id, r.number, r.account_id FROM replicas r JOIN units u ON u.id = r.unit_id "
        "LEFT JOIN services s ON s.id = r.service_id "
        "WHERE u.account_id <> r.account_id OR s.id IS NULL OR s.account_id <> r.account_id",
        "replica {2} of service {1} on unit {0} belongs to account {3}, and they do not",
    ),
    Rule(
        "SELECT r.unit_id, r.service_id, r.number, r.model_id FROM replicas r LEFT JOIN models m ON m.id = r.model_id "
        "WHERE m.id IS NULL OR (m.account_id <> r.account_id AND m.account_id <> '')",
        "replica {2} of service {1} on unit {0} runs model {3}, which its account has not got",
    ),
    Rule(
        "SELECT r.unit_id, r.service_id, r.number, r.units FROM replicas r JOIN units u ON u.id = r.unit_id "
        "WHERE r.units < 1 OR r.number < 0 OR r.generation < 1 OR r.restarts < 0 "
        "OR (r.state NOT IN ('Gone', 'Failed') AND r.units > u.count)",
        "replica {2} of service {1} takes {3} units of unit {0}",
    ),
    Rule(
        "SELECT r.unit_id, r.service_id, r.number, r.outage, r.down_since FROM replicas r "
        "WHERE r.outage NOT IN ('None', 'Down', 'Reported', 'Unwanted') OR (r.number <> 0 AND r.outage <> 'None') "
        "OR (r.outage IN ('Down', 'Reported')) <> (r.down_since IS NOT NULL)",
        "replica {2} of service {1} on unit {0} has outage {3} since {4}, and those do not go together",
    ),
    Rule(
        "SELECT l.unit_id, l.holder FROM leases l LEFT JOIN units u ON u.id = l.unit_id WHERE u.id IS NULL",
        "worker {1} looks after unit {0}, which does not exist",
    ),
    Rule(
        "SELECT s.id, s.made, count(m.id) FROM model_sets s LEFT JOIN models m ON m.set_id = s.id "
        "GROUP BY s.id, s.made HAVING s.made <> count(m.id)",
        "model set {0} says that it ever had {1} versions, and {2} are there",
    ),
    Rule(
        "SELECT s.id, s.modified_at, max(t.changed_at) FROM model_sets s JOIN ("
        "SELECT id AS set_id, created_at AS changed_at FROM model_sets UNION ALL "
        "SELECT set_id, created_at FROM models UNION ALL "
        "SELECT set_id, deleted_at FROM models WHERE deleted_at IS NOT NULL) t ON t.set_id = s.id "
        "GROUP BY s.id, s.modified_at, s.created_at "
        "HAVING COALESCE(s.modified_at, s.created_at) <> max(t.changed_at)",
        "model set {0} says that it was last changed at {1}, and its versions say {2}",
    ),
    Rule(
        "SELECT p.region, p.type FROM prices p LEFT JOIN offerings o ON o.region = p.region AND o.type = p.type "
        "WHERE o.type IS NULL",
        "prices of {0} {1} are of nothing that the catalogue has",
    ),
    Rule(
        "SELECT k.id, k.user_id FROM access_keys k JOIN users u ON u.id = k.user_id "
        "WHERE k.status = 'Active' AND u.deleted_at IS NOT NULL",
        "access key {0} is active, and its user {1} is deleted",
    ),
    Rule(
        "SELECT a.id, count(u.id) FROM accounts a LEFT JOIN users u ON u.account_id = a.id AND u.is_root "
        "AND u.deleted_at IS NULL GROUP BY a.id HAVING count(u.id) <> 1",
        "account {0} has {1} root users, and every account has one",
    ),
    Rule(
        "SELECT o.region, o.type, o.stock_total - o.stock_free + o.oversold FROM offerings o "
        "WHERE o.removed_at IS NOT NULL AND o.stock_total - o.stock_free + o.oversold <> 0",
        "offering {0} {1} is removed, and {2} of its units are held",
    ),
    Rule(
        "SELECT o.region, o.type FROM offerings o WHERE o.removed_at IS NOT NULL "
        "AND (o.closed_at IS NULL OR o.stock_total <> 0 OR o.stock_source <> 'Set')",
        "offering {0} {1} is removed, and is not closed, or has stock",
    ),
    *(
        Rule(
            f"SELECT a.id, count(t.id) FROM accounts a JOIN {table} t ON t.account_id = a.id "
            f"WHERE a.status = 'Closed' AND {lives} GROUP BY a.id",
            f"account {{0}} is closed, and {{1}} of its {called} still live",
        )
        for table, called, lives in _LIVES
    ),
    *(
        Rule(
            f"SELECT t.id, t.project_id FROM {table} t LEFT JOIN projects p ON p.id = t.project_id "
            "AND p.account_id = t.account_id WHERE t.project_id IS NOT NULL AND p.id IS NULL",
            f"{called} {{0}} is in the project {{1}}, which is none of its account",
        )
        for table, called in (("units", "unit"), ("services", "service"), ("packages", "package"))
    ),
    *(
        Rule(
            f"SELECT t.id, t.project_id FROM projects p JOIN {table} t ON t.project_id = p.id "
            f"WHERE p.status = 'Closed' AND {lives}",
            f"{called} {{0}} lives in the project {{1}}, which is closed",
        )
        for table, called, lives in _IN_PROJECTS
    ),
    Rule(
        "SELECT p.account_id, p.name, count(*) FROM projects p WHERE p.status = 'Active' "
        "GROUP BY p.account_id, p.name HAVING count(*) > 1",
        "account {0} has {2} active projects of the name {1}",
    ),
    Rule(
        "SELECT p.id, p.status FROM projects p WHERE (p.status = 'Closed') <> (p.closed_at IS NOT NULL)",
        "project {0} is {1}, and the time of its end says something else",
    ),
    Rule(
        "SELECT p.service_id, p.unit_id FROM placements p JOIN units u ON u.id = p.unit_id JOIN services s "
        "ON s.id = p.service_id WHERE coalesce(u.project_id, '') <> coalesce(s.project_id, '')",
        "service {0} has replicas on unit {1}, which is in another project",
    ),
    Rule(
        "SELECT a.id, a.balance FROM accounts a WHERE a.status = 'Closed' AND a.balance <> 0",
        "account {0} is closed, and its balance is {1} micro",
    ),
    Rule(
        "SELECT p.seq, p.kind, p.account_id FROM postings p JOIN accounts a ON a.id = p.account_id "
        "WHERE p.kind <> 'Usage' AND p.kind IN ('PayOut', 'WriteOff') AND a.status <> 'Closed'",
        "posting {0} is a {1} of account {2}, which is not closed",
    ),
)


FACTS: Final = {
    CLOCK_MODE: "virtual|real",
    VIRTUAL_NOW: "[0-9]+",
    FOUNDED: "[0-9]+",
    DEMO_LOADED: "[0-9]+",
    UNITS_BEFORE_EVENTS: "[0-9]+",
    IDENTITY_EPOCH: "[0-9]+",
    ROOT_USER: "[!-~]+",
    NAME: "[a-z]+",
    LOG_END: "[0-9]+:[0-9a-f]{64}",
    MASTER_KEY: "[0-9a-f]{64}",
    NEXT_KEY: "([0-9a-f]{64})?",
    BEFORE_KEY: "([0-9a-f]{64})?",
    PAST_KEYS: "(?s).*",
    COSTS_SUMMED: "[0-9]+",
}
"""The names of metadata rows, and the form of each value."""


def fact_findings(fetch: Fetch) -> Iterator[str]:
    """Check that metadata values have their form, and that none is missing."""
    found: dict[str, str] = dict(fetch("SELECT name, value FROM facts", ()))
    for name, value in found.items():
        if name in FACTS and re.fullmatch(FACTS[name], value) is None:
            yield f"the store remembers {name} as {value!r}, which it cannot be"
    if FOUNDED in found:
        for name in (CLOCK_MODE, ROOT_USER, UNITS_BEFORE_EVENTS):
            if name not in found:
                yield f"the store does not remember {name}"
        if (found.get(CLOCK_MODE) == "virtual") != (VIRTUAL_NOW in found):
            yield f"the store's clock is {found.get(CLOCK_MODE)}, and it stands at {found.get(VIRTUAL_NOW)}"
    if DEMO_LOADED not in found and fetch("SELECT 1 FROM services WHERE id = ?", (SERVICE_ID,)):
        yield f"the store has the demo and does not remember {DEMO_LOADED}"


def price_findings(fetch: Fetch) -> Iterator[str]:
    """Check that an offering's price per minute is the last of its prices; without prices it must have none."""
    for region, unit_type, price, changes in fetch(
        "SELECT o.region, o.type, o.per_minute, p.changes FROM offerings o LEFT JOIN prices p ON p.region = o.region "
        "AND p.type = o.type",
        (),
    ):
        listed = [] if changes is None else msgspec.json.decode(changes, type=list[tuple[int, int | None]])
        last = listed[-1][1] if listed else None
        if last != price:
            yield f"offering {region} {unit_type} costs {price} micro a minute, and its prices say {last}"
        if listed != sorted(listed, key=lambda change: change[0]):
            yield f"prices of {region} {unit_type} do not follow one another"


def tie_findings(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each row that refers to a missing one, in a store that was created completely."""
    if fetch("SELECT 1 FROM facts WHERE name = ?", (FOUNDED,)):
        yield from by_rules(fetch, RULES)
