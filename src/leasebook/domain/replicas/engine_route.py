"""The engine of each offering, by the operator's routes."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from leasebook.domain.replicas.planner import INSTANT

ENGINES: Final = (INSTANT, "process", "ray")
_RULE: Final = re.compile(r"(?:([A-Za-z0-9_-]+)/)?([A-Za-z0-9._-]*\*?)=([a-z]+)")

_COUNT: Final = re.compile(r"([A-Za-z0-9._-]+)=([0-9]{1,7})")


class Route(NamedTuple):
    """A route from offerings to an engine: a type or prefix of types (``is_prefix``), one region or any (None)."""

    region: str | None
    type: str
    is_prefix: bool
    engine: str

    def fits(self, region: str, unit_type: str) -> bool:
        """Whether an offering belongs to this route."""
        if self.region not in (None, region):
            return False
        return unit_type.startswith(self.type) if self.is_prefix else unit_type == self.type


Routes = tuple[Route, ...]


def parse_routes(text: str) -> Routes:
    """Parse routes: ``gpu-*=process, bj/gpu-1=ray, *=instant``.

    Raises ValueError, with a hint, for anything else, an unknown engine, and two routes for the same offerings.
    """
    routes: list[Route] = []
    for part in text.split(","):
        match = _RULE.fullmatch(part.strip())
        if match is None or not match[2]:
            raise ValueError(f"{part.strip()[:40]!r} is no rule")
        region, unit_type, engine = match.groups()
        if engine not in ENGINES:
            raise ValueError(f"there is no engine {engine!r}")
        route = Route(region, unit_type.removesuffix("*"), unit_type.endswith("*"), engine)
        if any(route[:3] == other[:3] for other in routes):
            raise ValueError(f"{part.strip()[:40]!r} is a second rule for the same")
        routes.append(route)
    return tuple(routes)


def engine_for(routes: Routes, region: str, unit_type: str) -> str:
    """Return the engine of an offering by its most specific route; ``instant`` without a route.

    A route with a region is more specific than one without, then a whole type than a prefix, then a longer prefix.
    """
    fitting = [route for route in routes if route.fits(region, unit_type)]
    if not fitting:
        return INSTANT
    return max(fitting, key=lambda one: (one.region is not None, not one.is_prefix, len(one.type))).engine


def parse_counts(text: str) -> dict[str, int]:
    """Parse numbers by type: ``cpu=4, gpu-1=8``. Raises ValueError, with a hint, for anything else."""
    counts: dict[str, int] = {}
    for part in text.split(","):
        match = _COUNT.fullmatch(part.strip())
        if match is None or match[1] in counts:
            raise ValueError(f"{part.strip()[:40]!r} is no number of a type, or a second one")
        counts[match[1]] = int(match[2])
    return counts
