"""Shapes of values: unit count. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.shape import Shape


class UnitCount(Shape, kw_only=True):
    """The live instances of one type in one project. Units to which an instance is growing count already."""

    project_id: str
    """The project; `default` is the default project."""
    type: str
    """The type of unit."""
    instances: int
    """How many instances."""
    compute_units: int
    """How many units they have."""
    used_compute_units: int
    """How many of these units replicas take."""


class UnitCounts(Shape, kw_only=True):
    """The account's live instances, counted by project and type. An instance that could not be made has no units."""

    counts: list[UnitCount]
    """The counts, by project and then by type."""
