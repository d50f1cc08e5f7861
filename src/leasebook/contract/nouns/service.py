"""What requests and results look like, for the actions of services."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from leasebook.contract.nouns.charge import Model
from leasebook.contract.nouns.instance import (
    Billing,
    Count,
    Id,
    Name,
    Paged,
    PagedRequest,
    Part,
    RegionOrAny,
    Request,
    Shape,
    Text,
    Time,
)

ServiceType = Literal["chat", "completions", "text2image", "image2text"]
RunStatus = Literal["New", "Deploying", "Serving", "Failed", "Stopped"]
ChargeType = Literal["ComputingUnit", "Tokens"]
Protocol = Literal[1, 2]
Qps = Annotated[float, msgspec.Meta(gt=0, le=50)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class ResourceConfig(Part, kw_only=True):
    """What a replica takes, and how many replicas to buy units for."""

    region: RegionOrAny | None = None
    type: Annotated[str, msgspec.Meta(max_length=35, description="Card class and units per replica: GPU-1-2")]
    qps: Qps | None = None
    replicas_count: Count | None = None


class DeploymentComputeUnit(Part, kw_only=True):
    """So many replicas on an instance that the account has."""

    instance_id: Id
    deployment_replicas_count: Count


class DeploymentConfig(Part, kw_only=True):
    """Which instances a service is to run on. An empty list means that units are to be bought."""

    deployment_compute_unit_list: Annotated[list[DeploymentComputeUnit], msgspec.Meta(max_length=100)] | None = None
    replicas_count: Count | None = None
    qps: Qps | None = None
    replica_compute_unit_count: Annotated[int, msgspec.Meta(ge=1, le=99)] | None = None


class CreateServiceRequest(Request, kw_only=True):
    """Create a service: on instances that there are (deploymentConfig), or on units bought now (billing).

    With neither it has no replicas until some are bought or placed. Whether one whose model nobody knows is refused or
    ``counted`` the request may say (an addition of ours), and else the setting services.unknown_models.
    """

    model_set_id: Id
    model_id: Id
    name: Name
    description: Text | None = None
    url_suffix: Annotated[
        str, msgspec.Meta(min_length=2, max_length=20, pattern="^[a-z0-9][a-z0-9_-]*[a-z0-9](?!\\n)$")
    ]
    resource_config: ResourceConfig | None = None
    deployment_config: DeploymentConfig | None = None
    billing: Billing | None = None
    service_type: ServiceType | None = None
    protocol_version: Protocol | None = None
    counted: bool | None = None


class CreatedService(Shape, kw_only=True):
    """The new service, and the instance bought for it where one was."""

    service_id: str
    instance_id: str | None = None
    order_id: str | None = None


class DescribeServiceRequest(Request, kw_only=True):
    """Ask for one service."""

    service_id: Id


class ServiceResource(Shape, kw_only=True):
    """What a replica takes, and how many replicas there are."""

    type: str
    replicas_count: int
    region: str | None = None
    qps: float | None = None


class ServiceDetail(Shape, kw_only=True):
    """A service. ``updateStatus`` of None: no change of it is under way.

    ``counted``: nothing runs of it, whatever its status.

    DescribeService says in ``whyNotRun`` why nothing runs of it, or where its version may not run.
    """

    service_id: str
    name: str
    description: str
    base_model: str
    model_set_id: str
    model_id: str
    model_version_id: str
    url_suffix: str
    url: str
    endpoint: str
    service_type: ServiceType
    protocol_version: int
    run_status: RunStatus
    update_status: str
    charge_type: ChargeType
    pay_type: str | None = None
    charge_status: str
    resource_config: ServiceResource
    creator: str
    create_time: str
    counted: bool
    why_not_run: list[str] | None = None


class DescribeServicesRequest(Request, kw_only=True):
    """List services, a page at a time."""

    marker: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    max_keys: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    page_reverse: bool | None = None
    name: Text | None = None
    service_type: Annotated[list[ServiceType], msgspec.Meta(max_length=10)] | None = None
    run_status: Annotated[list[Literal[RunStatus, "Done"]], msgspec.Meta(max_length=10)] | None = None
    creator: Annotated[list[Id], msgspec.Meta(max_length=100)] | None = None
    charge_type: ChargeType | None = None
    pay_type: Literal["Prepay", "Postpay"] | None = None
    protocol_version: Protocol | None = None


class ServicePage(Shape, kw_only=True):
    """A page of services. ``nextMarker`` stands there while more follow."""

    service_list: list[ServiceDetail]
    is_truncated: bool
    max_keys: int
    marker: str | None = None
    next_marker: str | None = None


class ModifyServiceRequest(Request, kw_only=True):
    """Let a service run another version of a model."""

    service_id: Id
    model_set_id: Id
    model_id: Id
    counted: bool | None = None


class ScaleServiceRequest(Request, kw_only=True):
    """Have that many replicas of a service on an instance; 0 takes it off the instance.

    The documents spell the number in two ways; either will do.
    """

    service_id: Id
    instance_id: Id
    deployment_replicas_count: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None
    deployed_replicas_count: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None


class ServiceRequest(Request, kw_only=True):
    """Name one service."""

    service_id: Id


class Operation(Shape, kw_only=True):
    """Whether it was accepted, and what to mind."""

    operation: bool
    message: str


class DescribePresetServicesRequest(PagedRequest, kw_only=True):
    """List the models that quota is sold of."""

    service_ids: Annotated[list[Id], msgspec.Meta(max_length=100)] | None = None
    service_type: Annotated[list[ServiceType], msgspec.Meta(max_length=10)] | None = None
    charge_type: Annotated[list[Literal["TPM", "Tokens", "Calls", "Free"]], msgspec.Meta(max_length=10)] | None = None
    charge_status: (
        Annotated[list[Literal["NotOpen", "Opened", "Stopped", "Free"]], msgspec.Meta(max_length=10)] | None
    ) = None
    protocol_version: Protocol | None = None


class PresetService(Shape, kw_only=True):
    """A model that quota is sold of. Opened: the account has some; Stopped: it stands still for a debt."""

    service_id: str
    name: str
    model: Model
    service_type: ServiceType
    charge_type: Literal["TPM"]
    charge_status: Literal["NotOpen", "Opened", "Stopped"]
    price_per_minute: str | None


class PresetServices(Paged, kw_only=True):
    """The models that quota is sold of, in the catalogue's order."""

    service_list: list[PresetService]


class DescribeServiceMetricRequest(PagedRequest, kw_only=True):
    """Sum up the calls from startTime until before endTime, of some services or of all, by one app or by all."""

    start_time: Time
    end_time: Time
    service_id: Annotated[list[Id], msgspec.Meta(max_length=100)] | None = None
    app_id: Id | None = None


class Metric(Shape, kw_only=True, omit_defaults=False):
    """Sums of calls and tokens."""

    input_tokens_total: int
    output_tokens_total: int
    tokens_total: int
    succeed_call_total: int
    failure_call_total: int
    call_total: int


class AppMetric(Shape, kw_only=True):
    """What an app called of a service."""

    app_id: str
    metric: Metric


class ServiceMetric(Shape, kw_only=True):
    """What was called of a service, by app."""

    service_id: str
    service_name: str
    app_list: list[AppMetric]


class ServiceMetrics(Paged, kw_only=True):
    """What was called, by service. Calls are counted by the hour in which they were made."""

    start_time: str
    end_time: str
    service_list: list[ServiceMetric]


class CountServiceCallsRequest(Request, kw_only=True):
    """Count calls of a service: sent by whatever passes them on. Tokens come off the package where one is named."""

    service_id: Id
    app_id: Id
    time: Time | None = None
    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    succeeded: Tokens = 0
    failed: Tokens = 0
    package_id: Id | None = None
