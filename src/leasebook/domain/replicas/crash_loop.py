"""Crash loops: an instance is paid for, and for some minutes no replica of a service on it has stayed healthy.

Whether a service answers on an instance is a fact of all its replicas there, and one row holds it: that of replica 0,
which is the first to be written and is never deleted. So one loop of several replicas is one event, and a new start, a
new version or a new server continues what the row says.

A replica in a loop may look healthy for a moment after each start. So a replica that failed before ends a loop only
once it has been healthy for as long as ends its row of failures; one that never failed, of a new version for example,
ends it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec.structs import replace

from leasebook.domain.model.replica import Outage, Replica

CARRIER = 0
"""The number of the replica whose row says whether the service is down on the instance."""


class Moment(NamedTuple):
    """The present, and the bounds that hold. All in microseconds.

    ``now`` is of the machine, ``service_now`` of the service's clock, by which instances are paid. ``loop_us``: how
    long no replica may stay healthy until that is reported; 0: it never is. ``well_us``: how long a replica that failed
    must be healthy to count as healthy.
    """

    now: int
    service_now: int
    loop_us: int
    well_us: int


def marked(
    carrier: Replica, rows: Iterable[Replica], visible: AbstractSet[str], engine: str, at: Moment
) -> tuple[Replica, int | None]:
    """Return the carrier's row as a moment of an instance that is paid for makes it, and when to look again.

    ``rows`` are all replicas of the instance, ``visible`` the engines that can be asked, ``engine`` the one for the
    next start. The time to look again is of the machine; None: once something happens.
    """
    same = [carrier, *(row for row in rows if row.service_id == carrier.service_id and row.number != CARRIER)]
    ready = [row for row in same if row.state == "Ready"]
    well_at = min((at.now if row.restarts == 0 else row.since + at.well_us for row in ready), default=None)
    if well_at is not None:
        is_well = well_at <= at.now or carrier.outage == "None"
        return (replace(carrier, outage="None", down_since=None), None) if is_well else (carrier, well_at)
    if not at.loop_us:
        return carrier, None
    down_since = at.service_now if carrier.down_since is None else carrier.down_since
    if carrier.outage == "Reported":
        return carrier, None
    left_us = down_since + at.loop_us - at.service_now
    # An engine that cannot be asked may have healthy replicas.
    is_seen = visible >= {engine, *(row.engine for row in same if row.is_live)}
    outage: Outage = "Reported" if left_us <= 0 and is_seen else "Down"
    return replace(carrier, outage=outage, down_since=down_since), at.now + left_us


def unwanted(carrier: Replica) -> Replica:
    """Return the carrier's row where nothing of the service has to run: a reported loop ended without a recovery."""
    if carrier.outage == "None":
        return carrier
    outage: Outage = "None" if carrier.outage == "Down" else "Unwanted"
    return replace(carrier, outage=outage, down_since=None)
