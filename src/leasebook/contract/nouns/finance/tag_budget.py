"""Budgets by tag, as limits have them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from leasebook.contract.shapes import Amount, Part, TagKey, TagValue

Percent = Annotated[int, Meta(ge=1, le=1000)]
Percents = Annotated[list[Percent], Meta(max_length=20)]


class TagBudget(Part, kw_only=True, omit_defaults=True):
    """The budget of a tag, for all instances and quota that have it when they are charged."""

    budget: Annotated[Amount, Meta(description="The planned spending in a calendar month.")]
    budget_warn_percent: Annotated[
        Percents | None,
        Meta(description="Percentages of the budget; an event is emitted when the charges reach one, once a month."),
    ] = None
    budget_refuse_percent: Annotated[
        Percent | None,
        Meta(description="The percentage of the budget from which on purchases with the tag are refused."),
    ] = None


TagBudgets = Annotated[dict[str, dict[str, TagBudget]], Meta(max_length=200)]
TagBudgetsChange = Annotated[
    dict[TagKey, Annotated[dict[TagValue, TagBudget | None], Meta(max_length=200)] | None], Meta(max_length=200)
]
