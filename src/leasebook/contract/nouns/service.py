"""Services: the models that run, and the instances that their replicas run on."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract import shapes as sh
from leasebook.contract.action import BUYS, SERVICE, read, write
from leasebook.contract.nouns.instance import Billing
from leasebook.contract.nouns.model import VERSION_MEANS
from leasebook.contract.nouns.replica import ServiceLogStore
from leasebook.contract.nouns.resource.service_switch import DeactivateServiceRequest, Operation, ServiceRequest
from leasebook.contract.shapes import (
    Id,
    Ids,
    Marker,
    Name,
    PageInfo,
    PageSize,
    Part,
    PositiveCount,
    RegionOrAny,
    Request,
    Shape,
    Text,
)

ServiceType = Literal["chat", "completions", "text2image", "image2text"]
RunStatus = Literal["New", "Deploying", "Serving", "Failed", "Stopped"]
ChargeType = Literal["ComputingUnit", "Tokens"]
Protocol = Literal[1, 2]
Qps = Annotated[float, Meta(gt=0, le=50)]
UnitsAReplica = Annotated[int, Meta(ge=1, le=99)]
CountOrNone = Annotated[int, Meta(ge=0, le=100_000)]
ServiceTypes = Annotated[list[ServiceType], Meta(max_length=10)]
RunStatuses = Annotated[list[Literal[RunStatus, "Done"]], Meta(max_length=10)]


class ResourceConfig(Part, kw_only=True):
    """The units that a replica takes, and how many replicas to buy units for."""

    region: Annotated[
        RegionOrAny | None, Meta(description="Where to buy units; empty or left out: wherever there is stock enough.")
    ] = None
    type: Annotated[
        str, Meta(max_length=35, description="Card class and units a replica: GPU-1-2 is two units of gpu-1.")
    ]
    qps: Annotated[
        Qps | None,
        Meta(
            description=(
                "Queries per second for each replica. The gateway forwards at most "
                "this number times the healthy replicas."
            )
        ),
    ] = None
    replicas_count: Annotated[
        PositiveCount | None, Meta(description="How many replicas to buy units for; required with billing.")
    ] = None


class DeploymentComputeUnit(Part, kw_only=True):
    """A number of replicas on an instance that the account has."""

    instance_id: Annotated[Id, Meta(description="The instance.")]
    deployment_replicas_count: Annotated[
        PositiveCount, Meta(description="How many replicas are to run on the instance.")
    ]


DeploymentComputeUnits = Annotated[list[DeploymentComputeUnit], Meta(max_length=100)]


class DeploymentConfig(Part, kw_only=True):
    """Which instances a service is to run on. An empty list means that units are to be bought."""

    deployment_compute_unit_list: Annotated[
        DeploymentComputeUnits | None,
        Meta(description="The instances, all of one type; left out or empty: units are bought, as billing says."),
    ] = None
    replicas_count: Annotated[
        PositiveCount | None,
        Meta(description="Ignored beside a list, which says how many replicas run (decision 15e)."),
    ] = None
    qps: Annotated[
        Qps | None,
        Meta(
            description=(
                "Queries per second for each replica. The gateway forwards at most "
                "this number times the healthy replicas."
            )
        ),
    ] = None
    replica_compute_unit_count: Annotated[
        UnitsAReplica | None, Meta(description="How many units a replica takes; 1 where it is left out.")
    ] = None


class CreateServiceRequest(Request, kw_only=True):
    """Create a service: on instances that there are (deploymentConfig), or on units bought now (billing).

    With neither it has no replicas until some are bought or placed. If the repository does not have the model, the
    service is refused or only counted: ``counted`` says which (an addition of ours), or else the setting
    services.unknown_models.
    """

    model_set_id: Annotated[Id, Meta(description="The model.")]
    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]
    name: Annotated[Name, Meta(description="The name for people.")]
    description: Annotated[Text | None, Meta(description="Free text.")] = None
    url_suffix: Annotated[
        str,
        Meta(
            min_length=2,
            max_length=64,
            pattern="^[a-z0-9][a-z0-9_-]*[a-z0-9](?!\\n)$",
            description="The end of the service's address. "
            "If an account has several services with it, the address leads to the first. "
            "It must not be the id of another service of the account.",
        ),
    ]
    resource_config: Annotated[
        ResourceConfig | None,
        Meta(description="The units of a replica; required unless deploymentConfig names instances."),
    ] = None
    deployment_config: Annotated[
        DeploymentConfig | None, Meta(description="Which instances of the account's the service is to run on.")
    ] = None
    billing: Annotated[
        Billing | None, Meta(description="How the units of the first replicas are paid; without it none are bought.")
    ] = None
    service_type: Annotated[
        ServiceType | None, Meta(description="The purpose of the service; only for display and filters.")
    ] = None
    protocol_version: Annotated[Protocol | None, Meta(description="1 or 2; only for display and filters.")] = None
    counted: Annotated[
        bool | None,
        Meta(
            description=(
                "true: units are sold and no replicas run. false: refuse a version that the repository does not have."
            )
        ),
    ] = None
    tags: Annotated[sh.Tags | None, Meta(description=f"{sh.TAGS_GIVEN} Units bought with it get them too.")] = None
    project_id: Annotated[Id | None, Meta(description=f"{sh.PROJECT_GIVEN} Units bought with it do, too.")] = None


class CreatedService(Shape, kw_only=True):
    """The new service, and the instance bought for it where one was."""

    service_id: Annotated[str, Meta(description="The service.")]
    instance_id: Annotated[str | None, Meta(description="The instance that was bought with it.")] = None
    order_id: Annotated[str | None, Meta(description="The order of that instance.")] = None


class DescribeServiceRequest(sh.AcrossRequest, kw_only=True):
    """Ask for one service."""

    service_id: Annotated[Id, Meta(description="The service.")]


class ServiceResource(Shape, kw_only=True):
    """The units that a replica takes, and how many replicas there are."""

    type: Annotated[str, Meta(description="Card class and units a replica: GPU-1-2 is two units of gpu-1.")]
    replicas_count: Annotated[int, Meta(description="How many replicas run or are coming up.")]
    region: Annotated[str | None, Meta(description="The region.")] = None
    qps: Annotated[
        float | None,
        Meta(
            description=(
                "Queries per second for each replica. The gateway forwards at most "
                "this number times the healthy replicas."
            )
        ),
    ] = None


class ServiceDetail(sh.Owned, kw_only=True):
    """A service. ``updateStatus`` is None while no change of it is under way.

    A service that is ``counted`` runs no replicas, whatever its status. In the answer of DescribeService ``whyNotRun``
    gives the reasons why no replicas run, or where its version may not run.
    """

    service_id: Annotated[str, Meta(description="The service.")]
    name: Annotated[str, Meta(description="The name for people.")]
    description: Annotated[str, Meta(description="Free text.")]
    base_model: Annotated[str, Meta(description="The same as modelSetId.")]
    model_set_id: Annotated[str, Meta(description="The model.")]
    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    model_version_id: Annotated[str, Meta(description="The same as modelId.")]
    url_suffix: Annotated[
        str,
        Meta(
            description="The end of the service's address. If several services have it, the address leads to the first."
        ),
    ]
    url: Annotated[
        str,
        Meta(
            description=(
                "The address for calls of the service, with a key from CreateServiceKey. The gateway forwards the "
                "rest of the path to a replica."
            )
        ),
    ]
    endpoint: Annotated[str, Meta(description="The same as urlSuffix.")]
    service_type: Annotated[ServiceType, Meta(description="The purpose of the service; only for display and filters.")]
    protocol_version: Annotated[int, Meta(description="1 or 2; only for display and filters.")]
    run_status: Annotated[
        RunStatus,
        Meta(
            description=(
                "Serving: replicas run. Deploying: they are starting. Stopped: the service is off, or all of its "
                "instances are suspended. New: it has no replicas."
            )
        ),
    ]
    update_status: Annotated[str, Meta(description="None: no change of it is under way.")]
    charge_type: Annotated[ChargeType, Meta(description="Always ComputingUnit.")]
    pay_type: Annotated[
        str | None,
        Meta(
            description=(
                "How the instances are paid that the service has replicas on: Prepay, Postpay, or both as "
                "Prepay,Postpay."
            )
        ),
    ] = None
    charge_status: Annotated[str, Meta(description="Opened while the service has instances, else NotOpen.")]
    resource_config: Annotated[
        ServiceResource, Meta(description=("The units that a replica takes, and how many replicas there are."))
    ]
    creator: Annotated[str, Meta(description="The user who made it.")]
    creator_name: Annotated[str | None, Meta(description=sh.MAKER_NAMED)] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    counted: Annotated[bool, Meta(description="Whether it is only counted: nothing runs of it.")]
    log_store: Annotated[
        ServiceLogStore | None, Meta(description="Where the lines of its replicas are sent; absent: nowhere.")
    ] = None
    why_not_run: Annotated[
        list[str] | None,
        Meta(
            description=(
                "Why nothing runs of it: it is only counted, no engine runs units of its type, or its version "
                "is not trusted and the engines that could run it do not keep it apart completely."
            )
        ),
    ] = None
    tags: Annotated[dict[str, str] | None, Meta(description=sh.TAGGED)] = None
    project_id: Annotated[str | None, Meta(description=sh.PROJECT_SHOWN)] = None


class DescribeServicesRequest(sh.AcrossRequest, kw_only=True):
    """List services, a page at a time."""

    marker: Annotated[
        Marker | None, Meta(description="The nextMarker of the page before, or the id of its last service.")
    ] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 10 where it is left out, 100 at most whatever is asked.")
    ] = None
    page_reverse: Annotated[bool | None, Meta(description="Newest first.")] = None
    name: Annotated[Text | None, Meta(description="Only services with this in their name.")] = None
    service_type: Annotated[
        ServiceTypes | None, Meta(description="Only services for one of these; left out or empty: all.")
    ] = None
    run_status: Annotated[
        RunStatuses | None,
        Meta(description="Only services in one of these; none is ever Failed, and Done means Serving."),
    ] = None
    creator: Annotated[
        Ids | None, Meta(description="Only services that one of these users made; an empty list matches none.")
    ] = None
    charge_type: Annotated[
        ChargeType | None, Meta(description="Only services that are charged this way; none is charged by Tokens.")
    ] = None
    pay_type: Annotated[
        Literal["Prepay", "Postpay"] | None,
        Meta(description="Only services with replicas on instances that are paid this way."),
    ] = None
    protocol_version: Annotated[Protocol | None, Meta(description="1 or 2; only for display and filters.")] = None
    tags: Annotated[sh.TagFilter | None, Meta(description=sh.TAGS_WANTED)] = None
    project_id: Annotated[Id | None, Meta(description=sh.PROJECT_WANTED)] = None


class ServicePage(Shape, kw_only=True):
    """A page of services. ``nextMarker`` is present while more follow."""

    service_list: Annotated[list[ServiceDetail], Meta(description="The services.")]
    page_info: Annotated[PageInfo, Meta(description="The same as the fields beside it, as the documents have it.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    marker: Annotated[str | None, Meta(description="The marker that was given.")] = None
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class ModifyServiceRequest(Request, kw_only=True):
    """Let a service run another version of a model."""

    service_id: Annotated[Id, Meta(description="The service.")]
    model_set_id: Annotated[Id, Meta(description="The model.")]
    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]
    counted: Annotated[
        bool | None,
        Meta(
            description=(
                "true: units are sold and no replicas run. false: refuse a version that the repository does not have."
            )
        ),
    ] = None


class ScaleServiceRequest(Request, kw_only=True):
    """Have that many replicas of a service on an instance; 0 takes it off the instance.

    The documents spell the number in two ways; either will do.
    """

    service_id: Annotated[Id, Meta(description="The service.")]
    instance_id: Annotated[Id, Meta(description="The instance.")]
    deployment_replicas_count: Annotated[
        CountOrNone | None,
        Meta(description="How many replicas are to run on the instance; 0 takes the service off it."),
    ] = None
    deployed_replicas_count: Annotated[
        CountOrNone | None, Meta(description="The same as deploymentReplicasCount, which goes before it.")
    ] = None


_LISTED: Final = {
    "serviceId": "svco-48esssdpa594",
    "name": "demo",
    "description": "The service that the documents' samples buy replicas for.",
    "baseModel": "am-000000000000",
    "modelSetId": "am-000000000000",
    "modelId": "amv-000000000001",
    "modelVersionId": "amv-000000000001",
    "urlSuffix": "demo",
    "url": "http://leasebook.test/services/demo",
    "endpoint": "demo",
    "serviceType": "chat",
    "protocolVersion": 1,
    "runStatus": "Serving",
    "updateStatus": "None",
    "chargeType": "ComputingUnit",
    "payType": "Prepay,Postpay",
    "chargeStatus": "Opened",
    "resourceConfig": {"type": "GPU-1-1", "replicasCount": 10},
    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "creatorName": "root",
    "createTime": "2026-11-30T06:13:45+08:00",
    "counted": True,
}

ACTIONS: Final = (
    write(
        SERVICE,
        "CreateService",
        "create_service",
        CreateServiceRequest,
        CreatedService,
        "Create a service on instances that there are, or on units bought now, or without any.",
        errors=(*BUYS, e.INSTANCE_NOT_FOUND, e.INVALID_STATE, e.UNTRUSTED_MODEL),
        example={
            "name": "translator",
            "urlSuffix": "translator",
            "modelSetId": "am-000000000000",
            "modelId": "amv-000000000000",
            "resourceConfig": {"type": "GPU-1-2", "region": "bj", "replicasCount": 1},
            "billing": {"paymentTiming": "Postpaid"},
        },
        answer={
            "serviceId": "svco-l8de6uiarmys",
            "instanceId": "unit-c7az9WSD",
            "orderId": "67d014175349678ddbb886c573b30aa8",
        },
    ),
    read(
        SERVICE,
        "DescribeService",
        "describe_service",
        DescribeServiceRequest,
        ServiceDetail,
        "Show one service.",
        across=p.FLEET_READERS,
        errors=(e.SERVICE_NOT_FOUND,),
        example={"serviceId": "svco-48esssdpa594"},
        answer={
            **_LISTED,
            "whyNotRun": [
                (
                    "Nothing runs behind svco-48esssdpa594: it is only counted, since the repository had "
                    "no runnable version 'amv-000000000001' of its model or its request asked for that. "
                    "ModifyService names a version that is run."
                )
            ],
        },
    ),
    read(
        SERVICE,
        "DescribeServices",
        "describe_services",
        DescribeServicesRequest,
        ServicePage,
        "List services, a page at a time.",
        policies=p.SERVICE_LISTERS,
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={"maxKeys": 10, "runStatus": ["New", "Serving"]},
        answer={
            "serviceList": [_LISTED],
            "pageInfo": {"marker": "", "maxKeys": 10, "isTruncated": False},
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    write(
        SERVICE,
        "ModifyService",
        "modify_service",
        ModifyServiceRequest,
        bool,
        "Let a service run another version of a model.",
        errors=(e.SERVICE_NOT_FOUND, e.INVALID_STATE, e.OPERATION_NOT_SUPPORTED, e.UNTRUSTED_MODEL),
        example={"serviceId": "svco-48esssdpa594", "modelSetId": "am-000000000000", "modelId": "amv-000000000001"},
        answer=True,
    ),
    write(
        SERVICE,
        "ScaleService",
        "scale_service",
        ScaleServiceRequest,
        bool,
        "Say how many replicas of a service run on an instance.",
        errors=(
            e.SERVICE_NOT_FOUND,
            e.INSTANCE_NOT_FOUND,
            e.INVALID_STATE,
            e.OPERATION_NOT_SUPPORTED,
            e.UNTRUSTED_MODEL,
        ),
        example={"serviceId": "svco-q1w2e3r4t5y6", "instanceId": "unit-xxx", "deploymentReplicasCount": 0},
        answer=True,
    ),
    write(
        SERVICE,
        "DeactivateService",
        "deactivate_service",
        DeactivateServiceRequest,
        Operation,
        "Take a service off. Its instances stay, and are paid for.",
        across=p.SUPPORTERS,
        errors=(e.SERVICE_NOT_FOUND,),
        example={"serviceId": "svco-48esssdpa594"},
        answer={
            "operation": True,
            "message": (
                "The service is off. It keeps 1 postpaid instances, which go on being charged: release "
                "those that are not needed (ReleaseComputeUnit)."
            ),
        },
    ),
    write(
        SERVICE,
        "ActivateService",
        "activate_service",
        ServiceRequest,
        Operation,
        "Let a service that was taken off run again.",
        errors=(e.SERVICE_NOT_FOUND, e.UNTRUSTED_MODEL),
        example={"serviceId": "svco-48esssdpa594"},
        answer={"operation": True, "message": "The service is on."},
    ),
    write(
        SERVICE,
        "DeleteService",
        "delete_service",
        ServiceRequest,
        bool,
        "Delete a service that has no replicas left.",
        errors=(e.SERVICE_NOT_FOUND, e.INVALID_STATE),
        example={"serviceId": "svco-q1w2e3r4t5y6"},
        answer=True,
    ),
)
