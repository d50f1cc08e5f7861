"""An explanation of an instance in words, from the books: why it is alive, what ends it and when, and its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from leasebook.domain.model.account import Account
from leasebook.domain.model.instance import GONE, UP, Instance
from leasebook.domain.model.limits import AccountLimits, LimitedUse, judge_renewal, judge_spend, month_name
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.resource.tag_budget import NO_TAGS
from leasebook.domain.record.agenda import Due, DueKind, agenda_of
from leasebook.domain.replicas.unrun import idle
from leasebook.domain.rules.billing_switch import PostpaidSwitch, judge_postpaid
from leasebook.domain.rules.metering import minutes_started, uses
from leasebook.domain.rules.term import Term, is_too_long, months_between, next_try, own_term, price_of_months, term_of
from leasebook.domain.values.calendar import MINUTE_US, Instant, rfc3339, to_datetime
from leasebook.domain.values.money import MICRO_MAX, Micro, amount_text
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.wording import counted


class Explained(msgspec.Struct, frozen=True):
    """The explanation. ``ends_at`` is when it will stop or be released if no command changes it; None: nothing ends it.

    ``month_end_cost`` is its total cost by the end of the month at the present price.
    """

    alive: bool
    ends_at: Instant | None
    ends_by: str | None
    cost: Micro
    month_end_cost: Micro
    sentences: tuple[str, ...]


class Names(NamedTuple):
    """The name of the instance and that of its buyer; None: there is none, or it is not known."""

    unit: str | None = None
    buyer: str | None = None


NAMELESS: Final = Names()


RENEWALS_MAX: Final = 120
"""Upper bound of the renewals that are predicted: an instance that pays for more does not end soon."""
ENDS = {
    DueKind.RELEASE: "schedule",
    DueKind.EXPIRE: "expiry",
    DueKind.STOP: "arrears",
    DueKind.RETIRE: "retention",
}


def explain(
    unit: Instance,
    offering: Offering,
    prices: PriceList,
    account: Account,
    rules: Rules,
    now: Instant,
    month_end: Instant,
    replicas: Sequence[Replica] = (),
    guard: AccountLimits | None = None,
    names: Names = NAMELESS,
    *,
    tags: Mapping[str, str] = NO_TAGS,
    shows_balance: bool = True,
    knows_funds: bool = True,
) -> Explained:
    """Explain an instance at ``now``, on the assumption that no command is given and that prices stay.

    ``month_end`` is the end of the current month in the account's time zone, ``replicas`` are the replicas that an
    engine runs on it, ``guard`` are the account's limits, ``names`` the words for people beside ids, ``tags`` its tags.
    Arrears caused by the instance's own cost are not predicted. Without ``shows_balance`` the sentences do not say how
    large a debt is. Without ``knows_funds`` the explanation takes for granted that balance and limits allow all that is
    to come, and foresees no renewal, because how many the balance pays for would tell of the balance.
    """
    if not knows_funds:
        account, guard = msgspec.structs.replace(account, balance=Micro(MICRO_MAX - 1)), None
    end = next((due for due in sorted(agenda_of(unit)) if due.kind in ENDS), None)
    switch = None if end is None else _switch(unit, end, offering, account, rules, guard)
    renewals, hindrance = _renewals(unit, offering, account, rules, guard, tags)
    cost_then = _cost_at(unit, offering, prices, now, end, month_end, switch, renewals)
    if not knows_funds:
        renewals = ()
    alive = unit.status not in GONE and unit.status != "Releasing"
    sentences = [
        *_why(unit, account, rules, names, shows_balance=shows_balance),
        *_waits(unit, replicas, rules),
        *idle(unit, rules.routes),
        *([_renewed(unit, renewals, rules)] if renewals else _end(unit, end, rules, switch, hindrance)),
        *([] if knows_funds else _hidden_funds(unit)),
        _costs(unit, cost_then, account, rules, month_end),
    ]
    if end is not None and switch is not None and switch.hindrance is None:
        end = None if switch.release_at is None else Due(switch.release_at, DueKind.RELEASE, unit.id)
    if renewals:
        end = Due(renewals[-1].ends_at, DueKind.EXPIRE, unit.id)
    return Explained(
        alive,
        None if end is None else end.at,
        None if end is None else ENDS[end.kind],
        unit.charged,
        cost_then,
        tuple(sentences),
    )


def _switch(
    unit: Instance, end: Due, offering: Offering, account: Account, rules: Rules, guard: AccountLimits | None
) -> PostpaidSwitch | None:
    """Predict the result of ``switch_to_postpaid`` at the end of the term; None if the instance stays prepaid."""
    if unit.status != "BillingChanging" or end.kind is not DueKind.EXPIRE:
        return None
    return judge_postpaid(unit, offering, account, guard, rules, end.at)


def _cost_at(
    unit: Instance,
    offering: Offering,
    prices: PriceList,
    now: Instant,
    end: Due | None,
    month_end: Instant,
    switch: PostpaidSwitch | None,
    renewals: Sequence[_Renewal],
) -> Micro:
    """Return the predicted total cost at the month's end: metered use goes on, and renewals are paid when due.

    An amount that no store can hold is cut as the books would cut it.
    """
    if unit.payment_timing == "Prepaid":
        renewed: int = sum(one.amount for one in renewals if one.at < month_end)
        goes_on = switch is not None and switch.hindrance is None
        if goes_on and unit.expires_at is not None and unit.expires_at < month_end:
            until = month_end if switch is None or switch.release_at is None else min(month_end, switch.release_at)
            minutes = minutes_started(unit.expires_at, until)
            renewed += unit.count * minutes * (offering.per_minute or 0)
        return Micro(min(unit.charged + renewed, MICRO_MAX - 1))
    if unit.meter_from is None or unit.status not in UP:
        return unit.charged
    until = max(now, month_end if end is None else min(month_end, end.at))
    if unit.release_at is not None:
        until = min(until, unit.release_at)
    used = sum(use.amount for use in uses(unit, prices, until))
    return Micro(min(unit.charged + used, MICRO_MAX - 1))


class _Renewal(NamedTuple):
    """A predicted automatic renewal: its instant, its price, and the term after it."""

    at: Instant
    amount: Micro
    term: Term

    @property
    def ends_at(self) -> Instant:
        """The end of the term after it."""
        return self.term.expires_at


def _renewals(
    unit: Instance,
    offering: Offering,
    account: Account,
    rules: Rules,
    guard: AccountLimits | None,
    tags: Mapping[str, str],
) -> tuple[tuple[_Renewal, ...], str | None]:
    """Predict the automatic renewals that today's balance and limits allow, and say why the next one would fail.

    The reason is None if the instance does not renew, or if ``RENEWALS_MAX`` renewals are predicted.
    """
    found: list[_Renewal] = []
    at, left, term = unit.renew_at, int(account.balance), own_term(unit) if unit.expires_at is not None else None
    while unit.auto_renew and term is not None and at is not None and len(found) < RENEWALS_MAX:
        longer = term_of(term.anchor, term.months + unit.auto_renew_months, account.time_zone)
        next_one = _Renewal(at, _price_of(unit, offering, term, longer, account), longer)
        hindrance = _hindrance(unit, offering, account, rules, guard, tags, next_one, left, len(found))
        if hindrance is not None:
            return tuple(found), hindrance
        found.append(next_one)
        left -= next_one.amount
        if guard is not None:
            guard = guard.plus_spent(
                unit.created_by, month_name(at, account.time_zone), next_one.amount, unit.project_id, tags
            )
        term, at = longer, next_try(longer.expires_at, at)
    return tuple(found), None


def _price_of(unit: Instance, offering: Offering, term: Term, longer: Term, account: Account) -> Micro:
    reserved = max(unit.count, unit.target_count or 0)
    return price_of_months(reserved, offering.per_month or Micro(0), months_between(term, longer, account.time_zone))


def _hindrance(
    unit: Instance,
    offering: Offering,
    account: Account,
    rules: Rules,
    guard: AccountLimits | None,
    tags: Mapping[str, str],
    renewal: _Renewal,
    left: int,
    before: int,
) -> str | None:
    """Return why ``commands.renewal`` would refuse a renewal with a balance of ``left`` after ``before`` others."""
    at, amount, longer = renewal
    if account.status != "Active":
        return "its account is suspended"
    if is_too_long(unit, longer, account.time_zone):
        return "its term would be longer than any can be"
    if longer.expires_at <= at:
        return "the renewal would be over before it began: renew it for longer by hand (RenewComputeUnit)"
    if offering.no_renewals:
        return "its offering is closed and instances of it are not renewed"
    if offering.per_month is None:
        return "it is not sold by the month any more"
    asked = LimitedUse(unit.created_by, unit.type, 0, amount, month_name(at, account.time_zone), unit.project_id, tags)
    extensions = unit.extensions + before if unit.extensions else 0
    if (
        left < amount
        or judge_spend(guard, asked, rules.currency) is not None
        or judge_renewal(
            guard, longer.expires_at, at, rules.written_zone, project_id=unit.project_id, extensions=extensions
        )
        is not None
    ):
        return "the balance or a limit does not allow it"
    return None


def _why(unit: Instance, account: Account, rules: Rules, names: Names, *, shows_balance: bool) -> Iterator[str]:
    def when(at: Instant | None) -> str:
        return "never" if at is None else rfc3339(at, rules.written_zone)

    called = unit.id if names.unit is None else f"“{names.unit}” ({unit.id})"
    buyer = unit.created_by if names.buyer is None else f"{names.buyer} ({unit.created_by})"
    yield (
        f"{called} is {unit.status}: {counted(unit.count, 'unit')} of {unit.type} in {unit.region}, bought by "
        f"{buyer} "
        f"on {when(unit.created_at)}, {unit.payment_timing.lower()}."
    )
    if unit.status == "Stopped":
        reason = "its term ended" if unit.payment_timing == "Prepaid" else "its account is in debt"
        yield f"It stands still because {reason}; its units are kept until {when(unit.retire_at)}."
    elif unit.status == "Releasing":
        ended = f"It ended at {when(unit.ended_at)} ({unit.end_reason})"
        yield f"{ended}; the engine has not confirmed yet that it is gone."
    elif unit.status in GONE:
        yield f"It is gone since {when(unit.released_at)} ({unit.end_reason or unit.failure})."
    elif unit.payment_timing == "Prepaid":
        yield f"It is alive because its term is paid until {when(unit.expires_at)}."
    elif unit.release_at is None:
        yield "It is alive because nobody has released it, and it has no release time."
    else:
        yield f"It is alive because its release time, {when(unit.release_at)}, has not come."
    if unit.used:
        use = "uses" if unit.replicas == 1 else "use"
        yield f"{counted(unit.replicas, 'replica')} {use} {unit.used} of its {counted(unit.count, 'unit')}."
    if account.status != "Active" and unit.status not in GONE:
        why = f": {account.status_reason}" if account.status_reason else "."
        yield f"Its account is suspended, so it is neither resized nor renewed{why}"
    if account.arrears_since is not None and unit.status in UP:
        balance = f", with {amount_text(account.balance)}" if shows_balance else ""
        yield f"Its account is in debt since {when(account.arrears_since)}{balance}."


def _waits(unit: Instance, replicas: Sequence[Replica], rules: Rules) -> Iterator[str]:
    for row in replicas:
        if row.outage == "Reported" and row.down_since is not None and unit.status in UP:
            down_since = rfc3339(Instant(row.down_since), rules.written_zone)
            yield (
                f"It is paid, and no replica of {row.service_id} on it has stayed healthy since {down_since}: "
                "a crash loop."
            )
    for row in replicas:
        if (row.state == "Ready" and row.trouble is None) or row.state == "Gone":
            continue
        told = "; ".join(text for text in (row.trouble, row.reason) if text is not None)
        since = rfc3339(Instant(row.since), rules.written_zone)
        begin = "It waits for" if unit.status in ("Creating", "Releasing") else "On it is"
        reason = f": {told}" if told else ""
        yield f"{begin} replica {row.number} of {row.service_id}, {row.state} since {since}{reason}."


def _end(
    unit: Instance, end: Due | None, rules: Rules, switch: PostpaidSwitch | None, hindrance: str | None
) -> Iterator[str]:
    if unit.status in GONE or unit.status == "Releasing":
        return
    if end is None:
        yield "Nothing ends it by itself: release it, or give it a release time (AutoReleaseComputeUnit)."
        return
    at = rfc3339(end.at, rules.written_zone)
    by = counted(unit.auto_renew_months, "month")
    match end.kind:
        case DueKind.RELEASE:
            yield f"It is released at {at}."
        case DueKind.EXPIRE if switch is not None and switch.hindrance is not None:
            yield f"At {at} its term ends, and it stops: {switch.hindrance}."
        case DueKind.EXPIRE if switch is not None and switch.release_at is not None:
            released = rfc3339(switch.release_at, rules.written_zone)
            yield f"At {at} its term ends, and it goes on postpaid; it is released at {released} then."
        case DueKind.EXPIRE if switch is not None:
            yield f"At {at} its term ends, and it goes on postpaid; nothing ends it by itself then."
        case DueKind.EXPIRE:
            yield f"At {at} its term ends, and it stops."
        case DueKind.STOP:
            yield f"At {at} it stops unless the debt is paid."
        case _:
            yield f"At {at} it is released for good."
    if unit.auto_renew:
        tried = "not tried again" if unit.renew_at is None else f"tried at {rfc3339(unit.renew_at, rules.written_zone)}"
        yield f"Its renewal by {by} is {tried}{'' if hindrance is None else f'; as things stand, {hindrance}'}."


def _hidden_funds(unit: Instance) -> Iterator[str]:
    if unit.auto_renew or unit.status == "BillingChanging":
        yield "Users with a policy for the whole account see whether its balance and its limits allow that."


def _renewed(unit: Instance, renewals: Sequence[_Renewal], rules: Rules) -> str:
    first, last = (rfc3339(one, rules.written_zone) for one in (renewals[0].at, renewals[-1].ends_at))
    by = counted(unit.auto_renew_months, "month")
    return (
        f"Its renewal by {by} is tried at {first}, and the balance pays for {len(renewals)} in a row as things stand: "
        f"at {last} its term ends then, and it stops."
    )


def _costs(unit: Instance, cost_then: Micro, account: Account, rules: Rules, month_end: Instant) -> str:
    so_far = f"It was charged {amount_text(unit.charged)} {rules.currency} so far"
    if cost_then == unit.charged:
        return f"{so_far}."
    month = to_datetime(Instant(month_end - MINUTE_US), account.time_zone)
    return (
        f"{so_far}, and at the present price will have been charged {amount_text(cost_then)} by the end of "
        f"{month:%Y-%m}."
    )
