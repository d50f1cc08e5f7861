"""Sums of amounts that fit 64 bits one by one and not together: SQLite gives up on such a sum, so it is made in two."""

from __future__ import annotations

from typing import Any, Final

_BITS: Final = 30
_LOW: Final = (1 << _BITS) - 1


def parts_of(amount: str) -> str:
    """Return two columns of a query that sum up an expression: all but its last thirty bits, and those."""
    return f"coalesce(sum(({amount}) >> {_BITS}), 0), coalesce(sum(({amount}) & {_LOW}), 0)"


def total(high: Any, low: Any) -> int:
    """Put the two together."""
    return (int(high) << _BITS) + int(low)


def summed(amount: str) -> str:
    """Return one column that sums up an expression whose sum fits, also where what is summed up on the way does not."""
    return f"sum(({amount}) >> {_BITS}) * {1 << _BITS} + sum(({amount}) & {_LOW})"
