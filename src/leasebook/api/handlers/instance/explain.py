"""Explaining an instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from leasebook.api.across import accounts_meant, sees_money
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import refused
from leasebook.api.presenters import rows as present
from leasebook.contract.errors import INSUFFICIENT_BALANCE, QUOTA_EXCEEDED
from leasebook.contract.nouns import instance as s
from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.replica import Replica
from leasebook.domain.record.event import (
    OPERATOR_REASON,
    RELEASE_CLEARED,
    RELEASE_MOVED,
    RELEASE_SET,
    RELEASING,
    Event,
)
from leasebook.domain.rules.explain import Names, explain
from leasebook.domain.rules.ownership import no_instance
from leasebook.domain.rules.statement import month_of
from leasebook.domain.values.calendar import to_datetime
from leasebook.domain.values.money import amount_text
from leasebook.ports.queries.read_repository import AuditFilter, AuditLine, EventFilter, EventPlace, ReadRepository
from leasebook.ports.queries.tags import Names as ShownNames
from leasebook.ports.queries.tags import names_of

SHOWN: Final = 100
TRIED_SHOWN: Final = 20
TRIED_DESCRIBED: Final = 3
"""How many refused calls the text describes, to keep it short; the list has up to TRIED_SHOWN."""


DONE_BY_OPERATORS: Final = {
    RELEASING: "released it",
    RELEASE_SET: "set its release time",
    RELEASE_MOVED: "moved its release time",
    RELEASE_CLEARED: "cleared its release time",
}


OF_MONEY: Final = frozenset({INSUFFICIENT_BALANCE.code, QUOTA_EXCEEDED.code})
"""Codes of refusals whose messages may have a balance or a budget."""


class _Found(NamedTuple):
    unit: Instance
    offering: Offering
    prices: PriceList
    account: Account
    events: list[tuple[EventPlace, Event]]
    tried: list[AuditLine]
    replicas: list[Replica]
    guard: AccountLimits | None
    names: Names
    shown: ShownNames


async def explain_unit(context: Context, call: Call[s.ExplainComputeUnitRequest]) -> s.Explanation:
    """Explain an instance."""
    wanted, meant = call.request.instance_id, accounts_meant(call)

    def look(ask: ReadRepository) -> _Found | None:
        meant.require(ask)
        unit = ask.unit(wanted)
        if unit is None or not meant.has(unit.account_id):
            return None
        account_id = unit.account_id
        account = ask.account(account_id)
        assert account is not None  # noqa: S101 - no account is ever deleted
        offering = next(row for row in ask.offerings(removed=True) if (row.region, row.type) == unit.offering)
        prices = ask.price_list(*unit.offering) or PriceList(*unit.offering, ())
        happened = ask.events(
            EventFilter(account_id=account_id, unit_id=wanted), after=None, limit=SHOWN, oldest_first=False
        )
        refused_calls = AuditFilter(account_id=account_id, unit_id=wanted, refused=True)
        tried = ask.audit(refused_calls, after=None, limit=TRIED_SHOWN).lines
        replicas = ask.replicas(account_id, unit_id=wanted)
        guard = ask.guard(account_id)
        events = [event for _, event in happened]
        people = [event.user_id for event in events] + [line.entry.user_id for line in tried]
        shown = names_of(ask, [unit.created_by, *people], [unit.id])
        names = Names(shown.thing(account_id, unit.id), shown.person(account_id, unit.created_by))
        unit = msgspec.structs.replace(unit, charged=ask.charged(unit))
        return _Found(unit, offering, prices, account, happened, tried, replicas, guard, names, shown)

    # The audit log must contain the refusals of a moment ago.
    await context.sequencer.flush()
    found = await context.read(call, look, long=True)
    if found is None:
        raise refused(no_instance(wanted))
    money, funds = sees_money(call, (found.account.id,)), call.within is None
    if not money:
        found = found._replace(tried=[_without_money(line) for line in found.tried])
    return _explanation(context, found, money=money, funds=funds)


def _without_money(line: AuditLine) -> AuditLine:
    """Return a refused call without a message that may have a balance in it."""
    if line.entry.code not in OF_MONEY:
        return line
    return line._replace(entry=msgspec.structs.replace(line.entry, message=""))


def _explanation(context: Context, found: _Found, *, money: bool, funds: bool) -> s.Explanation:
    unit, account = found.unit, found.account
    now = context.clock.now()
    today = to_datetime(now, account.time_zone)
    month_end = month_of(today.year, today.month, account.time_zone)[1]
    told = explain(
        unit,
        found.offering,
        found.prices,
        account,
        context.rules,
        now,
        month_end,
        found.replicas,
        found.guard,
        found.names,
        tags=found.shown.tags(unit.id),
        shows_balance=money,
        knows_funds=funds,
    )
    return s.Explanation(
        instance_id=unit.id,
        alive=told.alive,
        text="\n".join([*told.sentences, *_acts(context, found.events), *_tried(context, found)]),
        ends_time=None if told.ends_at is None else context.shown(told.ends_at),
        ends_by=told.ends_by,  # type: ignore[arg-type]
        cost=amount_text(told.cost),
        month_end_cost=amount_text(told.month_end_cost),
        currency=context.rules.currency,
        events=[
            present.event(account.id, place, event, context.shown, names=found.shown) for place, event in found.events
        ],
        attempts=[
            s.Attempt(
                time=context.shown(line.entry.at),
                request_id=line.entry.request_id,
                user_id=line.entry.user_id,
                user_name=found.shown.person(account.id, line.entry.user_id),
                action=line.entry.action,
                code=line.entry.code,
                message=line.entry.message or None,
            )
            for line in found.tried
        ],
    )


def _acts(context: Context, events: list[tuple[EventPlace, Event]]) -> Iterator[str]:
    """Say what the service's operator changed for the owner, and why."""
    acts = [event for _, event in events if OPERATOR_REASON in event.data]
    for event in acts[:TRIED_DESCRIBED]:
        what = DONE_BY_OPERATORS.get(event.type, f"changed it ({event.type})")
        yield f"The service's operator {what} at {context.shown(event.at)}. The reason: {event.data[OPERATOR_REASON]}"


def _tried(context: Context, found: _Found) -> Iterator[str]:
    for line in found.tried[:TRIED_DESCRIBED]:
        entry = line.entry
        name = found.shown.person(found.account.id, entry.user_id)
        who = (entry.user_id or "An unknown caller") if name is None else f"{name} ({entry.user_id})"
        at = context.shown(entry.at)
        if entry.message:
            yield f"{who} tried {entry.action} at {at} and was refused ({entry.code}): {entry.message}"
        else:
            yield f"{who} tried {entry.action} at {at} and was refused ({entry.code})."


OPERATIONS: Final[dict[str, Operation]] = {"explain_unit": explain_unit}
