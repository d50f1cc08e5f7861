"""The part of the OpenAPI document about calls that are no POST with an action (``contract/routes/chat.py``)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec

from leasebook.contract.errors import ErrorCode
from leasebook.contract.openapi.parts import FAILURE, SCHEMA, by_status, named, prose
from leasebook.contract.routes.chat import ROUTES, Route

BEARER: Final = "bearer"
BEARER_FAILURE: Final = "BearerFailure"
OPEN: Final = {"type": "object", "additionalProperties": True}
"""An answer that the gateway passes on as the replica gave it."""


def route_paths(signed: str) -> dict[str, dict[str, Any]]:
    """Return the path items of all routes. ``signed`` is the name of the security scheme of signatures."""
    return {route.path: {route.method: _operation(route, signed)} for route in ROUTES}


def route_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of the bodies and answers."""
    shapes = [shape for route in ROUTES for shape in (route.request, route.result) if shape is not None]
    _, found = msgspec.json.schema_components(list(dict.fromkeys(shapes)), ref_template=SCHEMA)
    for schema in found.values():
        schema["description"] = prose(schema["description"])
        for value in schema["properties"].values():
            if "description" in value:
                value["description"] = value.pop("description")  # behind what machines read
    return dict(sorted(found.items()))


def bearer_scheme() -> dict[str, Any]:
    """Return the security scheme of calls with a key that opens services."""
    return {
        "type": "http",
        "scheme": "bearer",
        "description": "A service key (CreateServiceKey), or a token of an access key (GET /v1/BCE-BEARER/token).",
    }


def _operation(route: Route, signed: str) -> dict[str, Any]:
    errors = by_status(route.errors).items()
    return {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path],
        "security": [{signed if route.is_signed else BEARER: []}],
        **_parameters(route),
        **_body(route),
        "responses": {
            "200": _success(route),
            **{str(status): _errors(status, some, is_signed=route.is_signed) for status, some in errors},
        },
    }


def _parameters(route: Route) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    if "{model}" in route.path:
        meaning = "The service: its id, its urlSuffix, or its name."
        found.append(
            {"name": "model", "in": "path", "required": True, "description": meaning, "schema": {"type": "string"}}
        )
    found += [
        {"name": name, "in": "query", "required": False, "description": meaning, "schema": {"type": "integer"}}
        for name, meaning in route.query.items()
    ]
    return {"parameters": found} if found else {}


def _body(route: Route) -> dict[str, Any]:
    if route.request is None:
        return {}
    schema = {"$ref": SCHEMA.format(name=named(route.request))}
    content = {"application/json": {"schema": schema, "example": route.example}}
    return {"requestBody": {"required": True, "content": content}}


def _success(route: Route) -> dict[str, Any]:
    schema = OPEN if route.result is None else {"$ref": SCHEMA.format(name=named(route.result))}
    content: dict[str, Any] = {"application/json": {"schema": schema, "example": route.answer}}
    description = "Done." if route.result is not None else "The answer of the replica, as it came."
    if route.can_stream:
        content["text/event-stream"] = {"schema": {"type": "string"}}
        description = "The answer of the replica, as it came; a stream of events if the body asks for one."
    return {"description": description, "content": content}


def _errors(status: int, errors: list[ErrorCode], *, is_signed: bool) -> dict[str, Any]:
    listed = "\n".join(f"- `{error.code}` ({error.number}): {error.meaning}" for error in errors)
    codes = {"properties": {"code": {"enum": [error.code for error in errors]}}}
    schema = {"allOf": [{"$ref": SCHEMA.format(name=FAILURE if is_signed else BEARER_FAILURE)}, codes]}
    return {
        "description": f"{HTTPStatus(status).phrase}.\n\n{listed}",
        "content": {"application/json": {"schema": schema}},
    }


def bearer_failure() -> dict[str, Any]:
    """Return the schema of the errors of calls with a bearer."""
    texts = {
        "code": "The code of the error once more.",
        "message": "The message once more.",
        "type": "server_error or invalid_request_error.",
    }
    inner = {
        "type": "object",
        "description": "The error, where clients of the OpenAI API look for it.",
        "properties": {name: {"type": "string", "description": meaning} for name, meaning in texts.items()},
        "required": list(texts),
    }
    return {
        "title": BEARER_FAILURE,
        "description": "An error of a call with a bearer: the keys of every error, and two more for the clients.",
        "allOf": [
            {"$ref": SCHEMA.format(name=FAILURE)},
            {
                "type": "object",
                "properties": {"error": inner, "id": {"type": "string", "description": "The same as requestId."}},
                "required": ["error", "id"],
            },
        ],
    }
