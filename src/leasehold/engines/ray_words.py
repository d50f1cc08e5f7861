"""What the Ray engine and its driver tell each other, and what is told of a replica, to its actor and to people."""

from __future__ import annotations

from typing import Any

import msgspec

from leasehold.domain.replica import REPLICA, RUN, SERVICE, UNIT, Wanted


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine was constructed with; see ``RayEngine``."""

    address: str
    namespace: str
    resources: dict[str, str]
    resource_prefix: str
    demand_s: float
    units_max: dict[str, int] | None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the engine's."""

    id: int
    method: str
    wanted: Wanted | None = None
    name: str = ""
    grace_s: float = 0.0
    deadline: float | None = None
    lines_max: int = 0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a value, or the contract's exception by its name. ``id`` 0 says that the driver is connected."""

    id: int
    value: Any = None
    error: str | None = None
    message: str = ""


def order_of(wanted: Wanted, run: str) -> dict[str, Any]:
    """Return what the actor is told of a replica, in values that need no class of ours. ``run`` marks this start."""
    spec = wanted.spec
    return {
        "names": {UNIT: wanted.unit_id, SERVICE: wanted.service_id, REPLICA: wanted.name, RUN: run},
        "command": list(spec.command),
        "env": dict(spec.env),
        "port": spec.port,
        "health_path": spec.health_path,
        "memory_bytes": spec.memory_bytes,
        "grace_s": spec.grace_s,
        "deadline": wanted.deadline,
    }


def hopeless(wanted: Wanted, units_max: dict[str, int] | None) -> str | None:
    """Return why a replica can never run here; None where it may. What only a node can tell is not asked here."""
    spec = wanted.spec
    if spec.image is not None:
        return f"The Ray engine runs commands, not images such as {spec.image}."
    if not spec.command:
        return "The Ray engine runs commands, and this replica has none."
    texts = (*spec.command, *spec.env, *spec.env.values())
    if any("\0" in text for text in texts) or any("=" in name for name in spec.env):
        return "A command and its environment cannot hold zero bytes, nor the name of a variable '='."
    if units_max is not None and wanted.units > units_max.get(wanted.unit_type, 0):
        most = units_max.get(wanted.unit_type, 0)
        return (
            f"{wanted.units} units of {wanted.unit_type} are wanted on one node, and no node ever has more than {most}."
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
