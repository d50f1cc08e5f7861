"""The rows of costs: groups of charges that are alike, and the sums of the groups in hours, days and months."""

from __future__ import annotations

from hashlib import sha256
from typing import Final, Literal, NamedTuple

import msgspec

from leasebook.domain.values.calendar import Instant

Level = Literal["Hour", "Day", "Month"]
"""The length of a period with sums, on the account's clocks."""
LEVELS: Final[tuple[Level, ...]] = ("Hour", "Day", "Month")
ID_LENGTH: Final = 16
"""Hexadecimal digits of a group's id. It is a digest, so that every server draws the same one."""
COSTS_SUMMED: Final = "costs_summed"
"""The metadata row with the number of the last posting that is part of the sums; without it none is."""


class CostGroup(msgspec.Struct, frozen=True):
    """Properties that the charges of a group have in common: all that costs can be grouped and filtered by.

    ``kind`` is the kind of posting, ``user_id`` who bought the instance, ``service_id`` the service that it was bought
    for, and ``tags`` are the instance's when it was charged. In an account with too many groups ``rest`` marks the
    group of the charges whose service, project and tags were not kept.
    """

    account_id: str
    id: str
    kind: str
    region: str
    type: str
    user_id: str
    service_id: str | None = None
    project_id: str | None = None
    tags: dict[str, str] = {}
    rest: bool = False


class Alike(NamedTuple):
    """Properties that charges have in common, before a group is made of them; the fields of ``CostGroup``."""

    kind: str
    region: str
    type: str
    user_id: str
    service_id: str | None = None
    project_id: str | None = None
    tags: str = "{}"
    """JSON, with the keys in order, as the store has it."""

    def group(self, account_id: str) -> CostGroup:
        """Return the group of an account's charges."""
        named = msgspec.json.encode((account_id, *self, False))
        return CostGroup(
            account_id, _digest(named), *self[:-1], tags=msgspec.json.decode(self.tags, type=dict[str, str])
        )

    def rest(self, account_id: str) -> CostGroup:
        """Return the group without service, project and tags, for charges that find no group of their own."""
        named = msgspec.json.encode((account_id, *self[:4], None, None, "{}", True))
        return CostGroup(account_id, _digest(named), *self[:4], rest=True)


def _digest(named: bytes) -> str:
    return sha256(named).hexdigest()[:ID_LENGTH]


class Sums(NamedTuple):
    """A group's costs in a period, in micro-units.

    ``billed`` is what was charged less what was paid back. ``spread`` is the period's part of what was paid in advance,
    whenever it was paid; only months have it.
    """

    billed: int = 0
    spread: int = 0

    def plus(self, other: Sums) -> Sums:
        """Add other sums."""
        return Sums(self.billed + other.billed, self.spread + other.spread)


class CostPeriod(msgspec.Struct, frozen=True):
    """An account's costs in an hour, a day or a month that begins at ``since``, by the ids of its groups."""

    account_id: str
    level: Level
    since: Instant
    sums: dict[str, Sums]


class FormerTags(msgspec.Struct, frozen=True):
    """The tags that an instance had until they changed at a moment."""

    id: str
    until: Instant
    tags: dict[str, str]
