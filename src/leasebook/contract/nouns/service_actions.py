"""Actions of services."""

from __future__ import annotations

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import BUYS, SERVICE, Action, read, write
from leasebook.contract.nouns import service as v

FINDS = (e.SERVICE_NOT_FOUND,)


def service_actions() -> list[Action]:
    """Return the actions of services."""
    return [*_plain_actions(), *_life_actions(), *_call_actions()]


def _plain_actions() -> list[Action]:
    return [
        write(
            SERVICE,
            "CreateService",
            "create_service",
            v.CreateServiceRequest,
            v.CreatedService,
            "Create a service on instances that there are, or on units bought now, or without any.",
            errors=(*BUYS, e.INSTANCE_NOT_FOUND, e.INVALID_STATE, e.UNTRUSTED_MODEL),
        ),
        read(
            SERVICE,
            "DescribeService",
            "describe_service",
            v.DescribeServiceRequest,
            v.ServiceDetail,
            "Show one service.",
            errors=(e.SERVICE_NOT_FOUND,),
        ),
        read(
            SERVICE,
            "DescribeServices",
            "describe_services",
            v.DescribeServicesRequest,
            v.ServicePage,
            "List services, a page at a time.",
            policies=p.SERVICE_LISTERS,
            errors=(e.INVALID_MARKER,),
        ),
    ]


def _life_actions() -> list[Action]:
    return [
        write(
            SERVICE,
            "ModifyService",
            "modify_service",
            v.ModifyServiceRequest,
            bool,
            "Let a service run another version of a model.",
            errors=(*FINDS, e.INVALID_STATE, e.UNTRUSTED_MODEL),
        ),
        write(
            SERVICE,
            "ScaleService",
            "scale_service",
            v.ScaleServiceRequest,
            bool,
            "Say how many replicas of a service run on an instance.",
            errors=(*FINDS, e.INSTANCE_NOT_FOUND, e.INVALID_STATE, e.OPERATION_NOT_SUPPORTED, e.UNTRUSTED_MODEL),
        ),
        write(
            SERVICE,
            "DeactivateService",
            "deactivate_service",
            v.ServiceRequest,
            v.Operation,
            "Take a service off. Its instances stay, and are paid for.",
            errors=FINDS,
        ),
        write(
            SERVICE,
            "ActivateService",
            "activate_service",
            v.ServiceRequest,
            v.Operation,
            "Let a service that was taken off run again.",
            errors=(*FINDS, e.UNTRUSTED_MODEL),
        ),
        write(
            SERVICE,
            "DeleteService",
            "delete_service",
            v.ServiceRequest,
            bool,
            "Delete a service that has no replicas left.",
            errors=(*FINDS, e.INVALID_STATE),
        ),
    ]


def _call_actions() -> list[Action]:
    return [
        read(
            SERVICE,
            "DescribePresetServices",
            "describe_preset_services",
            v.DescribePresetServicesRequest,
            v.PresetServices,
            "List the models that quota is sold of.",
            policies=p.SERVICE_LISTERS,
            errors=(e.INVALID_MARKER,),
        ),
        read(
            SERVICE,
            "DescribeServiceMetric",
            "describe_service_metric",
            v.DescribeServiceMetricRequest,
            v.ServiceMetrics,
            "Sum up the calls of services.",
            errors=(e.INVALID_MARKER,),
        ),
        write(
            SERVICE,
            "CountServiceCalls",
            "count_service_calls",
            v.CountServiceCallsRequest,
            bool,
            "Count calls of a service, for whatever passes them on.",
            errors=(*FINDS, e.INVALID_STATE),
        ),
    ]
