"""What runs of which nobody would take care under a server's settings, and which settings would serve it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

from leasebook.domain.model.instance import UP
from leasebook.domain.model.replica import Replica
from leasebook.domain.replicas.address import LOCAL
from leasebook.domain.replicas.engine_route import Route, Routes, engine_for
from leasebook.domain.replicas.planner import INSTANT, Job

Why = Literal["engine", "node", "type"]
"""engine: this server has none of that name. node: it runs on another machine, and no other server may look after it.
type: the engine is there, and what is sold of this type is only counted from now on, so that the replica would end."""

_GONE: Final = re.compile(r"([a-z]+)(?:@([A-Za-z0-9._:\[\]-]{1,255}))?")


class Left(NamedTuple):
    """Replicas that nobody would look after."""

    why: Why
    engine: str
    node: str
    region: str
    type: str


class Gone(NamedTuple):
    """What an operator gave up: an engine on a machine, or one that every machine reaches (``place`` of None)."""

    engine: str
    place: str | None

    def covers(self, row: Replica, here: str) -> bool:
        """Whether a replica is part of that. What runs ``here`` never is: it can be looked at."""
        if row.engine != self.engine:
            return False
        return self.place is None if self.engine not in LOCAL else self.place == row.node != here


def parse_gone(text: str) -> tuple[Gone, ...]:
    """Read what is gone, such as ``process@old-host, ray``. Raises ValueError, with a hint, for anything else."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _GONE.fullmatch(part)
        if match is None:
            raise ValueError(f"{part[:40]!r} names no engine")
        gone = Gone(match[1], match[2])
        if gone.engine not in ("process", "ray"):
            raise ValueError(f"there is no engine {gone.engine!r} that could be gone")
        if gone.engine in LOCAL and gone.place is None:
            raise ValueError(f"say on which machine: {gone.engine}@NODE")
        found.append(gone)
    return tuple(found)


def is_gone(gone: Iterable[Gone], row: Replica, here: str) -> bool:
    """Whether a replica ran where an operator says that nothing runs any more."""
    return any(one.covers(row, here) for one in gone)


def unserved(
    jobs: Iterable[Job], routes: Routes, engines: Collection[str], *, here: str, alone: bool, gone: Collection[Gone]
) -> Counter[Left]:
    """Count the replicas that a server on the machine ``here`` with these engines would leave to nobody.

    ``alone``: it is the only one that works on the store, so that nobody looks after what runs on other machines.
    """
    found: Counter[Left] = Counter()
    for job in jobs:
        unit = job.unit
        for row in job.replicas:
            if row.state == "Gone" or is_gone(gone, row, here):
                continue
            why: Why | None = None
            if row.is_live and row.engine not in engines:
                why = "engine"
            elif row.is_live and alone and row.engine in LOCAL and row.node != here:
                why = "node"
            elif (
                row.state != "Stopping"
                and (unit.status in UP or unit.status == "Creating")
                and engine_for(routes, unit.region, unit.type) == INSTANT
            ):
                why = "type"
            if why is not None:
                found[Left(why, row.engine, row.node, unit.region, unit.type)] += 1
    return found


def counted(count: int) -> str:
    """Say how many live replicas there are."""
    return f"{count} live replica{'' if count == 1 else 's'}"


def written(routes: Routes) -> str:
    """Write rules as a setting does."""
    return ", ".join(
        f"{'' if one.region is None else one.region + '/'}{one.type}{'*' if one.is_prefix else ''}={one.engine}"
        for one in routes
    )


def serving(routes: Routes, left: Iterable[Left]) -> Routes:
    """Return rules that serve what would be left, and all else as these do.

    A type that runs on two engines keeps the one of most replicas, and the other gets a rule for a type of no name.
    """
    made = list(routes) or [Route(None, "", True, INSTANT)]
    counts: Counter[tuple[str, str]] = Counter()
    for one in left:
        counts[one.type, one.engine] += 1
    for (unit_type, engine), _ in counts.most_common():
        route = Route(None, unit_type, False, engine)
        same = next((one for one in made if one[:3] == route[:3]), None)
        if same is not None and same.engine == INSTANT:
            made[made.index(same)] = route
        elif same is None:
            made.insert(0, route)
        for region in sorted({one.region for one in left if one.type == unit_type and one.engine == engine}):
            if engine_for(tuple(made), region, unit_type) == INSTANT:
                made = [one for one in made if one[:3] != (region, unit_type, False)]
                made.insert(0, Route(region, unit_type, False, engine))
    for engine in sorted({one.engine for one in left} - {one.engine for one in made}):
        made.append(Route(None, f"no-type-on-{engine}", False, engine))
    return tuple(made)
