"""The units and charges of projects are counted as a model counts them, with limits and without."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Usage, UsageTotals
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import AccountLimits, GuardRules
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from tests.contract.rows import posting, unit
from tests.depth import few

NOW: Final = Instant(1_900_000_000_000_000)
UNITS: Final = ("unit-1", "unit-2", "unit-3")
PROJECTS: Final = (None, "prj-1", "prj-2")
TYPES: Final = {"unit-1": "gpu-1", "unit-2": "gpu-1", "unit-3": "gpu-2"}
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(UNITS),
        st.integers(0, 4),
        st.sampled_from(PROJECTS),
        st.integers(0, 9),
    ),
    max_size=14,
)


def a_book(*, has_limits: bool) -> Book:
    book = Book()
    book.load(ACCOUNTS, ("acc-1",), Account("acc-1", "team", "UTC", Micro(10**9), NOW))
    book.load(ACCOUNT_LIMITS, ("acc-1",), AccountLimits("acc-1", GuardRules()) if has_limits else None)
    if not has_limits:
        book.load_usage_totals(UsageTotals("acc-1", Instant(0)), Usage())
    for name in UNITS:
        book.load(INSTANCES, (name,), None)
    return book


def positive(counts: dict[str, Any]) -> dict[str, Any]:
    """Counts without zeros."""
    inner = {name: positive(value) if isinstance(value, dict) else value for name, value in counts.items()}
    return {name: value for name, value in inner.items() if value}


@settings(max_examples=few(20, 120), deadline=None)
@given(steps=STEPS, has_limits=st.booleans())
def test_units_and_charges_of_projects_are_those_of_a_model(
    steps: list[tuple[str, int, str | None, int]], *, has_limits: bool
) -> None:
    book = a_book(has_limits=has_limits)
    rows: dict[str, Any] = {}
    spent: dict[str | None, int] = {}
    for name, count, project, amount in steps:
        draft = Draft(book, NOW)
        row = unit(name, type=TYPES[name], count=max(count, 1), status="Running" if count else "Released")
        if name in rows and rows[name].status == "Released":
            continue
        if name in rows:
            row = msgspec.structs.replace(rows[name], count=row.count, status=row.status)
        row = rows[name] = msgspec.structs.replace(row, project_id=project)
        draft.put(INSTANCES, row)
        if amount:
            draft.post(posting(amount, unit_id=name, at=NOW, project_id=project))
            spent[project] = spent.get(project, 0) + amount
        book.accept(draft, NOW, None)
    held: dict[str, dict[str, int]] = {}
    for row in rows.values():
        if row.project_id is not None:
            types = held.setdefault(row.project_id, {})
            types[row.type] = types.get(row.type, 0) + row.reserved
    by_project = {name: amount for name, amount in spent.items() if name is not None}
    guard = book.get(ACCOUNT_LIMITS, "acc-1")
    if guard is None:
        usage = book.usage_totals("acc-1")
        assert positive(usage.project_units) == positive(held)
        assert usage.project_spent == by_project
        assert sum(usage.spent.values()) == sum(spent.values())
        return
    assert positive(guard.project_units) == positive(held)
    assert guard.project_spent == by_project
    assert guard.project_spends("2030-03", None) == spent.get(None, 0)
    for kind in ("gpu-1", "gpu-2"):
        inside = sum(row.reserved for row in rows.values() if row.type == kind and row.project_id is None)
        assert guard.project_holds(kind, None) == inside
