"""Answering the question for costs: from sums, from postings that are not part of them yet, and a forecast."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from leasebook.api.across import Meant
from leasebook.api.context import EARLIEST, LATEST
from leasebook.api.fault import Fault, bad_field
from leasebook.domain.book.project_scope import Projects
from leasebook.domain.costs.folding import GROUPS_MAX, Charge, Fold, Groups, fold_payments
from leasebook.domain.costs.forecast import Around, expect
from leasebook.domain.costs.periods import Granularity, Periods, count_max, cover, is_start
from leasebook.domain.costs.question import DIMENSIONS, TAG, USAGE, Amounts, Answer, Asked, Key, is_known
from leasebook.domain.costs.rows import Alike
from leasebook.domain.costs.spread import spreads_of
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.offering import QUOTA, UNITS_OF_COMPUTE, PriceList
from leasebook.domain.values.calendar import BadTime, Instant, parse_time, rfc3339
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.queries.costs import Span
from leasebook.ports.queries.read_repository import ReadRepository, UnitFilter

PERIODS_MAX: Final = 2_500
"""Periods of one answer: 50 days by the hour, six years by the day."""
ROWS_MAX: Final = 200_000
"""Rows of all pages of one answer; all of them are in memory."""
FORECAST_MAX: Final = 100_000
"""Live instances that a forecast looks at one by one."""
EVERY_POSTING: Final = 2**62


class AskedCosts(NamedTuple):
    """The question. ``since`` and ``until`` are texts: without an offset they are read on each account's clocks."""

    since: str
    until: str
    granularity: Granularity
    group_by: tuple[str, ...]
    only: dict[str, frozenset[str | None]]
    forecast: bool
    now: Instant
    rules: Rules


class RowKey(NamedTuple):
    """A row: its period, and the values of its group."""

    since: Instant
    until: Instant
    values: Key


class Found(NamedTuple):
    """The answer, and the time zones of its accounts."""

    rows: dict[RowKey, Amounts]
    total: Amounts
    zones: set[str]


def read_group_by(given: Sequence[str]) -> tuple[str, ...]:
    """Return the names in their normal form; raises Fault for an unknown one, and for one that is given twice."""
    names = tuple(_name(name, "groupBy") for name in given)
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise bad_field("groupBy", f"{twice[:80]!r} is given twice; give it once.")
    return names


def read_only(given: Mapping[str, str | list[str | None] | None]) -> dict[str, frozenset[str | None]]:
    """Return the filter in its normal form; raises Fault."""
    only: dict[str, frozenset[str | None]] = {}
    for called, value in given.items():
        values = value if isinstance(value, list) else [value]
        found = frozenset(None if one is None else unicodedata.normalize("NFC", one) for one in values)
        name = _name(called, "filter")
        only[name] = found & only.get(name, found)
    return only


def _name(given: str, field: str) -> str:
    name = unicodedata.normalize("NFC", given)
    if not is_known(name):
        raise bad_field(
            field,
            f"There are no costs by {given[:80]!r}. Give some of {', '.join(DIMENSIONS)}, or {TAG} and the key of a "
            f"tag, such as {TAG}team.",
        )
    return name


def look_at_costs(ask: ReadRepository, meant: Meant, asked: AskedCosts) -> Found:
    """Sum the costs of accounts, all as of one instant; raises Fault."""
    found, within = Found({}, Amounts(), set()), ask.costs_within()
    if within is not None:
        asked = asked._replace(only=confined(asked.only, within))
    with ask.at_one_instant():
        accounts = ask.accounts() if meant.ids is None else list(ask.accounts_by_id(meant.ids).values())
        live = 0
        for account in accounts:
            periods = _periods(account, asked)
            found.zones.add(account.time_zone)
            answer = _answer(ask, account, periods, asked)
            if asked.forecast:
                live += _expect(ask, account, periods, asked, answer, FORECAST_MAX - live)
            for (place, values), amounts in answer.rows.items():
                key = RowKey(*periods.bounds(place), values)
                before = found.rows.get(key)
                found.rows[key] = amounts if before is None else amounts.plus(before)
            if len(found.rows) > ROWS_MAX:
                raise bad_field(
                    "groupBy",
                    f"The answer would have more than {ROWS_MAX} rows. Ask for a shorter time, for longer periods "
                    "(granularity), or group by less.",
                )
    sums = [sum(column) for column in zip(*found.rows.values(), strict=True)]
    return found._replace(total=Amounts(*sums))


def confined(only: Mapping[str, frozenset[str | None]], within: Projects) -> dict[str, frozenset[str | None]]:
    """Return a filter that passes only costs of the projects, whatever else it passes.

    Charges whose project was not kept, in an account with too many groups of charges, pass in no project.
    """
    return {**only, "project": only.get("project", within) & within}


def _periods(account: Account, asked: AskedCosts) -> Periods:
    since, until = _moment(asked.since, "from", account), _moment(asked.until, "to", account)
    if since >= until:
        raise bad_field("to", "The end is not after the beginning. Give a later one.")
    if count_max(since, until, asked.granularity) > 2 * PERIODS_MAX:
        raise _too_many()
    periods = Periods(since, until, asked.granularity, account.time_zone)
    if len(periods) > PERIODS_MAX:
        raise _too_many()
    return periods


def _too_many() -> Fault:
    return bad_field(
        "granularity",
        f"The answer would have more than {PERIODS_MAX} periods. Ask for a shorter time, or for longer periods.",
    )


def _moment(text: str, field: str, account: Account) -> Instant:
    """Read a time on an account's clocks; raises Fault."""
    try:
        at = parse_time(text, account.time_zone)
    except BadTime as error:
        raise bad_field(field, f"{error}.") from None
    if not EARLIEST <= at <= LATEST:
        raise bad_field(field, f"{text[:64]!r} does not lie in the years from 1970 to 9000.")
    if not is_start("Hour", at, account.time_zone):
        raise bad_field(
            field,
            f"Costs are summed by the hour, and {rfc3339(at, account.time_zone)} is no full hour on the clocks of the "
            f"account {account.id} ({account.time_zone}). Give a full hour; without an offset it is read on the "
            "account's own clocks.",
        )
    return at


def _answer(ask: ReadRepository, account: Account, periods: Periods, asked: AskedCosts) -> Answer:
    """Sum what one account was charged in the periods."""
    known, summed = ask.cost_groups(account.id), ask.costs_summed()
    fresh = Groups({account.id: known}, GROUPS_MAX)
    answer = Answer(Asked(asked.group_by, asked.only), periods, known, fresh)
    for stretch in cover(periods.since, periods.until, periods.granularity, account.time_zone):
        answer.stretch(stretch, ask.cost_periods(account.id, *stretch))
    rest = Fold(fresh, {account.id: account.time_zone}, ("Hour",))
    span = Span(summed, EVERY_POSTING)
    for charge in ask.charges(span, account.id, periods.since, periods.until):
        rest.charge(charge)
    payments = ask.payments(span, account.id)
    refunded = {payment.posting.unit_id or "" for payment in payments if payment.posting.kind == "Refund"}
    fold_payments(rest, payments, ask.payments_of(sorted(refunded), summed))
    for part in rest.folded().parts:
        answer.part(part)
    for begin, end in answer.outside():
        answer.payments(ask.payments_reaching(account.id, begin, end), begin, end)
    return answer


def _expect(
    ask: ReadRepository, account: Account, periods: Periods, asked: AskedCosts, answer: Answer, most: int
) -> int:
    """Add the charges that are still to come; returns the number of live instances. Raises Fault if it is too high."""
    if periods.until <= asked.now:
        return 0
    units = [
        numbered.row
        for kind in (UNITS_OF_COMPUTE, QUOTA)
        for numbered in ask.units(UnitFilter(account_id=account.id, kind=kind), limit=most + 1)
    ]
    if len(units) > most:
        raise bad_field(
            "forecast",
            f"A forecast looks at every live instance, and there are more than {FORECAST_MAX}. Ask for fewer accounts, "
            "or without it.",
        )
    tags, around = ask.tags_of([unit.id for unit in units]), _around(ask, account, units, asked.rules)
    for unit in units:
        expected, row = expect(unit, around[unit.offering], periods), tags.get(unit.id)
        if expected.use:
            answer.expect_use(account.id, _alike(USAGE, unit, row), expected.use)
        for spread in spreads_of(expected.payments):
            posting = spread.posting
            charge = Charge(account.id, posting.at, _alike(posting.kind, unit, row), posting.amount)
            answer.expect_payment(charge, spread)
    return len(units)


def _around(
    ask: ReadRepository, account: Account, units: Sequence[Instance], rules: Rules
) -> dict[tuple[str, str], Around]:
    """Return what the charges of instances depend on, by their offerings."""
    limits, wanted = ask.guard(account.id), {unit.offering for unit in units}
    offerings = [one for one in ask.offerings(removed=True) if (one.region, one.type) in wanted] if wanted else []
    return {
        (one.region, one.type): Around(
            account, one, ask.price_list(one.region, one.type) or PriceList(one.region, one.type, ()), limits, rules
        )
        for one in offerings
    }


def _alike(kind: str, unit: Instance, tags: ResourceTags | None) -> Alike:
    """Return what the charges of an instance have in common, as the store would say it of a posting of now."""
    written = "{}" if tags is None else msgspec.json.encode(tags.tags).decode()
    return Alike(kind, unit.region, unit.type, unit.created_by, unit.service_id, unit.project_id, written)
