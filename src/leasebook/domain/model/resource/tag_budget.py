"""Budgets by tag: the planned spending of a month for all instances that have a tag, and their charges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from leasebook.domain.values.money import Micro

NO_TAGS: Final[Mapping[str, str]] = {}


class TagBudget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The planned spending of a calendar month for the instances that have a tag, in micro-units.

    ``budget_warn_percent`` and ``budget_refuse_percent`` mean the same as those of an account's budget.
    """

    budget: Micro
    budget_warn_percent: tuple[int, ...] = ()
    budget_refuse_percent: int | None = None


TagBudgets = dict[str, dict[str, TagBudget]]
"""Budgets by the key and the value of the tag."""
TagAmounts = dict[str, dict[str, Micro]]
"""Amounts by the key and the value of the tag."""
TagPercents = dict[str, dict[str, tuple[int, ...]]]
"""Percentages of budgets by the key and the value of the tag."""


def pairs(budgets: TagBudgets) -> Iterator[tuple[str, str, TagBudget]]:
    """Yield the key and the value of each tag that has a budget, and that budget, in order."""
    for key, values in sorted(budgets.items()):
        for value, budget in sorted(values.items()):
            yield key, value, budget


def of_tags(budgets: TagBudgets, tags: Mapping[str, str]) -> Iterator[tuple[str, str, TagBudget]]:
    """Yield the budgets that something with these tags counts for."""
    for key, values in sorted(budgets.items()):
        value = tags.get(key)
        if value is not None and value in values:
            yield key, value, values[value]


def plus(spent: TagAmounts, budgets: TagBudgets, tags: Mapping[str, str], amount: int) -> TagAmounts:
    """Return charges with ``amount`` more for something with these tags; tags without a budget are not counted."""
    after = dict(spent)
    for key, value, _ in of_tags(budgets, tags):
        after[key] = after.get(key, {}) | {value: Micro(after.get(key, {}).get(value, 0) + amount)}
    return after


def counted(budgets: TagBudgets, by_tags: Mapping[str, int]) -> TagAmounts:
    """Return the charges for each budget from charges by tags, which are JSON as the store has it."""
    spent: TagAmounts = {}
    for text, amount in by_tags.items():
        spent = plus(spent, budgets, read_tags(text), amount)
    return spent


def kept(spent: TagAmounts, budgets: TagBudgets, fresh: TagAmounts) -> TagAmounts:
    """Return the charges for the budgets that there are: those counted so far, and ``fresh`` ones for new budgets."""
    found: TagAmounts = {}
    for key, value, _ in pairs(budgets):
        amount = spent.get(key, {}).get(value)
        amount = fresh.get(key, {}).get(value) if amount is None else amount
        if amount is not None:
            found.setdefault(key, {})[value] = amount
    return found


read_tags: Final = msgspec.json.Decoder(dict[str, str]).decode
written_tags: Final = msgspec.json.Encoder().encode


def shown(key: str, value: str) -> str:
    """Write a tag for people."""
    return f"{key}={value}"
