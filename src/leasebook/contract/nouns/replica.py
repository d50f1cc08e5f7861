"""Replicas of a service: the instances that they run on, their state, their logs, and where those are sent."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, ENDS, RESOURCES, SERVICE, read, write
from leasebook.contract.nouns.instance import Billing, PaymentTiming, Purchased
from leasebook.contract.shapes import (
    NAME_GIVEN,
    NAME_WANTED,
    NAMED,
    TAGGED,
    TAGS_GIVEN,
    TAGS_WANTED,
    AcrossPagedRequest,
    AcrossRequest,
    Id,
    Paged,
    PagedRequest,
    PositiveCount,
    Request,
    ResourceName,
    Shape,
    TagFilter,
    Tags,
)


class PurchaseReplicasRequest(Request, kw_only=True):
    """Buy the compute units for replicas of a service."""

    service_id: Annotated[Id, Meta(description="The service.")]
    billing: Annotated[Billing, Meta(description="How it is paid.")]
    replicas_count: Annotated[PositiveCount, Meta(description="How many replicas to buy units for.")]
    name: Annotated[ResourceName | None, Meta(description=NAME_GIVEN)] = None
    tags: Annotated[Tags | None, Meta(description=TAGS_GIVEN)] = None


class ReleaseReplicasRequest(Request, kw_only=True):
    """Release a postpaid instance of a service now."""

    service_id: Annotated[Id, Meta(description="The service.")]
    instance_id: Annotated[Id, Meta(description="The instance.")]


class DescribeServiceInstancesRequest(PagedRequest, kw_only=True):
    """List the live instances of a service."""

    service_id: Annotated[Id, Meta(description="The service.")]
    payment_timing: Annotated[PaymentTiming | None, Meta(description="Only instances that are paid this way.")] = None
    name: Annotated[ResourceName | None, Meta(description=NAME_WANTED)] = None
    tags: Annotated[TagFilter | None, Meta(description=TAGS_WANTED)] = None


class DescribeServiceInstanceRequest(Request, kw_only=True):
    """Ask for one instance of a service."""

    service_id: Annotated[Id, Meta(description="The service.")]
    instance_id: Annotated[Id, Meta(description="The instance.")]


class ServiceInstance(Shape, kw_only=True):
    """An instance as its service sees it (decision 23)."""

    instance_id: Annotated[str, Meta(description="The instance.")]
    payment_timing: Annotated[
        PaymentTiming, Meta(description="Prepaid: by the month, in advance. Postpaid: by the minute.")
    ]
    replicas_count: Annotated[int, Meta(description="How many replicas.")]
    status: Annotated[
        str,
        Meta(
            description=(
                "Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units "
                "are kept), Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released."
            )
        ),
    ]
    start_time: Annotated[str | None, Meta(description="Since when it runs, and is paid for.")] = None
    expired_time: Annotated[str | None, Meta(description="Prepaid: when the term ends. Postpaid: when it ended.")] = (
        None
    )
    release_time: Annotated[str | None, Meta(description="When the instance is released by itself.")] = None
    name: Annotated[str | None, Meta(description=NAMED)] = None
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


class ServiceInstances(Paged, kw_only=True):
    """The live instances of a service."""

    instances: Annotated[list[ServiceInstance], Meta(description="The instances.")]


class ServiceInstanceDetail(Shape, kw_only=True):
    """One instance of a service."""

    instance: Annotated[ServiceInstance, Meta(description="The instance.")]


ReplicaState = Literal["Starting", "Ready", "Unhealthy", "Stopping", "Gone", "Failed"]


class DescribeReplicasRequest(AcrossPagedRequest, kw_only=True):
    """Show the replicas of a service, on all of its instances or on one."""

    service_id: Annotated[Id, Meta(description="The service.")]
    instance_id: Annotated[Id | None, Meta(description="Only those on this instance.")] = None


class ReplicaDetail(Shape, kw_only=True):
    """A replica of a service on an instance, and its state."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    replica: Annotated[int, Meta(description="Its number on the instance, from 0.")]
    name: Annotated[str, Meta(description="The name of this run in its engine; a new run gets a new name.")]
    model_id: Annotated[str, Meta(description="The version of the model that it runs.")]
    engine: Annotated[str, Meta(description="The engine that runs it.")]
    node: Annotated[str, Meta(description="The machine whose server started it.")]
    replica_state: Annotated[
        ReplicaState,
        Meta(
            description=(
                "Starting: not healthy yet. Ready: healthy. Unhealthy: it was healthy, and does not answer now. "
                "Stopping: its engine is ending it. Gone: it has ended. Failed: it has ended by itself and will be "
                "started again."
            )
        ),
    ]
    state_since: Annotated[str, Meta(description="Since when it is in that state.")]
    address: Annotated[
        str | None,
        Meta(description="Where it listens: host and port, a path if it shares them; null: nowhere, or not yet."),
    ]
    devices: Annotated[list[str], Meta(description="The accelerators that it owns.")]
    compute_units: Annotated[int, Meta(description="How many of its instance's units it takes.")]
    restarts: Annotated[int, Meta(description="How often in a row it failed.")]
    next_start_time: Annotated[
        str | None, Meta(description="Before that it is not started again; null: nothing keeps it.")
    ]
    engine_end_time: Annotated[
        str | None, Meta(description="When its engine ends it even if no server is running; null: never.")
    ]
    why: Annotated[str | None, Meta(description="Why it is not healthy, or why it ended.")]
    down_since: Annotated[
        str | None,
        Meta(
            description=(
                "Since when no replica of the service has stayed healthy on this paid instance; null: one has, or "
                "none has to."
            )
        ),
    ]
    crash_loop: Annotated[
        bool, Meta(description="Whether the event `replica.crashLoop` reported that, and it goes on.")
    ]
    trouble: Annotated[str | None, Meta(description="Why its engine cannot start, stop or check it now.")]


class Replicas(Paged, kw_only=True):
    """The replicas, by instance and number. Those that are gone and were not started again are in it."""

    service_id: Annotated[Id, Meta(description="The service.")]
    ready: Annotated[int, Meta(description="How many of the service's replicas are healthy, on all instances.")]
    replicas: Annotated[list[ReplicaDetail], Meta(description="The replicas, by instance and number.")]


class DescribeReplicaLogsRequest(AcrossRequest, kw_only=True):
    """Show the last lines that a replica wrote."""

    service_id: Annotated[Id, Meta(description="The service.")]
    instance_id: Annotated[Id, Meta(description="The instance.")]
    replica: Annotated[int, Meta(ge=0, le=1_000_000, description="Its number on the instance, from 0.")] = 0
    lines_max: Annotated[
        int, Meta(ge=1, le=1000, description="How many lines at most, the last ones; 100 where it is left out.")
    ] = 100


class ReplicaLogs(Shape, kw_only=True):
    """The lines, oldest first; or why there are none."""

    log_lines: Annotated[list[str], Meta(description="The lines of both of its streams, oldest first.")]
    why: Annotated[str | None, Meta(description="Why there are no lines; null if there are.")]


INSTANCES: Final = (
    write(
        RESOURCES,
        "PurchaseComputeUnit",
        "purchase_replicas",
        PurchaseReplicasRequest,
        Purchased,
        "Buy the compute units for replicas of a service.",
        errors=(*BUYS, e.SERVICE_NOT_FOUND, e.UNTRUSTED_MODEL),
        example={
            "serviceId": "svco-48esssdpa594",
            "billing": {
                "paymentTiming": "Prepaid",
                "reservation": {"reservationTimeUnit": "Month", "reservationLength": 5},
            },
            "replicasCount": 5,
        },
        answer={"instanceId": "unit-c7aCIFZQ", "orderId": "e61e33b1c0685a13d993520db21efbdf"},
    ),
    read(
        RESOURCES,
        "DescribeComputeUnits",
        "describe_service_instances",
        DescribeServiceInstancesRequest,
        ServiceInstances,
        "List the live instances of a service.",
        own_only="It is the documents' older form of DescribeComputeUnits and DescribeComputeUnit at /v2/computeunit.",
        errors=(e.SERVICE_NOT_FOUND, e.INVALID_MARKER),
        example={"serviceId": "svco-48esssdpa594"},
        answer={
            "instances": [
                {
                    "instanceId": "unit-Qw4rTy7U",
                    "paymentTiming": "Prepaid",
                    "replicasCount": 5,
                    "status": "Running",
                    "startTime": "2026-11-30T06:13:45+08:00",
                    "expiredTime": "2027-04-30T06:13:45+08:00",
                },
                {
                    "instanceId": "unit-Fz8kMh6J",
                    "paymentTiming": "Postpaid",
                    "replicasCount": 5,
                    "status": "Running",
                    "startTime": "2026-11-30T06:13:45+08:00",
                },
            ]
        },
    ),
    read(
        RESOURCES,
        "DescribeComputeUnit",
        "describe_service_instance",
        DescribeServiceInstanceRequest,
        ServiceInstanceDetail,
        "Show one instance of a service.",
        own_only="It is the documents' older form of DescribeComputeUnits and DescribeComputeUnit at /v2/computeunit.",
        errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND),
        example={"serviceId": "svco-48esssdpa594", "instanceId": "unit-Fz8kMh6J"},
        answer={
            "instance": {
                "instanceId": "unit-Fz8kMh6J",
                "paymentTiming": "Postpaid",
                "replicasCount": 5,
                "status": "Running",
                "startTime": "2026-11-30T06:13:45+08:00",
            }
        },
    ),
    write(
        RESOURCES,
        "ReleaseComputeUnit",
        "release_replicas",
        ReleaseReplicasRequest,
        bool,
        "Release a postpaid instance of a service now.",
        errors=ENDS,
        example={"serviceId": "svco-48esssdpa594", "instanceId": "unit-Fz8kMh6J"},
        answer=True,
    ),
)


LogWord = Annotated[str, Meta(min_length=1, max_length=128, pattern="^[^\\x00-\\x1f\\x7f]*$")]


class AttachLogStoreRequest(Request, kw_only=True):
    """Have the lines that a service's replicas write sent to the operator's log store.

    The three words are for those who search there: they go with every line, and choose no other store. A log store that
    the service had before is replaced.
    """

    service_type: Annotated[
        Literal["Custom", "Preset"],
        Meta(description="Custom: a service of the account. Preset services run no replicas here, and are refused."),
    ]
    service_id: Annotated[Id, Meta(description="The service.")]
    log_region: Annotated[LogWord | None, Meta(description="A region, sent as leasebook.log_region.")] = None
    log_project: Annotated[LogWord, Meta(description="A project, sent as leasebook.log_project.")]
    log_store_name: Annotated[LogWord, Meta(description="A name, sent as leasebook.log_store.")]


class DetachLogStoreRequest(Request, kw_only=True):
    """Send the lines of a service's replicas nowhere any more."""

    service_id: Annotated[Id, Meta(description="The service.")]


class ServiceLogStore(Shape, kw_only=True):
    """Where the lines of a service's replicas are sent."""

    log_region: Annotated[str | None, Meta(description="The region that was given.")] = None
    log_project: Annotated[str, Meta(description="The project that was given.")]
    log_store_name: Annotated[str, Meta(description="The name that was given.")]
    attached_at: Annotated[str, Meta(description="When it was attached.")]


ACTIONS: Final = (
    read(
        SERVICE,
        "DescribeReplicas",
        "describe_replicas",
        DescribeReplicasRequest,
        Replicas,
        "Show a service's replicas and how they do.",
        across=p.FLEET_READERS,
        errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND, e.INVALID_MARKER),
        example={"serviceId": "svco-48esssdpa594"},
        answer={
            "serviceId": "svco-48esssdpa594",
            "ready": 1,
            "replicas": [
                {
                    "instanceId": "unit-Fz8kMh6J",
                    "replica": 0,
                    "name": "unit-Fz8kMh6J-svco-48esssdpa594-0-1",
                    "modelId": "amv-echo00000000",
                    "engine": "process",
                    "node": "host-1",
                    "replicaState": "Ready",
                    "stateSince": "2026-11-30T06:13:18.105824+08:00",
                    "address": "127.0.0.1:20985",
                    "devices": [],
                    "computeUnits": 1,
                    "restarts": 0,
                    "nextStartTime": None,
                    "engineEndTime": None,
                    "why": None,
                    "downSince": None,
                    "crashLoop": False,
                    "trouble": None,
                }
            ],
        },
    ),
    read(
        SERVICE,
        "DescribeReplicaLogs",
        "describe_replica_logs",
        DescribeReplicaLogsRequest,
        ReplicaLogs,
        "Show the last lines that a replica wrote, where this server reaches its engine.",
        across=p.SUPPORTERS,
        errors=(e.SERVICE_NOT_FOUND, e.INSTANCE_NOT_FOUND),
        example={"serviceId": "svco-48esssdpa594", "instanceId": "unit-Fz8kMh6J", "replica": 0, "linesMax": 50},
        answer={"logLines": ["listening on 127.0.0.1:20985"], "why": None},
    ),
    write(
        SERVICE,
        "AttachLogStore",
        "attach_log_store",
        AttachLogStoreRequest,
        bool,
        "Have the lines of a service's replicas sent to the operator's log store.",
        errors=(e.SERVICE_NOT_FOUND, e.OPERATION_NOT_SUPPORTED, e.LOG_STORE_UNREACHABLE),
        example={
            "serviceType": "Custom",
            "serviceId": "svco-48esssdpa594",
            "logRegion": "bj",
            "logProject": "default",
            "logStoreName": "replicas",
        },
        answer=True,
    ),
    write(
        SERVICE,
        "DetachLogStore",
        "detach_log_store",
        DetachLogStoreRequest,
        bool,
        "Send the lines of a service's replicas to no log store any more.",
        errors=(e.SERVICE_NOT_FOUND, e.INVALID_STATE),
        example={"serviceId": "svco-48esssdpa594"},
        answer=True,
    ),
)
