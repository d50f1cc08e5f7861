"""Guard rails: limits on what an account and its users may hold and spend, and on how long postpaid instances live.

Limits are checked in the batch that they guard, on a row that the batch has locked. A burst of purchases therefore
cannot exceed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.resource import tag_budget
from leasebook.domain.model.resource.project import public_project, stored_project
from leasebook.domain.model.resource.tag_budget import NO_TAGS, TagAmounts, TagBudget, TagBudgets, TagPercents
from leasebook.domain.values.calendar import Instant, rfc3339, to_datetime
from leasebook.domain.values.money import Micro, amount_text
from leasebook.domain.values.refusal import QUOTA, Refusal
from leasebook.domain.values.wording import counted

T = TypeVar("T")

EVERYBODY: Final = "*"
"""A limit under this name applies to each user who has no limit of their own."""

WhoExtends = Literal["anybody", "buyer", "managers"]


class ProjectRules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that an account's managers may set for one of its projects, beside those of the account.

    The fields mean the same as those of ``GuardRules``, for what belongs to the project and is charged to it.
    """

    units: dict[str, int] = {}
    spend: Micro | None = None
    budget: Micro | None = None
    budget_warn_percent: tuple[int, ...] = ()
    budget_refuse_percent: int | None = None
    release_max_us: int | None = None
    release_default_us: int | None = None
    end_required: bool = False


NO_RULES: Final = ProjectRules()


class GuardRules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that an account's managers may set.

    None or empty: no limit. Spans are microseconds, amounts micro-units.

    ``units`` limits how many units of a type the account reserves, ``user_units`` how many each user's purchases
    reserve. ``spend`` and ``user_spend`` limit the charges of a calendar month in the account's time zone. ``budget``
    is an amount a month; crossing each percentage in ``budget_warn_percent`` is an event, and from
    ``budget_refuse_percent`` on purchases are refused.

    ``release_max_us`` is how far ahead the release of a postpaid instance may lie. ``release_default_us`` is the
    release time of an instance that has none given, and of a prepaid instance that becomes postpaid. With
    ``end_required`` every postpaid instance needs a release time. ``extend_by`` says who may move a release to a later
    time, and ``extensions_max`` how often this may be done for one instance.

    ``needs_approval`` limits the purchases that need no approval, ``user_needs_approval`` those of each user. ``tags``
    are budgets by tag. UNSET: no limit; these three fields are left out of stored rules then, so that the digests of
    older rows stay valid.
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
    needs_approval: ApprovalLimit | UnsetType = UNSET
    user_needs_approval: dict[str, ApprovalLimit] | UnsetType = UNSET
    tags: TagBudgets | UnsetType = UNSET

    @property
    def tag_budgets(self) -> TagBudgets:
        """The budgets by tag; empty: there are none."""
        return {} if isinstance(self.tags, UnsetType) else self.tags

    def approval_limits(self, user_id: str) -> Iterator[tuple[str, ApprovalLimit]]:
        """Yield the limits above which a user's purchases need an approval, each with its public name."""
        if not isinstance(self.needs_approval, UnsetType):
            yield "needsApproval", self.needs_approval
        if not isinstance(self.user_needs_approval, UnsetType):
            own = _own(self.user_needs_approval, user_id)
            if own is not None:
                yield "userNeedsApproval", own


class AccountLimits(msgspec.Struct, frozen=True):
    """An account's limits, and the usage that counts against them: reserved units and the month's charges, by user.

    ``month`` is the month of ``spent``, in the account's time zone (2026-11). ``crossed`` lists the percentages of the
    budget that the charges have crossed in that month. ``waiting`` is the number of requests that wait for an approval.

    ``project_rules`` are the limits of projects, by public id; None: no project has any. ``project_units`` and
    ``project_spent`` are the usage of all projects but the default one, whose usage is the rest; ``project_crossed``
    are the percentages of projects' budgets.

    ``tag_spent`` are the month's charges for each tag that has a budget, and ``tag_crossed`` the percentages of those
    budgets. A charge counts for the tags that its instance had when it was charged.
    """

    account_id: str
    rules: GuardRules
    held: dict[str, dict[str, int]] = {}
    month: str = ""
    spent: dict[str, Micro] = {}
    crossed: tuple[int, ...] = ()
    waiting: int = 0
    project_rules: dict[str, ProjectRules] | None = None
    project_units: dict[str, dict[str, int]] = {}
    project_spent: dict[str, Micro] = {}
    project_crossed: dict[str, tuple[int, ...]] = {}
    tag_spent: TagAmounts = {}
    tag_crossed: TagPercents = {}

    def rules_of(self, project_id: str | None) -> ProjectRules:
        """Return the limits of a project; None: the default one."""
        return (self.project_rules or {}).get(public_project(project_id), NO_RULES)

    def project_holds(self, unit_type: str, project_id: str | None) -> int:
        """Return how many units of a type a project reserves."""
        if project_id is not None:
            return self.project_units.get(project_id, {}).get(unit_type, 0)
        return self.holds(unit_type) - sum(types.get(unit_type, 0) for types in self.project_units.values())

    def project_spends(self, month: str, project_id: str | None) -> int:
        """Return the charges of a project in a month, in micro-units."""
        if month != self.month:
            return 0
        if project_id is not None:
            return self.project_spent.get(project_id, 0)
        return sum(self.spent.values()) - sum(self.project_spent.values())

    def plus_project_units(self, project_id: str, unit_type: str, added: int) -> AccountLimits:
        """Return the limits with ``added`` units more in a project that is not the default one."""
        return msgspec.structs.replace(self, project_units=with_units(self.project_units, project_id, unit_type, added))

    def holds(self, unit_type: str, user_id: str | None = None) -> int:
        """Return how many units of a type the account reserves; with a user, how many that user's purchases reserve."""
        users = self.held if user_id is None else {user_id: self.held.get(user_id, {})}
        return sum(types.get(unit_type, 0) for types in users.values())

    def spends(self, month: str, user_id: str | None = None) -> int:
        """Return the charges of a month in micro-units; with a user, those for the user's purchases."""
        if month != self.month:
            return 0
        return sum(self.spent.values()) if user_id is None else self.spent.get(user_id, 0)

    def plus_units(self, user_id: str, unit_type: str, added: int) -> AccountLimits:
        """Return the limits with ``added`` units more (negative: fewer)."""
        return msgspec.structs.replace(self, held=with_units(self.held, user_id, unit_type, added))

    def tag_spends(self, month: str, key: str, value: str) -> int:
        """Return the charges of a month for a tag that has a budget, in micro-units."""
        return self.tag_spent.get(key, {}).get(value, 0) if month == self.month else 0

    def plus_spent(
        self, user_id: str, month: str, amount: int, project_id: str | None, tags: Mapping[str, str] = NO_TAGS
    ) -> AccountLimits:
        """Return the limits with ``amount`` more charged to a user, a project and tags; a refund is negative.

        A charge for a month before ``self.month`` is ignored.
        """
        if month < self.month:
            return self
        spent = dict(self.spent) if month == self.month else {}
        spent[user_id] = Micro(spent.get(user_id, 0) + amount)
        is_same = month == self.month
        by_project = dict(self.project_spent) if is_same else {}
        if project_id is not None:
            by_project[project_id] = Micro(by_project.get(project_id, 0) + amount)
        return msgspec.structs.replace(
            self,
            month=month,
            spent=spent,
            crossed=self.crossed if is_same else (),
            project_spent=by_project,
            project_crossed=self.project_crossed if is_same else {},
            tag_spent=tag_budget.plus(self.tag_spent if is_same else {}, self.rules.tag_budgets, tags, amount),
            tag_crossed=self.tag_crossed if is_same else {},
        ).crossing()

    def with_rules(
        self,
        rules: GuardRules,
        month: str,
        project_rules: dict[str, ProjectRules] | None,
        tag_spent: TagAmounts | None = None,
    ) -> AccountLimits:
        """Return the limits with other rules. Percentages of the budget that are exceeded already count as crossed.

        ``month`` is the current month; the charges of an earlier month are dropped. ``tag_spent`` are its charges for
        the tags whose budgets are new.
        """
        changed = msgspec.structs.replace(
            self,
            rules=rules,
            crossed=(),
            project_rules=project_rules or None,
            project_crossed={},
            tag_spent=tag_budget.kept({} if month > self.month else self.tag_spent, rules.tag_budgets, tag_spent or {}),
            tag_crossed={},
        )
        if month > self.month:
            changed = msgspec.structs.replace(changed, month=month, spent={}, project_spent={})
        return changed.crossing()

    def crossing(self) -> AccountLimits:
        """Add the percentages of the budget that the month's charges have reached. Those crossed before stay."""
        crossed = _crossed(self.crossed, self.rules, sum(self.spent.values()))
        by_tag = self._crossed_by_tag() if self.tag_spent or self.tag_crossed else {}
        if not self.project_rules:
            return msgspec.structs.replace(self, crossed=crossed, tag_crossed=by_tag)
        by_project = {
            name: found
            for name, rules in sorted(self.project_rules.items())
            if (
                found := _crossed(
                    self.project_crossed.get(name, ()), rules, self.project_spends(self.month, stored_project(name))
                )
            )
        }
        return msgspec.structs.replace(self, crossed=crossed, project_crossed=by_project, tag_crossed=by_tag)

    def _crossed_by_tag(self) -> TagPercents:
        found: TagPercents = {}
        for key, value, budget in tag_budget.pairs(self.rules.tag_budgets):
            before = self.tag_crossed.get(key, {}).get(value, ())
            if crossed := _crossed(before, budget, self.tag_spends(self.month, key, value)):
                found.setdefault(key, {})[value] = crossed
        return found


def _crossed(before: tuple[int, ...], rules: GuardRules | ProjectRules | TagBudget, total: int) -> tuple[int, ...]:
    budget = rules.budget
    reached = (part for part in rules.budget_warn_percent if budget and total * 100 >= budget * part)
    return tuple(sorted({*before, *reached}))


def with_units(counts: dict[str, dict[str, int]], of: str, unit_type: str, added: int) -> dict[str, dict[str, int]]:
    """Return counts with ``added`` units more of a user or a project (negative: fewer)."""
    types = counts.get(of, {})
    counted = types.get(unit_type, 0) + added
    kept = {name: count for name, count in types.items() if name != unit_type}
    if counted:
        kept[unit_type] = counted
    return counts | {of: kept}


def month_name(at: Instant, zone_name: str) -> str:
    """Return the calendar month of an instant in a time zone, for example 2026-11."""
    moment = to_datetime(at, zone_name)
    return f"{moment.year:04}-{moment.month:02}"


class LimitedUse(msgspec.Struct, frozen=True):
    """The purchase that limits are checked for: the units that a user adds, and their minimum cost in ``month``.

    ``project_id`` is the project that they belong to; None: the default one. ``tags`` are the tags that they have.
    """

    user_id: str
    unit_type: str
    added: int
    cost: Micro
    month: str
    project_id: str | None
    tags: Mapping[str, str] = NO_TAGS


def judge_units(guard: AccountLimits | None, asked: LimitedUse | None) -> Refusal | None:
    """Check a purchase against the limits on units.

    A refusal names the rule, its limit, the current usage, and who can change the limit.
    """
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
        (
            _of_project("units", asked.project_id),
            guard.rules_of(asked.project_id).units.get(asked.unit_type),
            guard.project_holds(asked.unit_type, asked.project_id),
            "the project holds",
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
    """Check a purchase against the limits on spending, the budget included."""
    if guard is None or asked is None:
        return None
    rules, total = guard.rules, guard.spends(asked.month)
    of_project, charged = guard.rules_of(asked.project_id), guard.project_spends(asked.month, asked.project_id)
    limits = (
        ("spend", rules.spend, total, "the account was charged"),
        (
            "userSpend",
            _own(rules.user_spend, asked.user_id),
            guard.spends(asked.month, asked.user_id),
            f"what {asked.user_id} bought cost",
        ),
        ("budget", _budget_max(rules), total, "the account was charged"),
        (_of_project("spend", asked.project_id), of_project.spend, charged, "the project was charged"),
        (_of_project("budget", asked.project_id), _budget_max(of_project), charged, "the project was charged"),
        *(
            (
                f"budget of the tag {tag_budget.shown(key, value)}",
                _budget_max(budget),
                guard.tag_spends(asked.month, key, value),
                "all that has the tag was charged",
            )
            for key, value, budget in tag_budget.of_tags(rules.tag_budgets, asked.tags)
        ),
    )
    for rule, limit, used, who in limits:
        if limit is not None and used + asked.cost > limit:
            return _refusal(
                f"The limit {rule} is {amount_text(limit)} {currency} in {asked.month}; {who} {amount_text(used)}, and "
                f"this takes {amount_text(asked.cost)} more."
            )
    return None


def _budget_max(rules: GuardRules | ProjectRules | TagBudget) -> int | None:
    if rules.budget is None or rules.budget_refuse_percent is None:
        return None
    return rules.budget * rules.budget_refuse_percent // 100


def _of_project(rule: str, project_id: str | None) -> str:
    return f"{rule} of the project {public_project(project_id)}"


def judge_end(
    guard: AccountLimits | None,
    release_at: Instant | None,
    now: Instant,
    zone_name: str,
    *,
    project_id: str | None,
    before: Instant | None = None,
) -> Refusal | None:
    """Check the release time of a postpaid instance of a project.

    ``before`` is the release time that it has; an earlier release is always allowed. For an instance that becomes
    prepaid, ``release_at`` is the end of the paid term (decision 29).
    """
    if guard is None or is_no_later(release_at, before):
        return None
    for rules in (guard.rules, guard.rules_of(project_id)):
        whose = "" if rules is guard.rules else f" of the project {public_project(project_id)}"
        if release_at is None:
            if rules.end_required:
                return _plain(f"The limit endRequired{whose} asks for a release time; give one.")
        elif rules.release_max_us is not None and release_at > now + rules.release_max_us:
            latest = rfc3339(Instant(now + rules.release_max_us), zone_name)
            return _plain(f"The limit releaseMaxSeconds{whose} allows an end until {latest}; choose an earlier one.")
    return None


def judge_move(
    guard: AccountLimits | None,
    unit_type: str,
    added: int,
    release_at: Instant | None,
    now: Instant,
    zone_name: str,
    *,
    project_id: str | None,
    is_postpaid: bool,
) -> Refusal | None:
    """Check an instance that comes into a project against the limits of that project; those of the account hold on."""
    if guard is None:
        return None
    rules, whose = guard.rules_of(project_id), f"of the project {public_project(project_id)}"
    most, used = rules.units.get(unit_type), guard.project_holds(unit_type, project_id)
    if most is not None and used + added > most:
        return _refusal(f"The limit units {whose} is {most} of {unit_type}; it holds {used}, and this has {added}.")
    if not is_postpaid:
        return None
    if release_at is None:
        return _refusal(f"The limit endRequired {whose} asks for a release time.") if rules.end_required else None
    if rules.release_max_us is not None and release_at > now + rules.release_max_us:
        latest = rfc3339(Instant(now + rules.release_max_us), zone_name)
        return _refusal(f"The limit releaseMaxSeconds {whose} allows an end until {latest}.")
    return None


def is_no_later(after: Instant | None, before: Instant | None) -> bool:
    """Whether a change from ``before`` to ``after`` keeps the release at the same time or earlier; None: no release."""
    return before is not None and after is not None and after <= before


def default_release(
    guard: AccountLimits | None, release_at: Instant | None, now: Instant, project_id: str | None
) -> Instant | None:
    """Return the release time of a postpaid instance: the project's or the account's default where none was given."""
    if release_at is not None or guard is None:
        return release_at
    after_us = guard.rules_of(project_id).release_default_us
    after_us = guard.rules.release_default_us if after_us is None else after_us
    return None if after_us is None else Instant(now + after_us)


def judge_switch(
    guard: AccountLimits | None, at: Instant, zone_name: str, project_id: str | None
) -> tuple[Instant | None, Refusal | None]:
    """Check that a prepaid instance may become postpaid at an instant; returns also the release time that it gets then.

    The change takes no release time as a parameter, so the account's default applies, counted from that instant.
    """
    release_at = default_release(guard, None, at, project_id)
    return release_at, judge_end(guard, release_at, at, zone_name, project_id=project_id)


def judge_extension(
    guard: AccountLimits | None, *, is_buyer: bool, is_manager: bool, extensions: int, later: bool
) -> Refusal | None:
    """Check a later release time, or its removal."""
    if guard is None or not later:
        return None
    rules = guard.rules
    if rules.extend_by == "managers" and not is_manager:
        return _plain("The limit extendBy leaves moving a release to later to the account's managers.")
    if rules.extend_by == "buyer" and not (is_buyer or is_manager):
        return _plain("The limit extendBy leaves moving a release to a later time to the buyer of the instance.")
    if rules.extensions_max is not None and extensions >= rules.extensions_max and not is_manager:
        return _plain(
            f"The limit extensionsMax is {rules.extensions_max}, and it was moved {counted(extensions, 'time')}."
        )
    return None


def judge_renewal(
    guard: AccountLimits | None,
    ends: Instant,
    now: Instant,
    zone_name: str,
    *,
    project_id: str | None,
    extensions: int,
    is_buyer: bool = True,
    is_manager: bool = False,
) -> Refusal | None:
    """Check a term that would end later, for an instance that gave up a release time (decision 29).

    ``extensions`` above 0 shows that it gave one up: prepaid instances count extensions for no other reason. An
    automatic renewal is checked as if the buyer had asked for it.
    """
    if extensions == 0:
        return None
    return judge_end(guard, ends, now, zone_name, project_id=project_id) or judge_extension(
        guard, is_buyer=is_buyer, is_manager=is_manager, extensions=extensions, later=True
    )


def _own(limits: dict[str, T], user_id: str) -> T | None:
    return limits.get(user_id, limits.get(EVERYBODY))


def _refusal(message: str, *, tells_no_use: bool = False) -> Refusal:
    return Refusal(
        QUOTA,
        f"{message} A user with full control of the account can change it (SetGuardRails, /v2/account).",
        tells_no_use=tells_no_use,
    )


def _plain(message: str) -> Refusal:
    return _refusal(message, tells_no_use=True)
