"""Shapes of values: service switch. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from leasebook.client.shape import Shape


class Operation(Shape, kw_only=True):
    """The request was accepted; ``message`` has its consequences."""

    operation: bool
    """Always true."""
    message: str
    """Consequences that need attention, such as instances that go on being charged."""
