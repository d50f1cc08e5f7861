"""Leases: one worker at a time looks after an instance's replicas, and another takes over when that worker is dead."""

from __future__ import annotations

from typing import Final

import msgspec

LEFT: Final = -1
"""The beat of a worker that stopped cleanly. Other workers may take its leases at once."""
NOBODY: Final = ""
"""The holder of a lease that was given up."""


class Worker(msgspec.Struct, frozen=True):
    """A process that looks after replicas, since ``started_at`` (the machine's time, microseconds since 1970 UTC).

    ``beat`` increases while the process lives. No clocks are compared: a worker that sees the same beat of another for
    longer than the bound, by its own clock, may take the other's leases. ``keys`` lists the master keys that the worker
    knows, as the first characters of their fingerprints; the one that it seals under comes first. ``engines`` lists the
    engines that it works with, separated by commas.
    """

    id: str
    node: str
    beat: int
    started_at: int
    keys: str = ""
    engines: str = ""


class Lease(msgspec.Struct, frozen=True):
    """The worker that looks after an instance, its node, and ``since`` when (microseconds since 1970 UTC)."""

    unit_id: str
    holder: str
    node: str
    since: int
