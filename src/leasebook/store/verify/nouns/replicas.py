"""The rules for replicas, and the rows that break them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.model.instance import Placement
from leasebook.domain.model.lease import LEFT
from leasebook.domain.replicas.address import LOCAL
from leasebook.domain.replicas.unserved import counted
from leasebook.store.queries.read_repository import Fetch

SHOWN_MAX: Final = 1000
LIVE: Final = "r.state NOT IN ('Gone', 'Failed')"


def replica_findings(fetch: Fetch) -> Iterator[str]:
    """Yield a line for each row that breaks a rule."""
    yield from _lost(fetch)
    yield from _twice(fetch)
    yield from _ready(fetch)
    yield from _missing(fetch)


def replica_remarks(fetch: Fetch) -> Iterator[str]:
    """Yield a remark for replicas that no running server would look after.

    Servers that were killed count as running, because the store cannot tell; and without any running server there is no
    remark.
    """
    up = [
        (node, engines.split(","))
        for node, engines in fetch("SELECT node, engines FROM workers WHERE beat <> ?", (LEFT,))
    ]
    if not up or any(engines == [""] for _, engines in up):
        return
    rows = fetch(f"SELECT engine, node, count(*) FROM replicas r WHERE {LIVE} GROUP BY engine, node ORDER BY 1, 2", ())
    for engine, node, count in rows:
        if not any(engine in engines and (engine not in LOCAL or node == here) for here, engines in up):
            yield (
                f"{counted(count)} on engine {engine} of {node}, and no server that is up would look after that: "
                "start one there with the setting engines that serves them, or see the setting engines_gone"
            )


def _lost(fetch: Fetch) -> Iterator[str]:
    """Check that no instance has returned its units while an engine may still have replicas of it."""
    rows = fetch(
        f"SELECT r.unit_id, r.service_id, r.number, r.state, u.status FROM replicas r JOIN units u ON u.id = r.unit_id "
        f"WHERE {LIVE} AND u.status IN ('Released', 'CreateFailed') LIMIT ?",
        (SHOWN_MAX,),
    )
    for unit, service, number, state, status in rows:
        yield f"unit {unit} is {status}, and replica {number} of service {service} on it is {state}"
    rows = fetch(
        "SELECT r.unit_id, r.service_id, r.number, r.generation, coalesce(u.generation, 0) FROM replicas r "
        "LEFT JOIN units u ON u.id = r.unit_id WHERE u.id IS NULL OR r.generation > u.generation LIMIT ?",
        (SHOWN_MAX,),
    )
    for unit, service, number, generation, most in rows:
        yield f"replica {number} of service {service} is try {generation} of unit {unit}, which knows of {most}"


def _twice(fetch: Fetch) -> Iterator[str]:
    """Check that a generation is used once on an instance, so that a name belongs to one try."""
    rows = fetch(
        "SELECT unit_id, generation, count(*) FROM replicas GROUP BY unit_id, generation HAVING count(*) > 1 LIMIT ?",
        (SHOWN_MAX,),
    )
    for unit, generation, count in rows:
        yield f"unit {unit} has {count} replicas of generation {generation}"


def _ready(fetch: Fetch) -> Iterator[str]:
    rows = fetch(
        "SELECT s.id, s.ready, coalesce(r.ready, 0) FROM services s LEFT JOIN "
        "(SELECT service_id, count(*) AS ready FROM replicas WHERE state = 'Ready' GROUP BY service_id) r "
        "ON r.service_id = s.id WHERE s.ready <> coalesce(r.ready, 0) LIMIT ?",
        (SHOWN_MAX,),
    )
    for service, shown, ready in rows:
        yield f"service {service} says that {shown} of its replicas are ready, and {ready} are"


def _missing(fetch: Fetch) -> Iterator[str]:
    """Check that a running instance has rows for its replicas: rows are written before a start, and never deleted."""
    known = set(fetch("SELECT DISTINCT unit_id, service_id FROM replicas", ()))
    active = {service for (service,) in fetch("SELECT id FROM services WHERE active AND deleted_at IS NULL", ())}
    rows = fetch(
        "SELECT id, placements FROM units WHERE generation > 0 AND status = 'Running' AND placements <> ''", ()
    )
    for unit, text in rows:
        placements = [one for one in msgspec.json.decode(text, type=tuple[Placement, ...]) if one.runs]
        wanted = {one.service_id for one in placements} & active
        if wanted and not any((unit, service) in known for service in wanted):
            yield f"unit {unit} runs, and none of its replicas was ever written down"
