"""Checks of an instance's meter, term and times, beyond the comparison with events and the agenda."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec

from leasebook.domain.rules.term import RENEWAL_DAYS
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant, add_months
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.verify.nouns.events import units_before_events
from leasebook.store.verify.nouns.orders import HOURLY_MAX, Rule, by_rules

SHOWN_MAX: Final = 1000
ROWS_AT_ONCE: Final = 5_000
_UP: Final = "u.status IN ('Running', 'Reconfiguring', 'ReconfigureFailed', 'BillingChanging')"
_OVER: Final = "u.status IN ('Releasing', 'Released', 'CreateFailed')"
_METERED: Final = f"u.meter_from + u.metered_minutes * {MINUTE_US}"
_CHARGED: Final = f"p.since + CAST(p.minutes AS BIGINT) * {MINUTE_US}"

RULES: Final = (
    Rule(
        "SELECT u.id, u.kind, u.region, u.type FROM units u LEFT JOIN offerings o ON o.region = u.region "
        "AND o.type = u.type WHERE o.type IS NULL OR o.kind <> u.kind",
        "unit {0} is {1} of {2} {3}, which the catalogue has not got",
    ),
    Rule(
        "SELECT u.id, u.service_id FROM units u LEFT JOIN services s ON s.id = u.service_id "
        "WHERE u.service_id IS NOT NULL AND (s.id IS NULL OR s.account_id <> u.account_id)",
        "unit {0} was bought for service {1}, which its account has not got",
    ),
    Rule(
        "SELECT u.id, u.status, u.target_count FROM units u WHERE u.count < 1 OR (u.target_count IS NULL "
        "AND u.status = 'Reconfiguring') OR (u.target_count IS NOT NULL "
        "AND u.status NOT IN ('Reconfiguring', 'Releasing'))",
        "unit {0} is {1} and is to have {2} units",
    ),
    Rule(
        "SELECT u.id, u.target_count, o.count FROM units u JOIN order_rows o "
        "ON o.seq = (SELECT max(r.seq) FROM order_rows r WHERE r.unit = u.seq AND r.kind = 'Resize') "
        "WHERE u.target_count IS NOT NULL AND u.target_count <> o.count",
        "unit {0} is to have {1} units, and its last resize was to {2}",
    ),
    Rule(
        "SELECT u.id, u.resize_paid, coalesce(o.paid, 0) FROM units u LEFT JOIN (SELECT unit, sum(amount) AS paid "
        "FROM order_rows WHERE kind IN ('Resize', 'Renewal') GROUP BY unit) o ON o.unit = u.seq "
        "WHERE u.resize_paid < 0 OR u.resize_paid > coalesce(o.paid, 0) "
        f"OR (u.resize_paid <> 0 AND u.target_count IS NULL AND NOT ({_OVER}))",
        "unit {0} has {1} micro paid for a resize, and its orders say {2}",
    ),
    Rule(
        "SELECT u.id, u.resize_paid, o.amount FROM units u JOIN order_rows o "
        "ON o.seq = (SELECT max(r.seq) FROM order_rows r WHERE r.unit = u.seq) "
        "WHERE u.status = 'Reconfiguring' AND o.kind = 'Resize' AND u.resize_paid <> o.amount",
        "unit {0} has {1} micro paid for a resize, and its order says {2}",
    ),
    Rule(
        "SELECT u.id, u.payment_timing, u.status FROM units u WHERE CASE WHEN u.payment_timing = 'Prepaid' THEN "
        "(u.started_at IS NOT NULL AND u.expires_at IS NULL) OR u.term_months < 1 OR u.release_at IS NOT NULL "
        "OR (u.term_from IS NULL) <> (u.expires_at IS NULL) OR (u.term_anchor IS NULL) <> (u.expires_at IS NULL) "
        "ELSE u.term_months <> 0 OR u.term_from IS NOT NULL OR u.term_anchor IS NOT NULL OR u.expires_at IS NOT NULL "
        "OR u.auto_renew OR u.renew_at IS NOT NULL END OR u.auto_renew_months < 1",
        "unit {0} is {1} and {2}, and its term is that of another",
    ),
    Rule(
        "SELECT u.id, u.status, u.started_at, u.ended_at, u.released_at FROM units u WHERE "
        f"(u.started_at IS NULL AND ({_UP} OR u.status = 'Stopped')) "
        "OR (u.started_at IS NOT NULL AND u.status IN ('Creating', 'CreateFailed')) "
        "OR (u.ended_at IS NULL) <> (u.status NOT IN ('Releasing', 'Released')) "
        "OR (u.end_reason IS NULL) <> (u.ended_at IS NULL) OR (u.released_at IS NULL) <> (u.status <> 'Released') "
        "OR u.started_at < u.created_at OR u.released_at < u.ended_at",
        "unit {0} is {1}, started at {2}, ended at {3} and released at {4}",
    ),
    Rule(
        "SELECT u.id, u.status FROM units u WHERE "
        f"(NOT ({_UP}) AND (u.charge_at IS NOT NULL OR u.stop_at IS NOT NULL)) "
        f"OR (NOT ({_UP}) AND u.status <> 'Stopped' AND u.renew_at IS NOT NULL) "
        "OR (u.status <> 'Stopped' AND (u.retire_at IS NOT NULL OR u.resume_at IS NOT NULL)) "
        "OR (u.status = 'Stopped' AND u.retire_at IS NULL) "
        f"OR ({_UP} AND u.payment_timing = 'Postpaid' AND (u.charge_at IS NULL OR u.meter_from IS NULL)) "
        f"OR (u.payment_timing = 'Prepaid' AND (u.charge_at IS NOT NULL OR u.stop_at IS NOT NULL)) "
        "OR (u.status IN ('Creating', 'CreateFailed') AND u.meter_from IS NOT NULL)",
        "unit {0} is {1}, and has times that are those of another status",
    ),
    Rule(
        "SELECT u.id, u.stop_at, a.arrears_since FROM units u JOIN accounts a ON a.id = u.account_id "
        "WHERE u.stop_at IS NOT NULL AND (u.stop_at < u.created_at OR u.stop_at < a.arrears_since)",
        "unit {0} is to stop at {1}, and its account is in debt since {2}",
    ),
    Rule(
        f"SELECT u.id, u.meter_from, u.metered_minutes, u.charge_at FROM units u WHERE u.metered_minutes < 0 "
        "OR u.metered_peak < 0 OR u.meter_from < u.started_at "
        "OR (u.metered_minutes = 0 AND u.metered_peak <> 0) "
        f"OR ({_UP} AND u.payment_timing = 'Postpaid' AND (u.metered_peak < 1) <> (u.metered_minutes < 1)) "
        f"OR ({_UP} AND u.payment_timing = 'Postpaid' AND ({_METERED} >= u.charge_at + {MINUTE_US} "
        f"OR {_METERED} < u.charge_at - {2 * HOUR_US})) "
        f"OR (u.ended_at IS NOT NULL AND u.payment_timing = 'Postpaid' AND {_METERED} >= u.ended_at + {MINUTE_US})",
        "unit {0} is metered since {1} for {2} minutes, and charged next at {3}",
    ),
    Rule(
        f"SELECT u.id, max({_CHARGED}), max({_METERED}) FROM units u JOIN posting_rows p ON p.unit = u.seq "
        "WHERE p.kind = 'Usage' AND u.meter_from IS NOT NULL AND p.since >= u.meter_from "
        f"GROUP BY u.id HAVING max({_CHARGED}) > max({_METERED})",
        "unit {0} was charged until {1}, and is metered until {2}",
    ),
    Rule(
        "SELECT u.id, u.metered_peak, sum(p.count) FROM units u JOIN posting_rows p ON p.unit = u.seq "
        f"WHERE p.kind = 'Usage' AND {_CHARGED} = {_METERED} AND p.since >= u.meter_from AND u.meter_from IS NOT NULL "
        "AND u.payment_timing = 'Postpaid' "
        f"GROUP BY u.id, u.metered_peak HAVING u.metered_peak <> sum(p.count) AND max(p.minutes) <= {HOURLY_MAX}",
        "unit {0} was charged for {1} units in its last minute, and its postings say {2}",
    ),
    Rule(
        "SELECT p.seq, u.id, p.since FROM units u JOIN posting_rows p ON p.unit = u.seq "
        "WHERE p.kind = 'Usage' AND u.meter_from = u.started_at AND p.since >= u.meter_from "
        f"AND (p.since - u.meter_from) / {MINUTE_US} * {MINUTE_US} <> p.since - u.meter_from",
        "posting {0} charges unit {1} from {2}, when no minute of its meter began",
    ),
    Rule(
        "SELECT u.id, r.most, u.generation FROM units u JOIN (SELECT unit_id, max(generation) AS most FROM replicas "
        "GROUP BY unit_id) r ON r.unit_id = u.id WHERE u.generation <> r.most",
        "unit {0} has a replica of try {1}, and says that {2} were made",
    ),
    Rule(
        "SELECT u.id, u.generation FROM units u WHERE u.generation < 0 OR (u.generation > 0 "
        "AND NOT EXISTS (SELECT 1 FROM replicas r WHERE r.unit_id = u.id))",
        "unit {0} says that {1} tries were made to run something on it, and it has no replica",
    ),
)


def unit_findings(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each instance that breaks a rule."""
    yield from by_rules(fetch, RULES)
    yield from _terms(fetch)
    yield from _reminders(fetch)


def _terms(fetch: Fetch) -> Iterator[str]:
    """Check that a term ends that many months after its anchor, and that its renewal is tried before."""
    zones: dict[str, str] = dict(fetch("SELECT id, time_zone FROM accounts", ()))
    turned: dict[str, list[int]] = {}
    for unit, at in fetch("SELECT unit_id, created_at FROM orders WHERE kind = 'Conversion'", ()):
        turned.setdefault(unit, []).append(at)
    tries = {days * DAY_US for days in RENEWAL_DAYS}

    @cache
    def end(anchor: Instant, months: int, zone: str) -> Instant:
        return add_months(anchor, months, zone)

    last = units_before_events(fetch) or 0
    while rows := fetch(
        "SELECT seq, id, account_id, status, term_anchor, term_months, expires_at, term_from, started_at, renew_at "
        "FROM units WHERE seq > ? AND term_anchor IS NOT NULL ORDER BY seq LIMIT ?",
        (last, ROWS_AT_ONCE),
    ):
        last = rows[-1][0]
        for _, unit, account, status, anchor, months, expires, since, started, renew in rows:
            zone = zones.get(account)
            if zone is None or expires is None:
                continue
            if end(anchor, months, zone) != expires:
                yield f"unit {unit} has a term of {months} months from {anchor}, which does not end at {expires}"
            # An instance that becomes prepaid has a term from the end of its last metered minute (decision 28).
            begins = since in (None, started) or any(at <= since < at + MINUTE_US for at in turned.get(unit, ()))
            if started is not None and not begins:
                yield f"unit {unit} started at {started} and has a term from {since} to {expires}"
            # During retention the renewal is tried every day (decision 30).
            late = status == "Stopped" and renew is not None and renew > expires and (renew - expires) % DAY_US == 0
            if renew is not None and expires - renew not in tries and not late:
                yield f"unit {unit} is renewed at {renew}, and its term ends at {expires}"


def _reminders(fetch: Fetch) -> Iterator[str]:
    """Check that the next reminder is due at the longest of the remaining offsets before the deadline."""
    for unit, due, offsets, ends in fetch(
        "SELECT id, remind_at, remind_before_us, CASE WHEN payment_timing = 'Postpaid' THEN release_at ELSE expires_at "
        "END FROM units WHERE remind_at IS NOT NULL AND remind_before_us <> ''",
        (),
    ):
        left = msgspec.json.decode(offsets, type=list[int])
        if ends is not None and (left != sorted(set(left), reverse=True) or ends - left[0] != due):
            yield f"unit {unit} is reminded at {due}, and of its end {ends} so long before: {offsets}"
