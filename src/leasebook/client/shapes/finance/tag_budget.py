"""Shapes of values: tag budget. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from decimal import Decimal

from leasebook.client.shape import Shape


class TagBudget(Shape, kw_only=True):
    """The budget of a tag, for all instances and quota that have it when they are charged."""

    budget: Decimal
    """The planned spending in a calendar month."""
    budget_warn_percent: list[int] | None = None
    """Percentages of the budget; an event is emitted when the charges reach one, once a month."""
    budget_refuse_percent: int | None = None
    """The percentage of the budget from which on purchases with the tag are refused."""
