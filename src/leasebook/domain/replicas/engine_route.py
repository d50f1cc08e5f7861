"""Which engine runs what: a rule for each kind of offering."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from leasebook.domain.replicas.planner import INSTANT

ENGINES: Final = (INSTANT, "process", "ray")
_RULE: Final = re.compile(r"(?:([A-Za-z0-9_-]+)/)?([A-Za-z0-9._-]*\*?)=([a-z]+)")

_COUNT: Final = re.compile(r"([A-Za-z0-9._-]+)=([0-9]{1,7})")


class Route(NamedTuple):
    """Offerings of a type, or of all types that begin so (``is_prefix``), of one region or any (None)."""

    region: str | None
    type: str
    is_prefix: bool
    engine: str

    def fits(self, region: str, unit_type: str) -> bool:
        """Whether an offering is one of those."""
        if self.region not in (None, region):
            return False
        return unit_type.startswith(self.type) if self.is_prefix else unit_type == self.type


Routes = tuple[Route, ...]


def parse_routes(text: str) -> Routes:
    """Read rules such as ``gpu-*=process, bj/gpu-1=ray, *=instant``.

    Raises ValueError, with a hint, for anything else, an unknown engine, and two rules for the same offerings.
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
    """Return the engine of an offering: of the rules that fit the one that says most; ``instant`` where none does.

    A rule with a region says more than one without, then a whole type more than its beginning, then a longer one.
    """
    fitting = [route for route in routes if route.fits(region, unit_type)]
    if not fitting:
        return INSTANT
    return max(fitting, key=lambda one: (one.region is not None, not one.is_prefix, len(one.type))).engine


def parse_counts(text: str) -> dict[str, int]:
    """Read numbers by type such as ``cpu=4, gpu-1=8``. Raises ValueError, with a hint, for anything else."""
    counts: dict[str, int] = {}
    for part in text.split(","):
        match = _COUNT.fullmatch(part.strip())
        if match is None or match[1] in counts:
            raise ValueError(f"{part.strip()[:40]!r} is no number of a type, or a second one")
        counts[match[1]] = int(match[2])
    return counts
