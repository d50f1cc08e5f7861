"""Names of event types with a wildcard: ``unit.*`` for all types of a group, and ``*`` for all types.

A pattern is stored as it was given, so that it also covers types which a later version adds.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from leasebook.domain.record.event import TYPES

EVERY: Final = "*"
_IN_GROUP: Final = ".*"
GROUPS: Final = tuple(dict.fromkeys(f"{kind.split('.', 1)[0]}{_IN_GROUP}" for kind in TYPES))
"""The pattern of each group of types, such as ``unit.*``."""
_NAMES: Final = (*TYPES, *GROUPS, EVERY)
NAME_MAX: Final = 64


def covers(pattern: str, kind: str) -> bool:
    """Whether a type or a pattern covers a type of event."""
    if pattern in (EVERY, kind):
        return True
    return pattern.endswith(_IN_GROUP) and kind.startswith(pattern[:-1])


def covered(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return the types of today that are covered by any of the patterns, sorted."""
    given = tuple(patterns)
    return tuple(sorted(kind for kind in TYPES if any(covers(pattern, kind) for pattern in given)))


def unknown(pattern: str) -> str | None:
    """Return a message about a pattern that covers no type, with the nearest one; None: it covers some."""
    if pattern in _NAMES:
        return None
    folded = {name.casefold(): name for name in _NAMES}
    near = get_close_matches(pattern[:NAME_MAX].casefold(), folded, n=1)
    what = "No type of event matches" if EVERY in pattern else "There is no type of event"
    hint = f"Did you mean {folded[near[0]]!r}?" if near else "docs/api/events.md lists the types."
    return (
        f"{what} {pattern[:NAME_MAX]!r}. {hint} The groups are {', '.join(GROUPS)}, and {EVERY} stands for all types."
    )
