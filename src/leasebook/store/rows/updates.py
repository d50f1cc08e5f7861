"""The difference between two versions of rows: a store writes only the changed columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import ne
from typing import Any

from leasebook.store.rows.codec import Codec

Changed = tuple[bool, ...]
"""For each column that may change (``Codec.mutable``), whether it does; then the same for the key's, which never do."""


def updates(codec: Codec[Any], before: Sequence[Any], after: Sequence[Any]) -> dict[Changed, list[tuple[Any, ...]]]:
    """Return the updates that turn rows into others, grouped by the changed columns: the new values, then the key.

    An index is updated only if one of its columns is set. Most rows of a batch change in the same columns, so there are
    few groups.
    """
    found: dict[Changed, list[tuple[Any, ...]]] = {}
    for old, new in zip(map(codec.may_change, before), map(codec.may_change, after), strict=True):
        changed = tuple(map(ne, old, new))
        if any(changed):
            found.setdefault(changed, []).append(codec.changed_values(new, changed))
    return found


def columns_of(codec: Codec[Any], changed: Changed) -> tuple[str, ...]:
    """Return the changed columns, without the key."""
    return tuple(compress(codec.mutable, changed))
