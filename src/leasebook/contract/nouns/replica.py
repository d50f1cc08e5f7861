"""What requests and results look like, for replicas."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.instance import Id, Paged, PagedRequest, Request, Shape

ReplicaState = Literal["Starting", "Ready", "Unhealthy", "Stopping", "Gone", "Failed"]


class DescribeReplicasRequest(PagedRequest, kw_only=True):
    """Show the replicas of a service, on all of its instances or on one."""

    service_id: Id
    instance_id: Id | None = None


class ReplicaDetail(Shape, kw_only=True):
    """A replica of a service on an instance, and how it does."""

    instance_id: Id
    replica: int
    name: str
    model_id: str
    engine: str
    node: str
    replica_state: ReplicaState
    state_since: str
    address: str | None
    devices: list[str]
    compute_units: int
    restarts: int
    next_start_time: str | None
    engine_end_time: str | None
    why: str | None
    trouble: str | None


class Replicas(Paged, kw_only=True):
    """The replicas, by instance and number. Those that are gone and were not started again are in it."""

    service_id: Id
    ready: int
    replicas: list[ReplicaDetail]


class DescribeReplicaLogsRequest(Request, kw_only=True):
    """Show the last lines that a replica wrote."""

    service_id: Id
    instance_id: Id
    replica: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    lines_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class ReplicaLogs(Shape, kw_only=True):
    """The lines, oldest first; or why there are none."""

    log_lines: list[str]
    why: str | None
