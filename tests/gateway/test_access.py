"""Who may call which service, and the counts of calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leasebook.store.opening import Target as Store
from leasebook.store.verify.check import check_store
from tests.gateway.scene import SERVICE, GatewayHarness, an_office, answer, body_of, echo, served


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x", "Basic {key}", "Bearer {key}x", "Bearer lsk-aaaaaaaaaaaa-" + "a" * 43, "{key}"],
)
async def test_without_a_key_that_opens_services_nothing_is_shown(tmp_path: Path, authorization: str) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        headers = {"Authorization": authorization.format(key=office.key)}
        for name in ("echo", "nowhere"):
            async with office.http.get(office.url(name=name), headers=headers) as found:
                assert (found.status, found.headers["www-authenticate"][:6]) == (401, "Bearer")
                assert json.loads(await found.read())["error"]["code"] == "InvalidServiceKey"


async def test_a_key_of_another_secret_half_opens_nothing(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        other = (await office.do(SERVICE, "CreateServiceKey", {"name": "other"}))["key"]
        mixed = office.key[:17] + other[17:]
        assert (await office.said(key=mixed))[0] == 401
        assert (await office.said(key=other))[0] == 200
        assert (await office.said(key=mixed))[0] == 401


async def test_a_key_opens_nothing_from_the_moment_in_which_it_is_deleted(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        made = await office.do(SERVICE, "CreateServiceKey", {"name": "other"})
        assert (await office.said(key=made["key"]))[0] == 200
        await office.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
        assert (await office.said(key=made["key"]))[0] == 401
        assert (await office.said())[0] == 200


async def test_a_key_of_one_service_opens_no_other_and_one_of_another_account_sees_none(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        body = {
            "modelSetId": "am-0",
            "modelId": "amv-0",
            "name": "other",
            "urlSuffix": "other",
            "resourceConfig": {"type": "GPU-1-1"},
        }
        other = (await office.do(SERVICE, "CreateService", body))["serviceId"]
        narrow = (await office.do(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": other}))["key"]
        assert (await office.said(key=narrow))[1]["code"] == "AccessDenied"
        said = await office.said(key=narrow, name="other")
        assert (said[0], said[1]["code"]) == (503, "NoCapacity")
        made = await office.do("/v2/iam", "CreateAccount", {"name": "stranger"})
        stranger = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        foreign = (await office.do(SERVICE, "CreateServiceKey", {"name": "x"}, desk=stranger))["key"]
        for name in ("echo", office.service, "nowhere"):
            status, said = await office.said(key=foreign, name=name)
            assert (status, said["code"]) == (404, "ServiceNotFound")
        assert (await office.said(name="No_Name%00"))[1]["code"] == "ServiceNotFound"


async def test_of_two_services_with_one_suffix_the_first_has_it_and_the_url_says_so(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        body = {
            "modelSetId": "am-0",
            "modelId": "amv-0",
            "name": "other",
            "urlSuffix": "echo",
            "resourceConfig": {"type": "GPU-1-1"},
        }
        other = (await office.do(SERVICE, "CreateService", body))["serviceId"]
        assert (await office.said())[0] == 200
        urls = {}
        for service in (office.service, other):
            shown = await office.do(SERVICE, "DescribeService", {"serviceId": service})
            urls[service] = shown["url"]
        base = "http://leasebook.test/services"
        assert urls == {office.service: f"{base}/echo", other: f"{base}/{other}"}
        assert (await office.said(name=other))[1]["code"] == "NoCapacity"
        listed = (await office.do(SERVICE, "DescribeServices"))["serviceList"]
        assert {one["serviceId"]: one["url"] for one in listed} == urls


async def test_the_url_is_at_the_public_address_where_one_is_set(tmp_path: Path) -> None:
    from tests.harness import a_service

    environment = {"LEASEBOOK_PUBLIC_URL": "https://units.example.com", "LEASEBOOK_PATH_PREFIX": "/qianfan"}
    async with a_service(tmp_path, demo=True, environment=environment) as desk:
        (shown,) = (await desk.call("/qianfan/v2/service", "DescribeServices")).result["serviceList"]
        assert shown["url"] == "https://units.example.com/qianfan/services/demo"


async def test_a_service_is_called_with_the_prefix_and_where_a_proxy_took_that_off(tmp_path: Path) -> None:
    async with an_office(tmp_path, prefix="/qianfan") as office, served(echo) as replica:
        office.replicas(replica)
        headers = {"Authorization": f"Bearer {office.key}"}
        for prefix in ("", "/qianfan"):
            async with office.http.get(f"http://{office.base}{prefix}/services/echo/a", headers=headers) as found:
                said = json.loads(await found.read())
                assert said["path"] == "/a"
                assert dict(said["headers"])["x-forwarded-prefix"] == "/qianfan/services/echo"


async def test_an_answer_that_goes_on_ends_with_its_key(tmp_path: Path) -> None:
    async def endless(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        while True:
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            await asyncio.sleep(0.01)

    async with an_office(tmp_path) as office, served(endless) as replica:
        office.replicas(replica)
        made = await office.do(SERVICE, "CreateServiceKey", {"name": "spare"})
        async with office.call(key=made["key"]) as found, office.call() as other:
            await found.content.readany()
            await office.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
            with pytest.raises(aiohttp.ClientPayloadError):
                await found.read()
            assert await other.content.readany() != b""


# --- counting --------------------------------------------------------------------------------------------


async def test_calls_are_counted_by_app_with_the_tokens_that_the_answers_say(tmp_path: Path) -> None:
    async def talk(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        if scope["path"] == "/stream":
            headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            last = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\ndata: [DONE]\n\n'
            # Cut where it hurts.
            for piece in (b'data: {"usage":null}\n\n' + last[:30], last[30:60], last[60:]):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        elif scope["path"] == "/bad":
            await answer(send, b'{"usage":{"prompt_tokens":1}}', status=400)
        else:
            await answer(send, b'{"id":1,"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}')

    async with an_office(tmp_path) as office, served(talk) as replica:
        office.replicas(replica)
        for path in ("/stream", "/", "/bad"):
            async with office.call("POST", path) as found:
                await found.read()
        office.targets.found.clear()
        await office.do(SERVICE, "DeactivateService", {"serviceId": office.service})
        assert (await office.said())[0] == 503
        metric = await office.counted(4)
        assert metric == {
            "inputTokensTotal": 8,
            "outputTokensTotal": 10,
            "tokensTotal": 18,
            "succeedCallTotal": 2,
            "failureCallTotal": 2,
            "callTotal": 4,
        }
    assert check_store(Store(tmp_path)).findings == []


async def test_what_was_called_last_is_counted_when_the_server_stops(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        assert [(await office.said())[0] for _ in range(3)] == [200] * 3
    async with an_office(tmp_path, opened=False) as office:
        assert (await office.counted(3))["succeedCallTotal"] == 3


async def test_calls_show_in_the_metrics_by_how_they_ended(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        await office.said()
        await office.said(key="none")
        page = (await office.desk.send("/metrics", "", b"", method="GET")).body
        assert 'leasebook_gateway_calls_total{outcome="succeeded"} 1.0' in page
        assert 'leasebook_gateway_calls_total{outcome="refused"} 1.0' in page
        assert "leasebook_gateway_calls_in_flight 0.0" in page


# --- the shipped example behind it -----------------------------------------------------------------------


@contextlib.contextmanager
def completion() -> Iterator[str]:
    """Run the shipped completion server; yields its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "leasebook.examples.completion", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{int(process.stdout.readline().rpartition(':')[2])}"
        finally:
            process.terminate()


async def test_the_shipped_completion_server_talks_through_the_gateway_and_its_tokens_are_counted(
    tmp_path: Path,
) -> None:
    wanted: dict[str, Any] = {"messages": [{"role": "user", "content": "What is a lease?"}], "max_tokens": 12}
    streamed = {**wanted, "stream": True, "stream_options": {"include_usage": True}}

    async def scene(office: GatewayHarness) -> None:
        status, whole = await office.said("POST", "/v1/chat/completions", json=wanted)
        assert status == 200
        async with office.call("POST", "/v1/chat/completions", json=streamed) as found:
            text = (await found.read()).decode()
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        said = "".join(one["choices"][0]["delta"].get("content", "") for one in events if one["choices"])
        assert said == whole["choices"][0]["message"]["content"]
        metric = await office.counted(2)
        assert metric["tokensTotal"] == 2 * whole["usage"]["total_tokens"]

    async def played() -> None:
        async with an_office(tmp_path) as office:
            office.replicas(address)
            await scene(office)

    with completion() as address:
        await played()
