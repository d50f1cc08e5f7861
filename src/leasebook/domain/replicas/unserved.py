"""Replicas that no server would look after under a server's settings, and the settings that would serve them."""

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
"""Why a replica would be left without a server.

engine: this server has no engine of that name. node: it runs on another machine, and no other server may look after it.
type: the engine exists, but under the new setting its type is only counted, so the replica would end.
"""

_GONE: Final = re.compile(r"([a-z]+)(?:@([A-Za-z0-9._:\[\]-]{1,255}))?")


class Left(NamedTuple):
    """Replicas that no server would look after, by their common cause."""

    why: Why
    engine: str
    node: str
    region: str
    type: str


class Gone(NamedTuple):
    """An engine that an operator declares lost: on one machine, or one that all machines reach (``place`` of None)."""

    engine: str
    place: str | None

    def covers(self, row: Replica, here: str) -> bool:
        """Whether this covers a replica. A replica of the machine ``here`` is never covered: it can be observed."""
        if row.engine != self.engine:
            return False
        return self.place is None if self.engine not in LOCAL else self.place == row.node != here


def parse_gone(text: str) -> tuple[Gone, ...]:
    """Parse lost engines: ``process@old-host, ray``. Raises ValueError, with a hint, for anything else."""
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
    """Whether a replica ran on an engine that an operator declares lost."""
    return any(one.covers(row, here) for one in gone)


def unserved(
    jobs: Iterable[Job], routes: Routes, engines: Collection[str], *, here: str, alone: bool, gone: Collection[Gone]
) -> Counter[Left]:
    """Count the replicas that no server would look after if a server on ``here`` started with these engines.

    ``alone``: it is the only server of the store, so replicas on other machines have no server either.
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
    """Return the number of live replicas in words."""
    return f"{count} live replica{'' if count == 1 else 's'}"


def written(routes: Routes) -> str:
    """Encode routes as a setting has them."""
    return ", ".join(
        f"{'' if one.region is None else one.region + '/'}{one.type}{'*' if one.is_prefix else ''}={one.engine}"
        for one in routes
    )


def serving(routes: Routes, left: Iterable[Left]) -> Routes:
    """Return routes that serve the replicas in ``left``, and all other types as before.

    A type that runs on two engines keeps the engine with more replicas. The other engine gets a route for a type that
    does not exist, so that it stays configured.
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
