"""What differs between rows as they were and as they are now: a store writes that, and nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import ne
from typing import Any

from leasebook.store.rows.codec import Codec

Changed = tuple[bool, ...]
"""Which of the columns that may change (``Codec.mutable``) do; then the key's, which never do."""


def updates(codec: Codec[Any], before: Sequence[Any], after: Sequence[Any]) -> dict[Changed, list[tuple[Any, ...]]]:
    """Return what makes rows of others: for all rows in which the same columns change, their values, then the key.

    An index is only touched where one of its columns is set. Rows of one batch mostly change alike, so that there are
    few groups.
    """
    found: dict[Changed, list[tuple[Any, ...]]] = {}
    for old, new in zip(map(codec.may_change, before), map(codec.may_change, after), strict=True):
        changed = tuple(map(ne, old, new))
        if any(changed):
            found.setdefault(changed, []).append(codec.changed_values(new, changed))
    return found


def columns_of(codec: Codec[Any], changed: Changed) -> tuple[str, ...]:
    """Return the columns that are written, without the key."""
    return tuple(compress(codec.mutable, changed))
