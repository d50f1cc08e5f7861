"""Changes of limits: any sequence leaves what merged dictionaries leave, and an unnamed limit never changes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Usage, UsageTotals
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS
from leasebook.domain.commands.account.limits import LimitsChanged, SetGuardRails
from leasebook.domain.model.account import Account
from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.limits import AccountLimits, GuardRules, ProjectRules
from leasebook.domain.model.resource.tag_budget import TagBudget
from leasebook.domain.rules.limits_change import GuardChange, ProjectChange
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules
from tests.depth import few

NOW: Final = Instant(1_900_000_000_000_000)
COUNTS: Final = st.integers(0, 9)
ENTRIES: Final = st.dictionaries(st.sampled_from("ab"), st.none() | COUNTS, max_size=2)
APPROVALS: Final = st.builds(ApprovalLimit, months=st.none() | COUNTS, self_approval=st.booleans())
TAG_BUDGETS: Final = st.dictionaries(
    st.sampled_from(["vision", ""]),
    st.none() | st.builds(TagBudget, budget=st.integers(1, 9).map(Micro), budget_refuse_percent=st.just(90)),
    max_size=2,
)
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "units": st.none() | ENTRIES,
    "user_units": st.none() | st.dictionaries(st.sampled_from(["*", "u"]), st.none() | ENTRIES, max_size=2),
    "spend": st.none() | COUNTS,
    "user_spend": st.none() | ENTRIES,
    "budget": st.none() | COUNTS,
    "budget_warn_percent": st.none() | st.sampled_from([(50,), (50, 90)]),
    "budget_refuse_percent": st.none() | st.integers(1, 200),
    "release_max_us": st.none() | COUNTS,
    "release_default_us": st.none() | COUNTS,
    "end_required": st.none() | st.booleans(),
    "extend_by": st.none() | st.sampled_from(["anybody", "buyer", "managers"]),
    "extensions_max": st.none() | COUNTS,
    "needs_approval": st.none() | APPROVALS,
    "user_needs_approval": st.none() | st.dictionaries(st.sampled_from(["*", "u"]), st.none() | APPROVALS, max_size=2),
    "tags": st.none() | st.dictionaries(st.sampled_from(["team", "k"]), st.none() | TAG_BUDGETS, max_size=2),
}
PATCHES: Final = st.fixed_dictionaries({}, optional=VALUES)
STEPS: Final = st.lists(st.tuples(PATCHES, st.booleans()), max_size=6)
CLEAR: Final = msgspec.structs.asdict(GuardRules())


def test_the_property_names_every_limit() -> None:
    assert set(VALUES) == set(GuardRules.__struct_fields__) == set(GuardChange.__struct_fields__) - {"projects"}
    assert set(ProjectRules.__struct_fields__) == set(ProjectChange.__struct_fields__)


def merged(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Merge a patch into a dictionary as RFC 7396 does, without entries that are empty."""
    after = {name: value for name, value in before.items() if name not in patch}
    for name, value in patch.items():
        now = merged(before.get(name) or {}, value) if isinstance(value, dict) else value
        if now is not None and now != {}:
            after[name] = now
    return after


def expected(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any] | None:
    """Return the limits after a patch, of those that are set; None: it is refused."""
    if "budget" in patch and patch["budget"] is None:
        patch = {"budget_warn_percent": None, "budget_refuse_percent": None} | patch
    after = merged(before, patch)
    parts = {"budget_warn_percent", "budget_refuse_percent"} & after.keys()
    return None if parts and "budget" not in after else after


def set_ones(rules: GuardRules) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(rules).items() if value != CLEAR[name]}


def a_book() -> Book:
    book = Book()
    book.load(ACCOUNTS, ("acc",), Account("acc", "team", "Asia/Shanghai", Micro(0), NOW))
    book.load(ACCOUNT_LIMITS, ("acc",), AccountLimits("acc", GuardRules(), month="2030-03"))
    book.load_usage_totals(UsageTotals("acc", NOW, by_tags=True), Usage(by_tags={}))
    return book


def change(book: Book, patch: dict[str, Any], *, replace: bool = False) -> LimitsChanged:
    """Decide a change on the book, and accept it; raises Refusal."""
    command = SetGuardRails(account_id="acc", change=GuardChange(**patch), month_began=NOW, replace=replace)
    draft = Draft(book, NOW)
    answer = command.decide(draft, Rules(), NOW)
    book.accept(draft, NOW, None)
    return answer


@settings(max_examples=few(20, 100), deadline=None)
@given(STEPS)
def test_any_sequence_of_changes_leaves_what_merged_dictionaries_leave(
    steps: list[tuple[dict[str, Any], bool]],
) -> None:
    book = a_book()
    held: dict[str, Any] = {}
    for patch, replace in steps:
        after = expected({} if replace else held, patch)
        row = book.get(ACCOUNT_LIMITS, "acc")
        assert row is not None
        if after is None:
            with pytest.raises(Refusal, match="budget"):
                change(book, patch, replace=replace)
            assert book.get(ACCOUNT_LIMITS, "acc") == row
            continue
        answer = change(book, patch, replace=replace)
        held = {name: value for name, value in after.items() if value != CLEAR[name]}
        assert set_ones(answer.rules) == held
        assert answer.before == row.rules
        if not replace:
            kept = set(VALUES) - patch.keys() - {"budget_warn_percent", "budget_refuse_percent"}
            assert all(getattr(answer.rules, name) == getattr(row.rules, name) for name in kept)


def test_two_changes_in_one_batch_lose_nothing() -> None:
    book = a_book()
    change(book, {"units": {"a": 1}})
    answer = change(book, {"units": {"b": 2}, "spend": 3})
    assert set_ones(answer.rules) == {"units": {"a": 1, "b": 2}, "spend": 3}


def test_an_answer_that_was_kept_before_answers_had_the_former_limits_is_read() -> None:
    kept = msgspec.json.encode(AccountLimits("acc", GuardRules(extensions_max=2), month="2030-03"))
    answer: LimitsChanged = msgspec.json.decode(kept, type=SetGuardRails.answer)
    assert answer == LimitsChanged("acc", GuardRules(extensions_max=2), month="2030-03", before=None)
