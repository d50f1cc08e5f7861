"""The contract as an OpenAPI 3.1 document, put together from the action table and nothing else."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

from leasebook.contract import error_header
from leasebook.contract.action import ALWAYS, Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.errors import ErrorCode
from leasebook.contract.openapi.parts import FAILURE, SCHEMA, by_status, named, prose
from leasebook.contract.openapi.routes import (
    BEARER,
    BEARER_FAILURE,
    bearer_failure,
    bearer_scheme,
    route_paths,
    route_schemas,
)
from leasebook.contract.unknown import parts_of

SECURITY: Final = "bce-auth-v1"

FORGETFUL: Final = frozenset({"advance_clock", "confirm_clock", "set_faults", "clear_faults"})
"""Writes that keep no record of a client token: they are idempotent without one."""

_REQUEST_ID: Final = "5a7c8e12-3b4d-4f60-9a81-c2d3e4f50617"
_ABOUT: Final = """\
Compute units: buy them by the month or by the minute, set the time at which they are released, and see the bill.

Every call of an action is a POST, and the query parameter `Action` names it. OpenAPI allows one operation for each \
method at a path, so here the action is part of the path key: `/v2/computeunit?Action=PurchaseComputeUnit`. Append a \
key to the server's address to get the URL to call. `x-leasebook` has path and action as separate fields; entries \
with the same `operation` there are one action under several names, and those that only the older path has are marked \
deprecated.

A caller needs one of the policies in `x-policies`; where it is empty any valid key will do. A user who has one of \
those in `x-policies-for-projects` for some projects sees and changes what belongs to these projects. Where \
`documented` is true in `x-leasebook`, the action ignores unknown keys of the body and parameters of the query, \
and the header `x-leasebook-ignored` names them; all other actions refuse them. An empty body counts as `{}`. Every \
answer of an action carries the header `x-bce-request-id`.

At the end are the paths without an action: calls of models, which replicas answer, lists of models, and the token of \
an access key.
"""
_SIGNED: Final = """\
The signature bce-auth-v1 of one request: \
`bce-auth-v1/{access key}/{UTC time}/{seconds}/{signed headers}/{signature}`. It covers method, path, query and the \
signed headers, and the body where `x-bce-content-sha256` is one of them; with `x-bce-nonce` among them it is good \
once. `leasebook sign` prints these headers; the official clients make their own, without these two. The query \
parameter `authorization` may hold it instead.
"""


def document(version: str) -> dict[str, Any]:
    """Return the whole contract as an OpenAPI document; ``version`` is that of the service."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Leasebook",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8000", "description": "Where make run serves."}],
        "security": [{SECURITY: []}],
        "paths": {
            **{f"{action.path}?Action={action.name}": {"post": _operation(action)} for action in ACTIONS},
            **route_paths(SECURITY),
        },
        "components": {
            "securitySchemes": {
                SECURITY: {"type": "apiKey", "in": "header", "name": "Authorization", "description": _SIGNED},
                BEARER: bearer_scheme(),
            },
            "parameters": {"clientToken": _client_token()},
            "headers": {
                "x-bce-request-id": {"description": "The id of the request.", "schema": {"type": "string"}},
                "x-leasebook-ignored": {
                    "description": "Keys of the body, and parameters of the query (with a question mark before them), "
                    "that were passed over.",
                    "schema": {"type": "string"},
                },
                "x-bce-error-code": {"description": "The code of the error.", "schema": {"type": "string"}},
                "x-bce-error-message": {
                    "description": "The message of the error, percent-encoded except for printable ASCII other than %. "
                    f"After at most {error_header.LENGTH_MAX} bytes it ends with three points.",
                    "schema": {"type": "string"},
                },
            },
            "responses": _error_groups(),
            "schemas": {**schemas(), **route_schemas(), FAILURE: _failure(), BEARER_FAILURE: bearer_failure()},
        },
    }


def text(version: str) -> str:
    """Return the document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document(version)), indent=2).decode() + "\n"


@cache
def served(version: str) -> bytes:
    """Return the document as a server answers it. To put it together takes a while, and it never changes."""
    return text(version).encode()


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every shape by its name, each of its fields with its meaning."""
    types = {named(action.request): action.request for action in ACTIONS}
    types |= {named(action.result): action.result for action in ACTIONS}
    _, found = msgspec.json.schema_components([types[name] for name in sorted(types)], ref_template=SCHEMA)
    tolerant = _tolerant()
    for name, schema in found.items():
        if name in tolerant:
            del schema["additionalProperties"]
        schema["description"] = prose(schema["description"])
        for value in schema["properties"].values():
            value["description"] = value.pop("description")  # behind what machines read
    return dict(sorted(found.items()))


def _tolerant() -> set[str]:
    """Return the names of the shapes in bodies of documented actions, which ignore unknown keys."""
    requests = {action.request for action in ACTIONS if action.is_documented}
    inner = {kind for request in requests for kind in parts_of(request)}
    return {named(kind) for kind in inner if not getattr(kind, "is_ours", False)}


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
        **({"x-policies-across-accounts": sorted(action.across)} if action.across else {}),
        **({"x-policies-for-projects": sorted(action.for_projects)} if action.for_projects else {}),
        "x-leasebook": {
            "path": action.path,
            "action": action.name,
            "operation": action.operation,
            "documented": action.is_documented,
        },
        **({"parameters": [{"$ref": "#/components/parameters/clientToken"}]} if remembers else {}),
        "requestBody": {
            "required": required,
            "content": {
                "application/json": {
                    "schema": {"$ref": SCHEMA.format(name=request)},
                    "example": action.example,
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
    if action.follows:
        return {
            "description": "A stream of server-sent events that does not end; the data of each is one of these.",
            "headers": {"x-bce-request-id": {"$ref": "#/components/headers/x-bce-request-id"}},
            "content": {"text/event-stream": {"schema": result, "example": action.answer}},
        }
    if action.downloads:
        return {
            "description": "A file, without an envelope.",
            "headers": {"x-bce-request-id": {"$ref": "#/components/headers/x-bce-request-id"}},
            "content": {
                media.partition(";")[0]: {"schema": result, "example": action.answer}
                if media.startswith("text/")
                else {"schema": {"type": "string", "format": "binary"}}
                for media in action.downloads
            },
        }
    headers = ("x-bce-request-id", *(("x-leasebook-ignored",) if action.is_documented else ()))
    return {
        "description": "Done.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"requestId": {"type": "string"}, "result": result},
                    "required": ["requestId", "result"],
                },
                "example": {"requestId": _REQUEST_ID, "result": action.answer},
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
            name: {"$ref": f"#/components/headers/{name}"}
            for name in ("x-bce-request-id", "x-bce-error-code", "x-bce-error-message")
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
        "message": "The cause and what to do; for a bad value the field: param[billing.paymentTiming].",
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
