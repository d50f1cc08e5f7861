"""Proving whose rows are: what names an account, a user, a service or an instance names one that there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leasehold.domain.model import EVERYBODYS
from leasehold.store.check_orders import Rule, by_rules
from leasehold.store.queries import Fetch

_OWNED: Final = (
    ("units", "unit", "id"),
    ("services", "service", "id"),
    ("orders", "order", "id"),
    ("quotes", "quote", "id"),
    ("calls", "count of calls of service", "service_id"),
    ("packages", "package", "id"),
    ("tokens", "client token", "value"),
    ("hooks", "subscription", "id"),
    ("event_pages", "page of events", "seq"),
    ("model_sets", "model set", "id"),
    ("models", "model", "id"),
)
_MADE: Final = (
    ("units", "unit", "id"),
    ("services", "service", "id"),
    ("orders", "order", "id"),
    ("packages", "package", "id"),
    ("hooks", "subscription", "id"),
    ("model_sets", "model set", "id"),
    ("models", "model", "id"),
)
"""Tables with the account that a row belongs to, and with the user who made it."""

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
        "SELECT l.unit_id, l.holder FROM leases l LEFT JOIN units u ON u.id = l.unit_id WHERE u.id IS NULL",
        "worker {1} looks after unit {0}, which does not exist",
    ),
    Rule(
        "SELECT p.region, p.type FROM prices p LEFT JOIN offerings o ON o.region = p.region AND o.type = p.type "
        "WHERE o.type IS NULL",
        "prices of {0} {1} are of nothing that the catalogue has",
    ),
)


def tie_findings(fetch: Fetch) -> Iterator[str]:
    """Return a line for each row that names what there is not."""
    yield from by_rules(fetch, RULES)
