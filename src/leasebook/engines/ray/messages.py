"""The messages between the Ray engine and its driver, and descriptions of a replica for its actor and for people."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from leasebook.domain.model.replica import REPLICA, RUN, SERVICE, UNIT, Wanted
from leasebook.domain.replicas.address import place_of
from leasebook.domain.values.wording import are


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the engine; see ``RayEngine``."""

    address: str
    namespace: str
    resources: dict[str, str]
    resource_prefix: str
    demand_s: float
    serve_port: int
    units_max: dict[str, int] | None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the engine's."""

    id: int
    method: str
    wanted: Wanted | None = None
    name: str = ""
    grace_s: float = 0.0
    seconds: float | None = None
    lines_max: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a call: a value, or the contract's exception by its name. ``id`` 0: the driver is connected."""

    id: int
    value: Any = None
    error: str | None = None
    message: str = ""


def application_name(namespace: str, name: str, group: str) -> str:
    """Return what Serve calls the application of a replica, whose room has that id."""
    return f"leasebook~{namespace}~{name}~{group}"


def order_of(wanted: Wanted, run: str, config: Config) -> dict[str, Any]:
    """Return the description of a replica for its actor, in values that need no class of ours.

    ``run`` marks this start: it is the id of the room of the replica.
    """
    spec = wanted.spec
    return {
        "names": {UNIT: wanted.unit_id, SERVICE: wanted.service_id, REPLICA: wanted.name, RUN: run},
        "command": list(spec.command),
        "env": dict(spec.env),
        "port": spec.port,
        "health_path": spec.health_path,
        "memory_bytes": spec.memory_bytes,
        "grace_s": spec.grace_s,
        "ends_in_s": wanted.ends_in_s,
        "application": spec.application,
        "arguments": dict(spec.arguments),
        "application_name": application_name(config.namespace, wanted.name, run),
        "serve_port": config.serve_port,
    }


def hopeless(wanted: Wanted, units_max: dict[str, int] | None) -> str | None:
    """Return why a replica can never run here; None if it may. Reasons that only a node knows are not looked for."""
    spec = wanted.spec
    if spec.image is not None:
        return f"The Ray engine runs commands and applications, not images such as {spec.image}."
    if not spec.command and spec.application is None:
        return "The Ray engine runs commands and applications, and this replica has neither."
    if spec.application is not None and spec.port != 0:
        return "An application listens where Ray Serve does, and cannot have a port of its own."
    texts = (*spec.command, *spec.env, *spec.env.values())
    if any("\0" in text for text in texts) or any("=" in name for name in spec.env):
        return "A command and its environment cannot hold zero bytes, nor the name of a variable '='."
    if units_max is not None and wanted.units > units_max.get(wanted.unit_type, 0):
        most = units_max.get(wanted.unit_type, 0)
        return (
            f"{are(wanted.units, 'unit', f'of {wanted.unit_type}')} wanted on one node, and none has more than {most}."
        )
    return None


def room_in_words(wanted: Wanted, resource: str) -> str:
    """Return what a replica needs on one node, for people."""
    spec = wanted.spec
    parts = [f"{wanted.units} of {resource}"]
    if spec.cpus:
        parts.append(f"{spec.cpus:g} CPUs")
    if spec.accelerators:
        parts.append(f"{spec.accelerators} GPUs")
    if spec.memory_bytes:
        parts.append(f"{spec.memory_bytes} bytes of memory")
    return ", ".join(parts) + " on one node"


def on_a_node(address: object, hosts: AbstractSet[str]) -> str | None:
    """Return the address that an actor reports where it is on a node of the cluster; None where it is not.

    Replicas can call whatever their cluster can, so that what an actor says may be what a tenant made it say. Calls
    are sent to nodes of the cluster, and nowhere else.
    """
    if not isinstance(address, str):
        return None
    place = place_of(address)
    return address if place is not None and str(place.host) in hosts else None
