"""Who looks after an instance's replicas: one worker at a time, and another one once that is dead."""

from __future__ import annotations

from typing import Final

import msgspec

LEFT: Final = -1
"""The beat of a worker that stopped cleanly: what it held is anybody's at once."""
NOBODY: Final = ""
"""The holder of a lease that was given up."""


class Worker(msgspec.Struct, frozen=True):
    """A process that looks after replicas, since ``started_at`` (the machine's time, microseconds since 1970 UTC).

    Its ``beat`` goes up as long as it lives. Nobody compares clocks: whoever sees the same beat for longer than the
    bound, by its own clock, may take what that worker holds. ``keys`` says which master keys it knows, the one that it
    seals under first: the beginnings of their fingerprints. ``engines`` are those that it works with, with commas.
    """

    id: str
    node: str
    beat: int
    started_at: int
    keys: str = ""
    engines: str = ""


class Lease(msgspec.Struct, frozen=True):
    """Who looks after an instance, on which node; somebody does ``since`` then (microseconds since 1970 UTC)."""

    unit_id: str
    holder: str
    node: str
    since: int
