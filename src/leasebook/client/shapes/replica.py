"""Shapes of values: replica. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class ServiceInstance(Shape, kw_only=True):
    """An instance as its service sees it (decision 23)."""

    instance_id: str
    """The instance."""
    payment_timing: str
    """Prepaid: by the month, in advance. Postpaid: by the minute."""
    replicas_count: int
    """How many replicas."""
    status: str
    """Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units are kept),
    Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released.
    """
    start_time: datetime | None = None
    """Since when it runs, and is paid for."""
    expired_time: datetime | None = None
    """Prepaid: when the term ends. Postpaid: when it ended."""
    release_time: datetime | None = None
    """When the instance is released by itself."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""


class ServiceInstances(Shape, kw_only=True):
    """The live instances of a service."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    instances: list[ServiceInstance]
    """The instances."""


class ServiceInstanceDetail(Shape, kw_only=True):
    """One instance of a service."""

    instance: ServiceInstance
    """The instance."""


class ServiceLogStore(Shape, kw_only=True):
    """Where the lines of a service's replicas are sent."""

    log_region: str | None = None
    """The region that was given."""
    log_project: str
    """The project that was given."""
    log_store_name: str
    """The name that was given."""
    attached_at: datetime
    """When it was attached."""


class ReplicaDetail(Shape, kw_only=True):
    """A replica of a service on an instance, and its state."""

    instance_id: str
    """The instance."""
    replica: int
    """Its number on the instance, from 0."""
    name: str
    """The name of this run in its engine; a new run gets a new name."""
    model_id: str
    """The version of the model that it runs."""
    engine: str
    """The engine that runs it."""
    node: str
    """The machine whose server started it."""
    replica_state: str
    """Starting: not healthy yet. Ready: healthy. Unhealthy: it was healthy, and does not answer now. Stopping: its
    engine is ending it. Gone: it has ended. Failed: it has ended by itself and will be started again.
    """
    state_since: datetime
    """Since when it is in that state."""
    address: str | None
    """Where it listens: host and port, a path if it shares them; null: nowhere, or not yet."""
    devices: list[str]
    """The accelerators that it owns."""
    compute_units: int
    """How many of its instance's units it takes."""
    restarts: int
    """How often in a row it failed."""
    next_start_time: datetime | None
    """Before that it is not started again; null: nothing keeps it."""
    engine_end_time: datetime | None
    """When its engine ends it even if no server is running; null: never."""
    why: str | None
    """Why it is not healthy, or why it ended."""
    down_since: datetime | None
    """Since when no replica of the service has stayed healthy on this paid instance; null: one has, or none has to."""
    crash_loop: bool
    """Whether the event `replica.crashLoop` reported that, and it goes on."""
    trouble: str | None
    """Why its engine cannot start, stop or check it now."""


class Replicas(Shape, kw_only=True):
    """The replicas, by instance and number. Those that are gone and were not started again are in it."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    service_id: str
    """The service."""
    ready: int
    """How many of the service's replicas are healthy, on all instances."""
    replicas: list[ReplicaDetail]
    """The replicas, by instance and number."""


class ReplicaLogs(Shape, kw_only=True):
    """The lines, oldest first; or why there are none."""

    log_lines: list[str]
    """The lines of both of its streams, oldest first."""
    why: str | None
    """Why there are no lines; null if there are."""
