"""Checks of orders and postings: an order agrees with its instance and its posting, and each posting has its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from leasebook.domain.record.ledger import FUNDING, PREPAID_REVENUE, USAGE_REVENUE, WRITTEN_OFF
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.verify.nouns.events import units_before_events

SHOWN_MAX: Final = 1000
HOURLY_MAX: Final = 61
"""Upper bound of an hourly charge in minutes; a posting of more is rolled up."""
_END: Final = f"p.since + p.minutes * {MINUTE_US}"


class Rule(NamedTuple):
    """A query that finds broken rows, and the sentence for each."""

    text: str
    words: str


RULES: Final = (
    Rule(
        "SELECT u.id, u.account_id, u.account FROM units u LEFT JOIN account_numbers n ON n.seq = u.account "
        "WHERE n.account_id IS NULL OR n.account_id <> u.account_id",
        "unit {0} of account {1} is in the lists of account number {2}, which is another one",
    ),
    Rule(
        "SELECT o.seq, o.unit FROM orders o WHERE o.unit_id IS NULL",
        "order number {0} is for unit number {1}, which does not exist",
    ),
    Rule(
        "SELECT u.id, count(o.seq) FROM units u LEFT JOIN order_rows o ON o.unit = u.seq AND o.kind = 'Purchase' "
        "GROUP BY u.id HAVING count(o.seq) <> 1",
        "unit {0} was bought by {1} orders",
    ),
    Rule(
        "SELECT o.id, o.account_id, o.region, o.type, u.id, u.account_id, u.region, u.type FROM orders o "
        "JOIN units u ON u.seq = o.unit WHERE o.account_id <> u.account_id OR o.region <> u.region "
        "OR o.type <> u.type",
        "order {0} is of account {1} for {2} {3}, and its unit {4} of account {5} for {6} {7}",
    ),
    Rule(
        "SELECT o.id, o.created_by, o.created_at, u.id, u.created_by, u.created_at, u.order_id FROM units u "
        "JOIN orders o ON o.unit = u.seq WHERE o.kind = 'Purchase' "
        "AND (o.id <> u.order_id OR o.created_by <> u.created_by OR o.created_at <> u.created_at)",
        "order {0} was given by {1} at {2}, and unit {3} was bought by {4} at {5} with order {6}",
    ),
    Rule(
        "SELECT id, count(*) FROM orders GROUP BY id HAVING count(*) > 1",
        "order {0} is there {1} times",
    ),
    Rule(
        "SELECT id, kind, payment_timing, months, amount, count FROM orders WHERE amount < 0 OR count < 1 "
        "OR months < 0 OR (payment_timing = 'Postpaid' AND (amount <> 0 OR (months <> 0 AND kind <> 'Conversion'))) "
        "OR (payment_timing = 'Prepaid' AND kind = 'Purchase' AND months < 1)",
        "order {0} is a {1}, {2}, for {3} months, {4} micro and {5} units, which none can be",
    ),
    Rule(
        "SELECT o.id, o.amount, coalesce(p.total, 0) FROM orders o LEFT JOIN (SELECT order_id, sum(amount) AS total "
        "FROM posting_rows WHERE order_id IS NOT NULL GROUP BY order_id) p ON p.order_id = o.id "
        "WHERE o.amount <> coalesce(p.total, 0)",
        "order {0} is about {1} micro, and {2} were posted for it",
    ),
    Rule(
        "SELECT p.seq, p.account_id, p.kind, p.at, p.unit_id, p.order_id FROM postings p "
        "LEFT JOIN orders o ON o.id = p.order_id WHERE p.order_id IS NOT NULL AND (o.id IS NULL "
        "OR o.account_id <> p.account_id OR o.kind <> p.kind OR o.created_at <> p.at OR p.unit_id IS NULL "
        "OR o.unit_id <> p.unit_id)",
        "posting {0} of account {1} is a {2} at {3} for unit {4}, and its order {5} is another one",
    ),
    Rule(
        "SELECT p.seq, p.account_id, p.kind, p.unit_id FROM postings p LEFT JOIN units u ON u.seq = p.unit "
        "WHERE (p.unit_id IS NULL) <> (p.kind IN ('TopUp', 'PayOut', 'WriteOff')) "
        "OR (p.unit IS NOT NULL AND u.id IS NULL) "
        "OR u.account_id <> p.account_id",
        "posting {0} of account {1} is a {2} for unit {3}, which is none of that account's",
    ),
    Rule(
        "SELECT seq, account_id, kind, debit, credit FROM postings WHERE CASE kind "
        f"WHEN 'TopUp' THEN debit <> '{FUNDING}' OR order_id IS NOT NULL "
        f"WHEN 'PayOut' THEN credit <> '{FUNDING}' OR order_id IS NOT NULL "
        f"WHEN 'WriteOff' THEN debit <> '{WRITTEN_OFF}' OR order_id IS NOT NULL "
        f"WHEN 'Usage' THEN credit <> '{USAGE_REVENUE}' OR order_id IS NOT NULL "
        f"WHEN 'Refund' THEN debit <> '{PREPAID_REVENUE}' OR order_id IS NOT NULL "
        f"ELSE credit <> '{PREPAID_REVENUE}' OR order_id IS NULL END",
        "posting {0} of account {1} is a {2} from {3} to {4}, which goes another way",
    ),
    Rule(
        "SELECT p.seq, p.unit_id, p.since, p.minutes, p.at FROM postings p JOIN units u ON u.seq = p.unit "
        "WHERE p.kind = 'Usage' AND p.price IS NOT NULL AND p.since IS NOT NULL AND (p.count < 1 OR p.minutes < 1 "
        f"OR p.since < u.created_at OR (p.minutes <= {HOURLY_MAX} AND p.at < {_END} - {MINUTE_US}) "
        f"OR p.at > {_END} + {2 * HOUR_US} OR p.until IS NOT NULL)",
        "posting {0} charges unit {1} from {2} for {3} minutes, at {4}",
    ),
    Rule(
        "SELECT p.seq, p.unit_id, p.since, p.minutes, p.at FROM postings p JOIN units u ON u.seq = p.unit "
        "JOIN prices l ON l.region = u.region AND l.type = u.type WHERE p.kind = 'Usage' AND p.price IS NOT NULL "
        # Units added to a charged minute are charged by a posting of their own, and later (decision 28).
        f"AND p.since IS NOT NULL AND p.minutes > 1 AND p.at > {_END} "
        "AND replace(l.changes, 'null', '') = l.changes AND replace(l.changes, ',0]', '') = l.changes "
        "AND NOT EXISTS (SELECT 1 FROM posting_rows q WHERE q.unit = p.unit AND q.at = p.at AND q.since > p.since)",
        "posting {0} charges unit {1} from {2} for {3} minutes only at {4}",
    ),
    Rule(
        "SELECT seq, kind, count, minutes, price, since, until FROM posting_rows WHERE "
        "CASE WHEN kind IN ('TopUp', 'Refund', 'PayOut', 'WriteOff') THEN count IS NOT NULL "
        "OR minutes IS NOT NULL OR price IS NOT NULL "
        "OR since IS NOT NULL OR until IS NOT NULL "
        "WHEN kind = 'Usage' THEN price IS NOT NULL AND (count IS NULL OR since IS NULL OR minutes IS NULL) "
        "ELSE minutes IS NOT NULL OR since >= until END",
        "posting {0} is a {1} of {2} units for {3} minutes at {4}, from {5} until {6}, which none can be",
    ),
)


def order_findings(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each row that breaks a rule, at most ``SHOWN_MAX`` of a kind."""
    yield from by_rules(fetch, RULES)


def by_rules(fetch: Fetch, rules: tuple[Rule, ...]) -> Iterator[str]:
    """Yield a line for each row that the rules' queries find.

    Instances that are older than events were written by the first versions, which did not update some of their columns;
    rules whose query begins with instances skip them.
    """
    before = units_before_events(fetch) or 0
    for rule, words in rules:
        text = rule
        if before:
            text = rule.replace(" FROM units u", f" FROM (SELECT * FROM units WHERE seq > {before}) u", 1)
        for row in fetch(f"{text} LIMIT ?", (SHOWN_MAX,)):
            yield words.format(*_plain(row))


def _plain(row: tuple[Any, ...]) -> list[Any]:
    return ["none" if value is None else value for value in row]
