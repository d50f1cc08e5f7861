"""A replica: what is to run of a service on an instance, and what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import msgspec

SeenState = Literal["Starting", "Ready", "Unhealthy", "Exited", "Stopping"]
"""Starting: not healthy yet. Unhealthy: was, and does not answer. Exited: it ended by itself. Stopping: it was told to.

What is gone is not seen at all.
"""

UNIT, SERVICE, REPLICA, RUN = "LEASEBOOK_UNIT", "LEASEBOOK_SERVICE", "LEASEBOOK_REPLICA", "LEASEBOOK_RUN"
VARIABLES: Final = (UNIT, SERVICE, REPLICA, RUN)
"""What a replica's environment says of itself: whose it is, and a mark that no other start has."""

REPLICA_PORTS: Final = range(20_000, 30_000)
"""The process engine chooses from these: below what the kernel gives to outgoing connections."""


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How one replica is run: a command, or an image, or both (the command runs in the image); or an application.

    ``application`` is one of Ray Serve by its import path, ``module:name``: it is bound already, or a function makes it
    of ``arguments``. It listens where Serve does, so that ``port`` is 0, and nothing stands for it.

    In ``command`` and in the values of ``env``, ``{port}`` stands for the port that the replica must listen on; the
    environment has it as ``PORT`` too. With a ``port`` of None it listens on none, and is healthy while it runs.
    0 lets the engine choose one. ``health_path`` is asked with GET and healthy with a status of 200 to 399; None: it is
    healthy once the port takes connections. ``cpus`` and ``memory_bytes`` are limits of one replica, and it owns
    ``accelerators`` for itself. ``grace_s`` is how long it has to end by itself when it is stopped. ``connects`` are
    the TCP ports that it may connect to, on any host, where its engine can hold it to them.
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
    """A replica that is to run. ``unit_type`` and ``units`` are what it takes of its instance.

    ``ends_in_s`` is in how many seconds, counted from when the engine is told, it ends it even where nobody tells it
    to; None: never.
    ``trusted``: an operator made or approved the model version. Others run only where the engine isolates them.
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
    """How far an engine keeps a replica apart from its host, from the control plane and from other replicas.

    ``missing`` names what is not there, a phrase each, such as "bubblewrap is not installed". A version of a model that
    no operator trusts runs only where nothing is missing.
    """

    missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether a stranger's command may run there."""
        return not self.missing


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A replica as the engine finds it.

    ``address`` (host:port, and a path after it where it shares the port with others) is where it listens; None: it
    listens nowhere, or not yet. ``reason`` says in words why it
    is not well: exit code or signal, last lines of its log, what its health check said. ``devices`` are the
    accelerators that it owns.
    """

    name: str
    state: SeenState
    address: str | None = None
    reason: str | None = None
    devices: tuple[str, ...] = ()


ReplicaState = Literal["Starting", "Ready", "Unhealthy", "Stopping", "Gone", "Failed"]
"""What the books say of a replica. Gone: nothing of it is there. Failed: neither, and it is to be started again."""

AT_REST: Final[frozenset[ReplicaState]] = frozenset({"Gone", "Failed"})
"""In these an engine has nothing of it."""
ANSWERING: Final[frozenset[ReplicaState]] = frozenset({"Ready", "Unhealthy"})

STEPS: Final[dict[ReplicaState, frozenset[ReplicaState]]] = {
    "Starting": frozenset({"Ready", "Unhealthy", "Stopping"}),
    "Ready": frozenset({"Starting", "Unhealthy", "Stopping"}),
    "Unhealthy": frozenset({"Starting", "Ready", "Stopping"}),
    # Whatever ends passes through this, so that the engine is told to clear it away before anybody says it is gone.
    "Stopping": frozenset({"Gone", "Failed"}),
    "Failed": frozenset({"Gone", "Starting"}),
    "Gone": frozenset({"Starting"}),
}
"""Every way from one state to another."""


class Replica(msgspec.Struct, frozen=True):
    """One of the replicas of a service on an instance: which try it is at, and how that does.

    It is never deleted: what is Gone is used again, with another generation, so that the engine is told each name for
    one try only. ``since``, ``not_before`` and ``deadline`` are microseconds since 1970 UTC: of the store's clock where
    that is real, and else of the machine's, since what runs does not stand still where a virtual clock does. ``since``
    is when it came into its state, ``not_before`` when
    it may be started again, ``deadline`` when the engine ends it by itself. ``units`` is how many of its instance's it
    takes, and ``node`` where it was started. ``reason`` says why it is not well or ended, ``trouble`` what keeps its
    engine from doing what it is to do. ``restarts`` counts failures in a row.
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

    @property
    def name(self) -> str:
        """The name that the engine knows this try by."""
        return f"{self.unit_id}-{self.service_id}-{self.number}-{self.generation}"

    @property
    def key(self) -> tuple[str, str, int]:
        """Which replica it is, whatever the try."""
        return self.unit_id, self.service_id, self.number

    @property
    def is_live(self) -> bool:
        """Whether an engine may have something of it."""
        return self.state not in AT_REST


class Target(NamedTuple):
    """A replica that takes requests. ``state`` is Ready or Unhealthy; what is healthy comes first."""

    name: str
    address: str
    state: ReplicaState
    model_id: str
    engine: str
    node: str
