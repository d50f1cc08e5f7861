"""Rows of the action table by their operations, from the one module of the contract that has them."""

from __future__ import annotations

from importlib import import_module

from leasebook.contract.action import Action


def action_of(operation: str, module: str) -> Action:
    """Return the row of an operation, by the module below ``leasebook.contract.nouns``. Raises LookupError."""
    found = vars(import_module(f"leasebook.contract.nouns.{module}"))
    for value in found.values():
        rows = value if isinstance(value, tuple) else (value,)
        for row in rows:
            if isinstance(row, Action) and row.operation == operation:
                return row
    raise LookupError(f"leasebook.contract.nouns.{module} has no operation {operation}")


def in_table(operation: str) -> Action | None:
    """Return the row of an operation from the whole table; None: there is none."""
    from leasebook.contract.actions import ACTIONS

    return next((row for row in ACTIONS if row.operation == operation), None)
