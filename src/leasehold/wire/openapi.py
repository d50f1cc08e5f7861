"""The contract as an OpenAPI 3.1 document, put together from the action table and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec

from leasehold.wire.actions import ACTIONS, ALWAYS, Action
from leasehold.wire.errors import ErrorCode

SCHEMA: Final = "#/components/schemas/{name}"
FAILURE: Final = "Failure"
SECURITY: Final = "bce-auth-v1"

FORGETFUL: Final = frozenset({"create_account", "create_access_key", "advance_clock", "confirm_clock"})
"""Writes that keep no client token: two answer with a secret, which is kept nowhere; two can be repeated anyway."""

MEANINGS: Final[Mapping[str, str]] = {
    "accessKeyId": "The id of the key pair, which every signature names.",
    "accessKeys": "The user's keys, oldest first, disabled ones included.",
    "accountId": "The account; the caller's where it is left out.",
    "AccountDetail.accountId": "The account.",
    "CreatedAccount.accountId": "The new account.",
    "CreatedUser.accountId": "The account that the user belongs to.",
    "amount": "The amount that moved.",
    "OrderDetail.amount": "What was paid at once; nothing with Postpaid.",
    "TopUpAccountRequest.amount": "How much, above zero, with at most six decimal places.",
    "autoRenew": "Whether the instance is to be renewed when its term runs out.",
    "autoRenewTime": "By how many months it is renewed, from 1 to 6; 1 where it is left out.",
    "autoRenewTimeUnit": "Month is the only unit.",
    "balance": "The sum of the account's postings; metered use can take it below zero.",
    "billing": "How it is paid.",
    "CreateServiceRequest.billing": "How the units of the first replicas are paid; without it none are bought.",
    "chargeStatus": "Opened while the service has replicas, else NotOpen.",
    "chargeType": "Always ComputingUnit.",
    "Billing.chargeType": "Taken because clients send it; units are all that is sold here.",
    "clientToken": "Makes the request safe to repeat; the same as the query parameter, which goes before it.",
    "computeUnitConfig": "What to buy.",
    "computeUnitCount": "How many units.",
    "computeUnitInstance": "The instance.",
    "computeUnitInstanceList": "The instances.",
    "count": "How many units.",
    "createTime": "When it was made.",
    "creator": "Only services that one of these users made; an empty list matches none.",
    "ServiceDetail.creator": "The user who made it.",
    "credit": "Where the amount arrived: a ledger account such as wallet:ACCOUNT or revenue:usage.",
    "currency": "The currency of every amount.",
    "debit": "Where the amount left: a ledger account such as wallet:ACCOUNT or funding.",
    "description": "Free text.",
    "duration": "The months of a prepaid term.",
    "durationUnit": "Month, with Prepaid.",
    "expiredTime": "Prepaid: when the term ends. Postpaid: when it ended.",
    "held": "True while a jump of the machine's clock holds due work; left out otherwise.",
    "instance": "The instance.",
    "instanceId": "The instance.",
    "CreatedService.instanceId": "The instance that was bought with it.",
    "PostingDetail.instanceId": "The instance that was paid for.",
    "Purchased.instanceId": "The new instance.",
    "instanceType": "ComputingUnit.",
    "AutoReleaseComputeUnitRequest.instanceType": "ComputingUnit, and only to set an auto-renew rule instead.",
    "instances": "The instances.",
    "isRoot": "Whether it is the account's root, who may do everything in it.",
    "isTruncated": "Whether more rows follow.",
    "ComputeUnitList.isTruncated": "Whether more rows follow, where a page was asked for.",
    "kind": "Purchase.",
    "PostingDetail.kind": "TopUp, Purchase (a prepaid term) or Usage (metered minutes).",
    "marker": "The nextMarker of the page before.",
    "ServicePage.marker": "The marker that was given.",
    "maxKeys": "Rows a page: 100 where it is left out, 1000 at most whatever is asked.",
    "ComputeUnitList.maxKeys": "The rows a page that were used, where a page was asked for.",
    "DescribeComputeUnitsRequest.maxKeys": "Rows a page, 1000 at most; with neither it nor a marker all are listed.",
    "DescribeServicesRequest.maxKeys": "Rows a page: 10 where it is left out, 100 at most whatever is asked.",
    "OrderPage.maxKeys": "The rows a page that were used.",
    "PostingPage.maxKeys": "The rows a page that were used.",
    "ServicePage.maxKeys": "The rows a page that were used.",
    "minutes": "How many minutes of the instance, each with all its units, a Usage posting charges.",
    "mode": "Whether it is the machine's clock or one that moves only when told to.",
    "modelId": "The version of the model; kept and shown, nothing more.",
    "modelSetId": "The model; kept and shown, nothing more.",
    "modelVersionId": "The same as modelId.",
    "months": "The months of a prepaid term.",
    "name": "What people call it.",
    "DescribeServicesRequest.name": "Only services with this in their name.",
    "nextMarker": "Give it as marker to get the page after this one.",
    "now": "The present moment on that clock.",
    "offerings": "The offerings.",
    "orderId": "The order.",
    "CreatedService.orderId": "The order of that instance.",
    "PostingDetail.orderId": "The order that was paid.",
    "orders": "The orders.",
    "pageReverse": "Newest first.",
    "paymentTiming": "Prepaid: by the month, in advance. Postpaid: by the minute.",
    "DescribeComputeUnitsRequest.paymentTiming": "Only instances that are paid this way.",
    "DescribeServiceInstancesRequest.paymentTiming": "Only instances that are paid this way.",
    "policies": "What the user may do.",
    "policyName": "The policy. LeaseholdOperatorPolicy is an operator's to give.",
    "postingId": "The number of the posting.",
    "postings": "The postings.",
    "pricePerMinute": "The price of one unit for a minute.",
    "pricePerMonth": "The price of one unit for a month.",
    "qps": "Queries per second of a replica; kept and shown, nothing more.",
    "reason": "Why due work is held, and what ends that.",
    "region": "The region.",
    "ComputeUnitConfig.region": "The region; empty or left out: the first in the catalogue's order with stock enough.",
    "DescribeComputeUnitsRequest.region": "Only instances in this region.",
    "ResourceConfig.region": "Where to buy units; empty or left out: wherever there is stock enough.",
    "releaseTime": "When the instance is released by itself.",
    "AutoReleaseComputeUnitRequest.releaseTime": "The new release time; empty, null or left out: none.",
    "replicasCount": "How many replicas.",
    "PurchaseReplicasRequest.replicasCount": "How many replicas to buy units for.",
    "ResourceConfig.replicasCount": "How many replicas to buy units for; required with billing.",
    "reservation": "For how long; required with Prepaid.",
    "reservationLength": "For how many months, from 1 to 12; required.",
    "reservationTimeUnit": "Month; required.",
    "resourceConfig": "What a replica takes.",
    "runStatus": "Serving while replicas run, else New.",
    "DescribeServicesRequest.runStatus": "Only services in one of these; none is ever Deploying, Failed or Stopped.",
    "secretAccessKey": "The secret of the key pair. It is never shown again.",
    "serviceId": "The service.",
    "AutoReleaseComputeUnitRequest.serviceId": "The service that the instance must belong to, where one is named.",
    "serviceList": "The services.",
    "serviceName": "What people call the service.",
    "serviceUsageList": "Which services use the instance, and how much of it.",
    "startTime": "Since when it runs, and is paid for.",
    "status": "Creating, Running, Stopped (its term is over, its units are kept), Releasing or Released.",
    "KeyDetail.status": "Whether the key can be used.",
    "stockFree": "How many units are free.",
    "stockTotal": "How many units there are, free or held.",
    "time": "When it moved.",
    "timeZone": "The IANA zone in which the account's hours and months are counted.",
    "CreateAccountRequest.timeZone": "The IANA zone of its hours and months; the service's where it is left out.",
    "to": "The new time: RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone.",
    "totalComputeUnits": "How many units the instance has.",
    "type": "The type of unit.",
    "DescribeComputeUnitsRequest.status": "Only instances in this status; left out: all but released ones.",
    "DescribeComputeUnitsRequest.type": "Only instances of this type.",
    "ResourceConfig.type": "Card class and units a replica: GPU-1-2 is two units of gpu-1.",
    "ServiceResource.type": "Card class and units a replica, as it was given.",
    "urlSuffix": "The end of the service's address; kept and shown, nothing more.",
    "usedComputeUnits": "How many of its units a service's replicas take.",
    "userId": "The user.",
    "CreateAccessKeyRequest.userId": "The user; the caller where it is left out.",
    "CreatedAccount.userId": "The account's root user.",
    "users": "The users.",
}
"""What the fields mean: by name, or by shape and name where one shape means something else."""

_UNIT, _SERVICE, _USER = "unit-xxx", "svco-48esssdpa594", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
_SOON, _MONTHS = "2030-01-15T09:30:00+08:00", {"reservationTimeUnit": "Month", "reservationLength": 5}
EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "purchase_units": {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": _SOON},
        "computeUnitConfig": {"region": "bj", "type": "gpu-1"},
        "computeUnitCount": 2,
    },
    "describe_units": {"paymentTiming": "Postpaid", "region": "bj"},
    "describe_unit": {"instanceId": _UNIT},
    "release_unit": {"instanceId": _UNIT},
    "schedule_release": {"instanceId": _UNIT, "releaseTime": _SOON},
    "purchase_replicas": {
        "serviceId": _SERVICE,
        "billing": {"paymentTiming": "Prepaid", "reservation": _MONTHS},
        "replicasCount": 5,
    },
    "describe_service_instances": {"serviceId": _SERVICE},
    "describe_service_instance": {"serviceId": _SERVICE, "instanceId": "unit-Fz8kMh6J"},
    "release_replicas": {"serviceId": _SERVICE, "instanceId": "unit-Fz8kMh6J"},
    "create_auto_renew_rule": {"instanceId": "unit-Qw4rTy7U", "instanceType": "ComputingUnit", "autoRenewTime": 1},
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
    "describe_account": {},
    "top_up": {"amount": "1000.00"},
    "describe_orders": {"maxKeys": 10},
    "describe_postings": {"maxKeys": 10},
    "describe_offerings": {},
    "set_offering": {
        "region": "bj",
        "type": "gpu-1",
        "pricePerMinute": "0.50",
        "pricePerMonth": "9000.00",
        "stockTotal": 20000,
    },
    "describe_clock": {},
    "advance_clock": {"to": _SOON},
    "confirm_clock": {},
    "create_account": {"name": "research", "timeZone": "Asia/Shanghai"},
    "create_user": {"name": "build-server"},
    "create_access_key": {"userId": _USER},
    "disable_access_key": {"accessKeyId": "AK0123456789ABCDEFGHIJKL"},
    "attach_policy": {"userId": _USER, "policyName": "QianfanServiceOperateAccessPolicy"},
    "detach_policy": {"userId": _USER, "policyName": "QianfanServiceOperateAccessPolicy"},
    "describe_users": {},
}
"""A body for every operation. With its ids replaced by real ones each is answered well by a demo server."""

_ABOUT: Final = """\
Compute units: buy them by the month or by the minute, set the time at which they are released, and see the bill.

Every call is a POST, and the query parameter `Action` names what is done. OpenAPI knows one operation of a method \
at a path, so here the action is part of the path key: `/v2/computeunit?Action=PurchaseComputeUnit`. Appended to the \
server's address each key is the address that is called. Read apart, path and action stand in `x-leasehold`; \
operations with the same `operation` there are one thing under several names, and those that only the older path \
has are marked deprecated.

`x-policies` lists the policies of which a caller needs one; where it is empty any valid key will do. Unknown keys \
of a body are ignored, and an empty body counts as `{}`. Every answer carries the header `x-bce-request-id`.
"""
_SIGNED: Final = """\
The signature bce-auth-v1 of one request: \
`bce-auth-v1/{access key}/{UTC time}/{seconds}/{signed headers}/{signature}`. It covers method, path, query and the \
signed headers. `leasehold sign` prints one; the official clients make their own. The query parameter \
`authorization` may hold it instead.
"""


def document(version: str) -> dict[str, Any]:
    """Return the whole contract as an OpenAPI document; ``version`` is that of the service."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Leasehold",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8000", "description": "Where make run serves."}],
        "security": [{SECURITY: []}],
        "paths": {f"{action.path}?Action={action.name}": {"post": _operation(action)} for action in ACTIONS},
        "components": {
            "securitySchemes": {
                SECURITY: {"type": "apiKey", "in": "header", "name": "Authorization", "description": _SIGNED}
            },
            "parameters": {"clientToken": _client_token()},
            "headers": {
                "x-bce-request-id": {"description": "The id of the request.", "schema": {"type": "string"}},
                "x-bce-error-code": {"description": "The code of the error.", "schema": {"type": "string"}},
            },
            "responses": _error_groups(),
            "schemas": {**schemas(), FAILURE: _failure()},
        },
    }


def text(version: str) -> str:
    """Return the document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document(version)), indent=2).decode() + "\n"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every shape by its name, each of its fields with its meaning."""
    types = {named(action.request): action.request for action in ACTIONS}
    types |= {named(action.result): action.result for action in ACTIONS}
    _, found = msgspec.json.schema_components([types[name] for name in sorted(types)], ref_template=SCHEMA)
    for name, schema in found.items():
        schema["description"] = prose(schema["description"])
        for field, value in schema["properties"].items():
            meaning = meaning_of(name, field)
            if meaning:
                value["description"] = meaning
    return dict(sorted(found.items()))


def named(shape: Any) -> str:
    """Return the name of a shape, under which its schema stands."""
    return str(shape.__name__)


def meaning_of(shape: str, field: str) -> str:
    """Return what a field of a shape means; nothing where nobody has said it yet."""
    return MEANINGS.get(f"{shape}.{field}", MEANINGS.get(field, ""))


def prose(docstring: str) -> str:
    """Turn the double backticks of docstrings into Markdown's."""
    return docstring.replace("``", "`")


def by_status(errors: Iterable[ErrorCode]) -> dict[int, list[ErrorCode]]:
    """Sort errors under their HTTP status, each once."""
    found: dict[int, list[ErrorCode]] = {}
    for error in sorted(set(errors), key=lambda error: (error.status, error.number)):
        found.setdefault(error.status, []).append(error)
    return found


def _operation(action: Action) -> dict[str, Any]:
    request = named(action.request)
    required = any(field.required for field in msgspec.structs.fields(action.request))
    remembers = action.writes and action.operation not in FORGETFUL
    return {
        "operationId": f"{action.path.rpartition('/')[2]}_{action.name}",
        "summary": action.summary,
        "tags": [action.path],
        **({"deprecated": True} if action.legacy else {}),
        "x-policies": sorted(action.policies),
        "x-leasehold": {"path": action.path, "action": action.name, "operation": action.operation},
        **({"parameters": [{"$ref": "#/components/parameters/clientToken"}]} if remembers else {}),
        "requestBody": {
            "required": required,
            "content": {
                "application/json": {
                    "schema": {"$ref": SCHEMA.format(name=request)},
                    "example": EXAMPLES[action.operation],
                }
            },
        },
        "responses": {
            "200": _success(action),
            **{
                str(status): {"$ref": f"#/components/responses/{_group(status, errors)}"}
                for status, errors in by_status(action.all_errors).items()
            },
        },
    }


def _success(action: Action) -> dict[str, Any]:
    ((result,), _) = msgspec.json.schema_components([action.result], ref_template=SCHEMA)
    return {
        "description": "Done.",
        "headers": {"x-bce-request-id": {"$ref": "#/components/headers/x-bce-request-id"}},
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"requestId": {"type": "string"}, "result": result},
                    "required": ["requestId", "result"],
                }
            }
        },
    }


def _group(status: int, errors: list[ErrorCode]) -> str:
    """Name the errors of one status: by those that not every action can answer."""
    return "-".join([f"Error{status}", *(error.code for error in errors if error not in ALWAYS)])


def _error_groups() -> dict[str, Any]:
    found = {
        _group(status, errors): _errors(status, errors)
        for action in ACTIONS
        for status, errors in by_status(action.all_errors).items()
    }
    return dict(sorted(found.items()))


def _errors(status: int, errors: list[ErrorCode]) -> dict[str, Any]:
    return {
        "description": f"{HTTPStatus(status).phrase}.\n\n"
        + "\n".join(f"- `{error.code}` ({error.number}): {error.meaning}" for error in errors),
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("x-bce-request-id", "x-bce-error-code")
        },
        "content": {
            "application/json": {
                "schema": {
                    "allOf": [
                        {"$ref": SCHEMA.format(name=FAILURE)},
                        {
                            "type": "object",
                            "properties": {
                                "code": {"enum": [error.code for error in errors]},
                                "error_code": {"enum": [error.number for error in errors]},
                            },
                        },
                    ]
                }
            }
        },
    }


def _failure() -> dict[str, Any]:
    texts = {
        "requestId": "The id of the request.",
        "code": "The code of the error; it never changes its meaning.",
        "message": "What was asked, what is so, what to do; for a bad value the field: param[billing.paymentTiming].",
    }
    return {
        "title": FAILURE,
        "description": "Every error: the documented keys, and those that the official clients look for.",
        "type": "object",
        "properties": {
            **{name: {"type": "string", "description": meaning} for name, meaning in texts.items()},
            "error_code": {"type": "integer", "description": "The number of the error, as stable as its code."},
            "error_msg": {"type": "string", "description": "The same as message."},
            "log_id": {"type": "string", "description": "The same as requestId."},
        },
        "required": [*texts, "error_code", "error_msg", "log_id"],
    }


def _client_token() -> dict[str, Any]:
    return {
        "name": "clientToken",
        "in": "query",
        "required": False,
        "description": "Makes the request safe to repeat. For two days at least the same token with the same "
        "parameters gets the first decided answer again, a refusal included; with others it gets "
        "IdempotentParameterMismatch.",
        "schema": {"type": "string", "maxLength": 64},
    }
