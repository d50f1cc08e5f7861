"""A body for every operation, for the pages. With its ids replaced by real ones each is answered well by a demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_UNIT, _SERVICE, _USER = "unit-xxx", "svco-48esssdpa594", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_PREPAID, _OF_SERVICE, _QUOTA = "unit-Qw4rTy7U", "unit-Fz8kMh6J", "tpm-Hs6dKf2L"
_OWN_SERVICE, _PACKAGE = "svco-q1w2e3r4t5y6", "pkg-9z8x7c6v5b4n"
_SUBSCRIPTION = "sub-k3j4h5g6f7d8"
_SOON, _MONTHS = "2030-01-15T09:30:00+08:00", {"reservationTimeUnit": "Month", "reservationLength": 5}
_MODEL: Final = "ernie-4.0-8k"

UNITS: Final[Mapping[str, Mapping[str, Any]]] = {
    "purchase_units": {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": _SOON},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 2,
    },
    "quote_purchase": {
        "billing": {"paymentTiming": "Prepaid", "reservation": _MONTHS},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 2,
        "hold": True,
    },
    "describe_units": {"paymentTiming": "Postpaid", "region": "bj"},
    "describe_unit": {"instanceId": _UNIT},
    "release_unit": {"instanceId": _UNIT},
    "schedule_release": {"instanceId": _UNIT, "releaseTime": _SOON},
    "resize_unit": {"instanceId": _UNIT, "count": 3},
    "renew_unit": {"instanceId": _PREPAID, "months": 1, "expiryDay": 15},
    "change_billing": {"instanceId": _PREPAID, "paymentTiming": "Postpaid"},
    "purchase_replicas": {
        "serviceId": _SERVICE,
        "billing": {"paymentTiming": "Prepaid", "reservation": _MONTHS},
        "replicasCount": 5,
    },
    "describe_service_instances": {"serviceId": _SERVICE},
    "describe_service_instance": {"serviceId": _SERVICE, "instanceId": _OF_SERVICE},
    "release_replicas": {"serviceId": _SERVICE, "instanceId": _OF_SERVICE},
    "create_auto_renew_rule": {"instanceId": _PREPAID, "instanceType": "ComputingUnit", "autoRenewTime": 1},
    "describe_auto_renew_rules": {"instanceId": _PREPAID},
    "delete_auto_renew_rule": {"instanceId": _PREPAID, "instanceType": "ComputingUnit"},
    "purchase_quota": {
        "model": _MODEL,
        "billing": {"paymentTiming": "Postpaid", "releaseTime": _SOON},
        "purchaseCount": 5,
    },
    "describe_quota": {"model": _MODEL},
    "release_quota": {"model": _MODEL, "instanceId": _QUOTA},
    "resize_quota": {"instanceId": _QUOTA, "count": 8},
    "schedule_quota_release": {"instanceId": _QUOTA, "releaseTime": _SOON},
    "grant_package": {"serviceName": _MODEL, "specification": 1_000_000, "expiredTime": "2031-01-01 00:00:00"},
    "describe_packages": {},
    "describe_package": {"packageId": _PACKAGE},
}
SERVICES: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_service": {
        "name": "translator",
        "urlSuffix": "translator",
        "modelSetId": "am-000000000000",
        "modelId": "amv-000000000000",
        "resourceConfig": {"type": "GPU-1-2", "region": "bj", "replicasCount": 1},
        "billing": {"paymentTiming": "Postpaid"},
    },
    "describe_service": {"serviceId": _SERVICE},
    "describe_services": {"maxKeys": 10, "runStatus": ["New", "Serving"]},
    "modify_service": {"serviceId": _SERVICE, "modelSetId": "am-000000000000", "modelId": "amv-000000000001"},
    "scale_service": {"serviceId": _OWN_SERVICE, "instanceId": _UNIT, "deploymentReplicasCount": 0},
    "deactivate_service": {"serviceId": _SERVICE},
    "activate_service": {"serviceId": _SERVICE},
    "delete_service": {"serviceId": _OWN_SERVICE},
    "describe_preset_services": {"chargeStatus": ["NotOpen", "Opened"]},
    "count_service_calls": {
        "serviceId": _SERVICE,
        "appId": "app-1",
        "inputTokens": 1200,
        "outputTokens": 350,
        "succeeded": 3,
        "packageId": _PACKAGE,
    },
    "describe_service_metric": {
        "startTime": "2026-11-01 00:00:00",
        "endTime": "2026-12-01 00:00:00",
        "serviceId": [_SERVICE],
    },
}
OFFICE: Final[Mapping[str, Mapping[str, Any]]] = {
    "describe_account": {},
    "top_up": {"amount": "1000.00"},
    "describe_orders": {"maxKeys": 10, "kind": "Purchase"},
    "describe_postings": {"maxKeys": 10, "instanceId": _UNIT},
    "describe_statement": {"month": "2026-11"},
    "set_guard_rails": {
        "limits": {
            "units": {"gpu-1": 20},
            "userUnits": {"*": {"gpu-1": 4}},
            "spend": "20000.00",
            "userSpend": {"*": "5000.00"},
            "budget": "15000.00",
            "budgetWarnPercent": [50, 90],
            "budgetRefusePercent": 120,
            "releaseMaxSeconds": 604800,
            "releaseDefaultSeconds": 28800,
            "endRequired": True,
            "extendBy": "buyer",
            "extensionsMax": 3,
        }
    },
    "describe_guard_rails": {},
    "describe_events": {"instanceId": _UNIT, "types": ["unit.bought", "unit.released"], "maxKeys": 10},
    "follow_events": {"types": ["unit.reminder"]},
    "describe_offerings": {},
    "set_offering": {
        "region": "bj",
        "type": "gpu-1",
        "pricePerMinute": "0.50",
        "pricePerMonth": "9000.00",
        "stockTotal": 20000,
    },
    "describe_engines": {},
    "describe_clock": {},
    "advance_clock": {"to": _SOON},
    "confirm_clock": {},
    "create_account": {"name": "research", "timeZone": "Asia/Shanghai"},
    "create_user": {"name": "build-server"},
    "create_access_key": {"userId": _USER},
    "disable_access_key": {"accessKeyId": "AK0123456789ABCDEFGHIJKL"},
    "attach_policy": {"userId": _USER, "policyName": "QianfanServiceOperateAccessPolicy"},
    "detach_policy": {"userId": _USER, "policyName": "QianfanServiceOperateAccessPolicy"},
    "set_key_rules": {"userId": _USER, "requires": ["SignedBody", "Nonce"]},
    "describe_users": {},
    "set_reminders": {"beforeSeconds": [86400, 3600]},
    "describe_reminders": {},
}
AUDIT: Final[Mapping[str, Mapping[str, Any]]] = {
    "describe_audit_log": {"instanceId": _UNIT, "code": "InvalidState", "maxKeys": 10},
    "describe_audit_proof": {"maxKeys": 10},
    "describe_refused_calls": {"startTime": "2026-11-01 00:00:00", "maxKeys": 10},
    "explain_unit": {"instanceId": _UNIT},
}
NOTIFICATION: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_subscription": {
        "kind": "Webhook",
        "url": "https://example.org/leasebook",
        "types": ["unit.released", "account.arrears"],
    },
    "describe_subscriptions": {},
    "modify_subscription": {"subscriptionId": _SUBSCRIPTION, "status": "Paused"},
    "delete_subscription": {"subscriptionId": _SUBSCRIPTION},
    "describe_deliveries": {"subscriptionId": _SUBSCRIPTION, "state": "GivenUp"},
    "redeliver_event": {"subscriptionId": _SUBSCRIPTION, "eventId": "17-0"},
    "redeliver_given_up": {"subscriptionId": _SUBSCRIPTION, "startTime": "2026-11-01 00:00:00", "maxKeys": 100},
    "test_subscription": {"subscriptionId": _SUBSCRIPTION},
}
_SET, _VERSION, _FOR_SERVICES = "am-q2w3e4r5t6y7", "amv-a1s2d3f4g5h6", "key-z1x2c3v4b5n6"
REPOSITORY: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_model_set": {"modelSetName": "echo", "description": "Says what it is told."},
    "create_model": {
        "modelSetId": _SET,
        "description": "With the health check of its own.",
        "run": {
            "command": ["python", "-m", "leasebook.examples.echo", "--port", "{port}"],
            "env": {"ECHO_NAME": "first"},
            "healthPath": "/health",
            "memoryBytes": 268_435_456,
        },
    },
    "describe_model_sets": {"source": "Custom", "maxKeys": 10},
    "describe_custom_model_sets": {"name": "echo"},
    "describe_system_model_sets": {},
    "describe_model_set": {"modelSetId": _SET},
    "describe_model": {"modelId": _VERSION},
    "approve_model": {"modelId": _VERSION},
    "withdraw_model_approval": {"modelId": _VERSION},
    "delete_model": {"modelId": _VERSION},
    "delete_model_set": {"modelSetId": "am-n0v3r51o7s0x"},
    "create_service_key": {"name": "shop-window", "serviceId": _SERVICE},
    "describe_service_keys": {"maxKeys": 10},
    "delete_service_key": {"keyId": _FOR_SERVICES},
}
REPLICAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "describe_replicas": {"serviceId": _SERVICE},
    "describe_replica_logs": {"serviceId": _SERVICE, "instanceId": _OF_SERVICE, "replica": 0, "linesMax": 50},
}
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    **UNITS,
    **SERVICES,
    **OFFICE,
    **AUDIT,
    **NOTIFICATION,
    **REPOSITORY,
    **REPLICAS,
}
