"""Shapes of values: approval limit. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from decimal import Decimal

from leasebook.client.shape import Shape


class ApprovalLimit(Shape, kw_only=True):
    """The limits above which a purchase needs an approval. An absent field means no limit."""

    units: dict[str, int] | None = None
    """How many units of each type one instance has at most; ``*`` means all other types."""
    cost: Decimal | None = None
    """How much its term costs at most, or 30 days of it by the minute."""
    release_seconds: int | None = None
    """How far ahead the release of a postpaid instance lies at most. One without a release time then always needs an
    approval.
    """
    months: int | None = None
    """How many months its term has at most."""
    lapse_seconds: int | None = None
    """How long a request waits; where it is absent as long as the operator's setting says."""
    self_approval: bool | None = None
    """Whether a manager may approve an own request; absent or false: another one has to."""
