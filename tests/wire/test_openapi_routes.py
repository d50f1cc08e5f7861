"""The routes without an action in the OpenAPI document are those that a service answers, as it answers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from openapi_schema_validator import OAS31Validator
from tests.gateway.scene import GatewayHarness, an_office, answer, served
from tests.gateway.test_bearer_tokens import token_of

from leasebook import __version__
from leasebook.contract.openapi import document
from leasebook.contract.routes.chat import CALLS, ROUTES, Route
from leasebook.docsgen.reference import reference_page
from leasebook.gateway.chat.paths import own_path

DOCUMENT = document(__version__)


def check(schema: Any, value: Any) -> None:
    """Fail where a value is not what a schema of the document says."""
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def answered(route: Route, status: int, kind: str = "application/json") -> Any:
    """The schema of an answer."""
    return DOCUMENT["paths"][route.path][route.method]["responses"][str(status)]["content"][kind]["schema"]


def test_each_example_has_the_documented_shape() -> None:
    for route in ROUTES:
        check(answered(route, 200), route.answer)
        if route.result is not None:
            assert msgspec.to_builtins(msgspec.convert(route.answer, route.result)) == route.answer
        if route.request is not None:
            body = DOCUMENT["paths"][route.path][route.method]["requestBody"]["content"]["application/json"]
            check(body["schema"], body["example"])
            assert not list(OAS31Validator({**body["schema"], "components": DOCUMENT["components"]}).iter_errors({}))[
                1:
            ], "only model is required"


def test_the_gateway_takes_the_documented_paths_and_the_page_has_each() -> None:
    page = reference_page()
    for route in ROUTES:
        assert f"\n### {route.method.upper()} {route.path}\n" in page
        taken = own_path(route.path.replace("{model}", "chatty").encode(), b"")
        assert (taken is not None) is not route.is_signed


async def page_of(office: GatewayHarness, route: Route, key: str, body: bytes | None = None) -> tuple[int, Any]:
    """Call a route; returns the status and the JSON."""
    url = f"http://{office.base}{route.path.replace('{model}', 'echo')}"
    headers = {"Authorization": f"Bearer {key}"}
    async with office.http.request(route.method, url, data=body, headers=headers) as found:
        return found.status, json.loads(await found.read())


async def test_answers_and_errors_are_as_the_document_says(tmp_path: Path) -> None:
    async def replica(scope: Any, receive: Any, send: Any) -> None:
        del receive
        named = {f"/v1/{route.path.removeprefix('/v2/')}": route for route in CALLS}
        await answer(send, json.dumps(named[scope["path"]].answer if scope["path"] in named else {}).encode())

    async with an_office(tmp_path) as office, served(replica) as address:
        office.replicas(address)
        for route in ROUTES:
            if route.is_signed:
                made, refused = await token_of(office.desk), await token_of(office.desk, "expireInSeconds=x")
                check(answered(route, made.status), made.body)
                check(answered(route, refused.status), refused.body)
                continue
            bodies = [json.dumps({**route.example, "model": name}).encode() for name in ("echo", "nowhere")]
            cases = [(office.key, bodies[0], 200), ("none", bodies[0], 401)]
            if route.request is not None:
                cases += [(office.key, b"{}", 400), (office.key, b"{", 400), (office.key, bodies[1], 404)]
            for key, body, wanted in cases:
                status, said = await page_of(office, route, key, body if route.request is not None else None)
                assert status == wanted, said
                check(answered(route, status), said)
