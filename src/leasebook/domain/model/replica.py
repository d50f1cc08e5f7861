"""A replica: what the books want to run of a service on an instance, and what its engine reports of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

SeenState = Literal["Starting", "Ready", "Unhealthy", "Exited", "Stopping"]
"""The states that an engine reports. A replica that is gone is not reported at all.

Starting: not yet healthy. Unhealthy: it was healthy and no longer answers. Exited: it ended by itself. Stopping: the
engine was asked to stop it.
"""

UNIT, SERVICE, REPLICA, RUN = "LEASEBOOK_UNIT", "LEASEBOOK_SERVICE", "LEASEBOOK_REPLICA", "LEASEBOOK_RUN"
VARIABLES: Final = (UNIT, SERVICE, REPLICA, RUN)
"""Environment variables of a replica: its instance, its service, its name, and an id that no other start has."""

REPLICA_PORTS: Final = range(20_000, 30_000)
"""The process engine picks ports from this range: below the ports that the kernel gives to outgoing connections."""


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica is run: a command, or an image, or both (the command runs in the image); or an application.

    ``application`` is the import path of a Ray Serve application, ``module:name``: a bound application, or a function
    that builds one from ``arguments``. It listens on Ray Serve's port, so ``port`` is 0 and ``{port}`` may not be used.

    In ``command`` and in the values of ``env``, ``{port}`` is replaced by the port that the replica must listen on; the
    environment has it as ``PORT`` too. With a ``port`` of None the replica listens on no port, and is healthy while it
    runs. With 0 the engine chooses the port. ``health_path`` is requested with GET, and a status of 200 to 399 means
    healthy; None: the replica is healthy once the port accepts connections. ``cpus`` and ``memory_bytes`` are limits of
    one replica, and its ``accelerators`` are not shared. ``grace_s`` is how many seconds it has to end by itself when
    it is stopped. ``connects`` lists the TCP ports that it may connect to, on any host, where its engine can enforce
    this.
    """

    command: tuple[str, ...] = ()
    image: str | None = None
    env: Mapping[str, str] = {}
    port: int | None = 0
    health_path: str | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    accelerators: int = 0
    grace_s: float = 10.0
    application: str | None = None
    arguments: Mapping[str, str] = {}
    connects: tuple[int, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A replica that has to run. It takes ``units`` of its instance, of the type ``unit_type``.

    ``ends_in_s``: the engine ends it that many seconds after it received this, even without another request; None:
    never.

    ``trusted``: an operator created or approved the model version. Other versions run only where the engine isolates
    them.
    """

    name: str
    unit_id: str
    service_id: str
    unit_type: str
    units: int
    spec: RunSpec
    ends_in_s: float | None = None
    trusted: bool = False


class Isolation(msgspec.Struct, frozen=True):
    """How far an engine isolates a replica from its host, from the control plane and from other replicas.

    ``missing`` lists what the isolation lacks, as phrases, for example "bubblewrap is not installed". A model version
    that no operator trusts runs only where the list is empty.
    """

    missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether an untrusted command may run there."""
        return not self.missing


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A replica as its engine reports it.

    ``address`` is where it listens: host:port, and a path where it shares the port with others; None: it does not
    listen, or not yet. ``reason`` says why it is not well: exit code or signal, last lines of its log, result of its
    health check. ``devices`` are the accelerators assigned to it.
    """

    name: str
    state: SeenState
    address: str | None = None
    reason: str | None = None
    devices: tuple[str, ...] = ()


ReplicaState = Literal["Starting", "Ready", "Unhealthy", "Stopping", "Gone", "Failed"]
"""The state of a replica in the books.

Gone: no engine has it. Failed: no engine has it, and it has to be started again.
"""

AT_REST: Final[frozenset[ReplicaState]] = frozenset({"Gone", "Failed"})
"""In these states no engine has anything of the replica."""
ANSWERING: Final[frozenset[ReplicaState]] = frozenset({"Ready", "Unhealthy"})

Outage = Literal["None", "Down", "Reported", "Unwanted"]
"""Whether a service answers on an instance that is paid for.

None: it does, or the instance is not paid for yet. Down: no replica has stayed healthy. Reported: the same, and it was
reported as a crash loop. Unwanted: after a report, nothing of the service has to run there any more.
"""

STEPS: Final[dict[ReplicaState, frozenset[ReplicaState]]] = {
    "Starting": frozenset({"Ready", "Unhealthy", "Stopping"}),
    "Ready": frozenset({"Starting", "Unhealthy", "Stopping"}),
    "Unhealthy": frozenset({"Starting", "Ready", "Stopping"}),
    # Every replica passes through Stopping before Gone, so that its engine clears it away before the books call it
    # gone.
    "Stopping": frozenset({"Gone", "Failed"}),
    "Failed": frozenset({"Gone", "Starting"}),
    "Gone": frozenset({"Starting"}),
}
"""Every permitted change from one state to another."""


class Replica(msgspec.Struct, frozen=True):
    """One of a service's replicas on an instance: its current try (``generation``) and the state of that try.

    A row is never deleted. A replica that is Gone is used again with the next generation, so that an engine sees each
    name for one try only. ``since``, ``not_before`` and ``deadline`` are microseconds since 1970 UTC: of the store's
    clock if that is the real time, else of the machine's, because processes go on while a virtual clock is paused.
    ``since`` is when it came into its state, ``not_before`` when it may be started again, ``deadline`` when the engine
    ends it by itself. It takes ``units`` of its instance and was started on ``node``. ``reason`` says why it is not
    well or why it ended, ``trouble`` why its engine does not carry out the next step. ``restarts`` counts failures in a
    row.

    ``outage`` and ``down_since`` are of the service on the instance, and only the row of replica 0 has them: since when
    no replica of the service there has stayed healthy, by the service's clock, also a virtual one.
    """

    unit_id: str
    service_id: str
    number: int
    account_id: str
    model_id: str
    engine: str
    node: str
    units: int
    generation: int
    state: ReplicaState
    since: int
    address: str | None = None
    devices: tuple[str, ...] = ()
    reason: str | None = None
    trouble: str | None = None
    restarts: int = 0
    not_before: int | None = None
    deadline: int | None = None
    outage: Outage = "None"
    down_since: int | None = None

    @property
    def name(self) -> str:
        """The name of this try in its engine."""
        return f"{self.unit_id}-{self.service_id}-{self.number}-{self.generation}"

    @property
    def key(self) -> tuple[str, str, int]:
        """The identity of the replica, the same for all tries."""
        return self.unit_id, self.service_id, self.number

    @property
    def is_live(self) -> bool:
        """Whether an engine may still have something of it."""
        return self.state not in AT_REST


def rest(row: Replica, state: Literal["Gone", "Failed"], now: int) -> Replica:
    """Return the row of a replica that its engine no longer has."""
    failed = state == "Failed"
    return msgspec.structs.replace(
        row,
        state=state,
        since=now,
        address=None,
        devices=(),
        trouble=row.trouble if failed else None,
        restarts=row.restarts if failed else 0,
        not_before=row.not_before if failed else None,
        deadline=None,
    )


class Target(NamedTuple):
    """A replica that takes requests. ``state`` is Ready or Unhealthy; healthy replicas come first."""

    name: str
    address: str
    state: ReplicaState
    model_id: str
    engine: str
    node: str
