"""A service: what replicas run, and how many units each of them takes."""

from __future__ import annotations

import re

import msgspec

from leasehold.domain.calendar import Instant
from leasehold.domain.refusal import BAD_VALUE, Refusal

_RESOURCE_TYPE = re.compile(r"(CPU|GPU)-([1-9]|I{1,3}|IV|V|VI{0,3}|IX)-([1-9][0-9]?)", re.ASCII)
_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}


class Shape(msgspec.Struct, frozen=True):
    """What one replica takes: units of one type."""

    unit_type: str
    units_per_replica: int


def shape_of(resource_type: str) -> Shape:
    """Read a resource type such as ``GPU-1-2``: class gpu-1, two units a replica (decision 9).

    The older spelling with Roman card classes (``GPU-I-2``) means the same. Raises Refusal for anything else.
    """
    match = _RESOURCE_TYPE.fullmatch(resource_type)
    if match is None:
        raise Refusal(
            BAD_VALUE,
            f"{resource_type[:64]!r} names no card class and units per replica; write for example GPU-1-2.",
            field="resourceConfig.type",
        )
    kind, card, units = match.groups()
    unit_type = "cpu" if kind == "CPU" else f"gpu-{_ROMAN.get(card, card)}"
    return Shape(unit_type, int(units))


class Service(msgspec.Struct, frozen=True):
    """A service of an account. ``replicas`` run on the instances that were bought for it."""

    id: str
    account_id: str
    created_by: str
    name: str
    description: str
    url_suffix: str
    model_set_id: str
    model_id: str
    resource_type: str
    region: str | None
    qps: float | None
    replicas: int
    created_at: Instant

    @property
    def shape(self) -> Shape:
        """What one of its replicas takes."""
        return shape_of(self.resource_type)

    @property
    def run_status(self) -> str:
        """Serving while replicas run, New before the first one (the documented vocabulary)."""
        return "Serving" if self.replicas > 0 else "New"
