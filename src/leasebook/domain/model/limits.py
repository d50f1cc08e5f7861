"""Guard rails: limits on what an account and its users may hold and spend, and on how long postpaid units may live.

They are decided in the batch that they guard, on a row that the batch has locked, so that a burst cannot slip past.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar

import msgspec

from leasebook.domain.values.calendar import Instant, rfc3339, to_datetime
from leasebook.domain.values.money import Micro, amount_text
from leasebook.domain.values.refusal import QUOTA, Refusal
from leasebook.domain.values.wording import counted

T = TypeVar("T")

EVERYBODY: Final = "*"
"""A limit under this name holds for every user by itself who has none of their own."""

WhoExtends = Literal["anybody", "buyer", "managers"]


class GuardRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's managers may set; None and empty: no limit. Spans are microseconds, amounts micro-units.

    ``units`` limits how many units of a type the account holds, ``user_units`` how many each user's purchases hold;
    ``spend`` and ``user_spend`` what is charged in a calendar month of the account. ``budget`` is an amount a month;
    crossing each of ``budget_warn_percent`` of it is an event, and from ``budget_refuse_percent`` on nothing is bought.

    ``release_max_us`` is how far ahead the release of a postpaid unit may lie, ``release_default_us`` what it is where
    none is given, or where a prepaid one becomes postpaid, and with ``end_required`` none may be without one.
    ``extend_by`` says who moves a release to later, and ``extensions_max`` how often that is done to one unit.
    """

    units: dict[str, int] = {}
    user_units: dict[str, dict[str, int]] = {}
    spend: Micro | None = None
    user_spend: dict[str, Micro] = {}
    budget: Micro | None = None
    budget_warn_percent: tuple[int, ...] = ()
    budget_refuse_percent: int | None = None
    release_max_us: int | None = None
    release_default_us: int | None = None
    end_required: bool = False
    extend_by: WhoExtends = "anybody"
    extensions_max: int | None = None


class AccountLimits(msgspec.Struct, frozen=True):
    """An account's rules, and what counts against them: units held by user and type, and the month's spending by user.

    ``month`` is the one that ``spent`` is of, in the account's time zone (2026-11); ``crossed`` are the parts of the
    budget that it has crossed.
    """

    account_id: str
    rules: GuardRules
    held: dict[str, dict[str, int]] = {}
    month: str = ""
    spent: dict[str, Micro] = {}
    crossed: tuple[int, ...] = ()

    def holds(self, unit_type: str, user_id: str | None = None) -> int:
        """Count the units of a type that the account holds; those that a user bought."""
        users = self.held if user_id is None else {user_id: self.held.get(user_id, {})}
        return sum(types.get(unit_type, 0) for types in users.values())

    def spends(self, month: str, user_id: str | None = None) -> int:
        """Sum up what was charged in a month; for what a user bought."""
        if month != self.month:
            return 0
        return sum(self.spent.values()) if user_id is None else self.spent.get(user_id, 0)

    def plus_units(self, user_id: str, unit_type: str, added: int) -> AccountLimits:
        """Count units more, or fewer."""
        types = self.held.get(user_id, {})
        counted = types.get(unit_type, 0) + added
        kept = {**{name: count for name, count in types.items() if name != unit_type}}
        if counted:
            kept[unit_type] = counted
        return msgspec.structs.replace(self, held=self.held | {user_id: kept})

    def plus_spent(self, user_id: str, month: str, amount: int) -> AccountLimits:
        """Count money more, or less where it was given back. What is done late for a month before counts no more."""
        if month < self.month:
            return self
        spent = dict(self.spent) if month == self.month else {}
        spent[user_id] = Micro(spent.get(user_id, 0) + amount)
        before = self.crossed if month == self.month else ()
        return msgspec.structs.replace(self, month=month, spent=spent, crossed=before).crossing()

    def with_rules(self, rules: GuardRules, month: str) -> AccountLimits:
        """Count against other rules; what is over a part of the budget already is crossed now.

        ``month`` is the one that it is: what was charged in another one is over.
        """
        anew = msgspec.structs.replace(self, rules=rules, crossed=())
        if month > self.month:
            anew = msgspec.structs.replace(anew, month=month, spent={})
        return anew.crossing()

    def crossing(self) -> AccountLimits:
        """Write down the parts of the budget that the month's spending has crossed; one that was stays so."""
        total, budget = sum(self.spent.values()), self.rules.budget
        reached = (part for part in self.rules.budget_warn_percent if budget and total * 100 >= budget * part)
        return msgspec.structs.replace(self, crossed=tuple(sorted({*self.crossed, *reached})))


def month_name(at: Instant, zone_name: str) -> str:
    """Name the calendar month of a moment: 2026-11."""
    moment = to_datetime(at, zone_name)
    return f"{moment.year:04}-{moment.month:02}"


class LimitedUse(msgspec.Struct, frozen=True):
    """What an account's limits are asked about: units of a type that a user adds, and their least cost in ``month``."""

    user_id: str
    unit_type: str
    added: int
    cost: Micro
    month: str


def judge_units(guard: AccountLimits | None, asked: LimitedUse | None) -> Refusal | None:
    """Judge a purchase by the limits on units; a refusal names the rule, the limit, what is used, who can change it."""
    if guard is None or asked is None:
        return None
    rules = guard.rules
    limits = (
        ("units", rules.units.get(asked.unit_type), guard.holds(asked.unit_type), "the account holds"),
        (
            "userUnits",
            (_own(rules.user_units, asked.user_id) or {}).get(asked.unit_type),
            guard.holds(asked.unit_type, asked.user_id),
            f"what {asked.user_id} bought holds",
        ),
    )
    for rule, limit, used, who in limits:
        if limit is not None and used + asked.added > limit:
            return _refusal(
                f"The limit {rule} is {limit} of {asked.unit_type}; {who} {used}, and {asked.added} "
                "more were asked for."
            )
    return None


def judge_spend(guard: AccountLimits | None, asked: LimitedUse | None, currency: str) -> Refusal | None:
    """Judge a purchase by the limits on spending, the budget among them."""
    if guard is None or asked is None:
        return None
    rules, total = guard.rules, guard.spends(asked.month)
    budget = None
    if rules.budget is not None and rules.budget_refuse_percent is not None:
        budget = rules.budget * rules.budget_refuse_percent // 100
    limits = (
        ("spend", rules.spend, total, "the account was charged"),
        (
            "userSpend",
            _own(rules.user_spend, asked.user_id),
            guard.spends(asked.month, asked.user_id),
            f"what {asked.user_id} bought cost",
        ),
        ("budget", budget, total, "the account was charged"),
    )
    for rule, limit, used, who in limits:
        if limit is not None and used + asked.cost > limit:
            return _refusal(
                f"The limit {rule} is {amount_text(limit)} {currency} in {asked.month}; {who} {amount_text(used)}, and "
                f"this takes {amount_text(asked.cost)} more."
            )
    return None


def judge_end(
    guard: AccountLimits | None,
    release_at: Instant | None,
    now: Instant,
    zone_name: str,
    *,
    before: Instant | None = None,
) -> Refusal | None:
    """Judge a postpaid unit's release time. ``before`` is the one that it has: no limit keeps it from ending earlier.

    Where a unit comes to be paid in advance, ``release_at`` is when the paid term ends (decision 29).
    """
    if guard is None or is_no_later(release_at, before):
        return None
    rules = guard.rules
    if release_at is None:
        return _refusal("The limit endRequired asks for a release time; give one.") if rules.end_required else None
    if rules.release_max_us is not None and release_at > now + rules.release_max_us:
        latest = rfc3339(Instant(now + rules.release_max_us), zone_name)
        return _refusal(f"The limit releaseMaxSeconds allows an end until {latest}; choose an earlier one.")
    return None


def is_no_later(after: Instant | None, before: Instant | None) -> bool:
    """Whether a unit that was to be released at some time ends by then all the same; None: nothing ends it."""
    return before is not None and after is not None and after <= before


def default_release(guard: AccountLimits | None, release_at: Instant | None, now: Instant) -> Instant | None:
    """Return the release time that a postpaid unit gets: the default one where none was given."""
    if release_at is None and guard is not None and guard.rules.release_default_us is not None:
        return Instant(now + guard.rules.release_default_us)
    return release_at


def judge_switch(guard: AccountLimits | None, at: Instant, zone_name: str) -> tuple[Instant | None, Refusal | None]:
    """Judge that a prepaid unit becomes postpaid at some time; returns the release time that it gets then, too.

    Nobody can give one with the change, so it is the default one, counted from that time.
    """
    release_at = default_release(guard, None, at)
    return release_at, judge_end(guard, release_at, at, zone_name)


def judge_extension(
    guard: AccountLimits | None, *, is_buyer: bool, is_manager: bool, extensions: int, later: bool
) -> Refusal | None:
    """Judge moving a release time to later, or taking it away."""
    if guard is None or not later:
        return None
    rules = guard.rules
    if rules.extend_by == "managers" and not is_manager:
        return _refusal("The limit extendBy leaves moving a release to later to the account's managers.")
    if rules.extend_by == "buyer" and not (is_buyer or is_manager):
        return _refusal("The limit extendBy leaves moving a release to later to whoever bought the instance.")
    if rules.extensions_max is not None and extensions >= rules.extensions_max and not is_manager:
        return _refusal(
            f"The limit extensionsMax is {rules.extensions_max}, and it was moved {counted(extensions, 'time')}."
        )
    return None


def judge_renewal(
    guard: AccountLimits | None,
    ends: Instant,
    now: Instant,
    zone_name: str,
    *,
    extensions: int,
    is_buyer: bool = True,
    is_manager: bool = False,
) -> Refusal | None:
    """Judge a term that is to end later, where the unit had a release time that it gave up (decision 29).

    ``extensions`` says so: nothing else counts there for a unit that is paid in advance. A rule renews as the buyer.
    """
    if extensions == 0:
        return None
    return judge_end(guard, ends, now, zone_name) or judge_extension(
        guard, is_buyer=is_buyer, is_manager=is_manager, extensions=extensions, later=True
    )


def _own(limits: dict[str, T], user_id: str) -> T | None:
    return limits.get(user_id, limits.get(EVERYBODY))


def _refusal(message: str) -> Refusal:
    return Refusal(
        QUOTA, f"{message} Whoever has full control of the account can change it (SetGuardRails, /v2/account)."
    )
