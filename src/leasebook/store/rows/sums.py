"""Sums of amounts that fit into 64 bits one by one but not together: SQLite fails on them, so each is in two parts."""

from __future__ import annotations

from typing import Any, Final

_BITS: Final = 30
_LOW: Final = (1 << _BITS) - 1


def parts_of(amount: str) -> str:
    """Return two columns of a query that sum an expression: all but its last thirty bits, and those bits."""
    return f"coalesce(sum(({amount}) >> {_BITS}), 0), coalesce(sum(({amount}) & {_LOW}), 0)"


def total(high: Any, low: Any) -> int:
    """Combine the two parts."""
    return (int(high) << _BITS) + int(low)


def summed(amount: str) -> str:
    """Return one column that sums an expression whose sum fits into 64 bits, even if a partial sum does not."""
    return f"sum(({amount}) >> {_BITS}) * {1 << _BITS} + sum(({amount}) & {_LOW})"
