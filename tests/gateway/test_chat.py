"""Calls that name their service in the body: which service it is, and what a client reads of the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway.scene import (
    SERVICE,
    GatewayHarness,
    address_of,
    an_office,
    answer,
    body_of,
    bound,
    echo,
    raw,
    served,
    until,
)
from tests.gateway.test_access import completion
from tests.raw_connections import raw_connection

CHAT = "/v2/chat/completions"
MESSAGES = [{"role": "user", "content": "What is a lease?"}]
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
FIRST = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'


async def asked(office: GatewayHarness, body: Any, path: str = CHAT, *, key: str = "") -> tuple[int, Any]:
    """Send JSON, or bytes; returns the status and the JSON of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key or office.key}", "Content-Type": "application/json"}
    async with office.http.post(f"http://{office.base}{path}", data=data, headers=headers) as found:
        return found.status, json.loads(await found.read())


def in_shape(said: Any) -> bool:
    """Whether an error is one that the clients read."""
    error = said["error"]
    return all(isinstance(error[name], str) and error[name] for name in ("code", "message", "type")) and bool(
        isinstance(said["id"], str) and said["id"]
    )


async def listing(scope: Any, receive: Any, send: Any) -> None:
    """Serve a model of its own name, and otherwise say what arrived."""
    if scope["path"] == "/v1/models":
        await answer(send, json.dumps({"data": [{"id": "qwen"}, {"id": "adapter"}]}).encode())
    else:
        await echo(scope, receive, send)


async def other_service(office: GatewayHarness, name: str = "other", suffix: str = "other") -> str:
    body = {
        "modelSetId": "am-0",
        "modelId": "amv-0",
        "name": name,
        "urlSuffix": suffix,
        "resourceConfig": {"type": "GPU-1-1"},
    }
    made: str = (await office.do(SERVICE, "CreateService", body))["serviceId"]
    return made


async def test_model_is_a_services_id_suffix_name_or_address_and_the_replica_gets_the_same_path(tmp_path: Path) -> None:
    async with an_office(tmp_path, prefix="/qianfan") as office, served(echo) as replica:
        office.replicas(replica)
        shown = await office.do("/qianfan" + SERVICE, "DescribeService", {"serviceId": office.service})
        words = ("echo", office.service, shown["url"], "/qianfan/services/echo", "http://h/services/echo/v1/x")
        for model in words:
            status, said = await asked(office, {"model": model, "messages": MESSAGES}, "/qianfan" + CHAT)
            assert (status, said["path"]) == (200, "/v1/chat/completions"), model
        body = b'{ "messages" : [ 1.50 , "\\u00e4" ], "model":"echo"}'
        for path in ("/v2/embeddings", "/v2/completions", "/qianfan/v2/embeddings"):
            status, said = await asked(office, body, path)
            assert (said["path"], said["body"]) == ("/v1/" + path.rpartition("/")[2], body.decode())
        arrived = dict(said["headers"])
        assert "authorization" not in arrived
        assert arrived["content-length"] == str(len(body))
        assert arrived["x-forwarded-prefix"] == f"/qianfan/services/{office.service}"
        assert (await office.counted(8))["succeedCallTotal"] == 8


async def test_the_replica_reads_the_name_of_the_model_that_it_serves_and_every_other_byte_as_sent(
    tmp_path: Path,
) -> None:
    async with an_office(tmp_path) as office, served(listing) as replica:
        office.replicas(replica)
        said = (await asked(office, b'{"n":1e2,"model":"echo","x":[1.0 ,2]}'))[1]
        assert said["body"] == '{"n":1e2,"model":"qwen","x":[1.0 ,2]}'
        assert (await office.counted(1))["callTotal"] == 1, "asking for the name is no call"


async def test_a_replica_that_takes_no_connection_does_not_keep_the_name_of_the_model_from_being_found(
    tmp_path: Path,
) -> None:
    listener = bound()
    async with an_office(tmp_path) as office, served(listing) as replica:
        office.replicas(address_of(listener), replica)
        listener.close()
        status, said = await asked(office, b'{"model":"echo"}')
        assert (status, said["body"]) == (200, '{"model":"qwen"}')


async def test_an_id_goes_before_a_suffix_and_that_before_a_name_and_what_names_several_is_refused_with_their_ids(
    tmp_path: Path,
) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        named = await other_service(office, name="echo", suffix="named")
        assert (await asked(office, {"model": "echo"}))[0] == 200, "the suffix of one, the name of the other"
        assert (await asked(office, {"model": "named"}))[1]["error"]["code"] == "NoCapacity"
        again = await other_service(office, suffix="echo")
        status, said = await asked(office, {"model": "echo"})
        assert (status, said["error"]["code"]) == (400, "InappropriateJSON")
        assert office.service in said["error"]["message"]
        assert again in said["error"]["message"]
        assert named not in said["error"]["message"]
        assert (await asked(office, {"model": office.service}))[0] == 200
        assert (await asked(office, {"model": "http://h/services/echo"}))[0] == 200, "an address is the first one's"
        narrow = await office.do(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": again})
        assert (await asked(office, {"model": "echo"}, key=narrow["key"]))[1]["error"]["code"] == "NoCapacity"
        await office.do(SERVICE, "DeleteService", {"serviceId": again})
        assert (await asked(office, {"model": "echo"}))[0] == 200


async def test_every_refusal_has_the_shape_that_clients_read_also_of_a_stream(tmp_path: Path) -> None:
    async with an_office(tmp_path, chat_body_max_bytes=str(2**16)) as office, served(echo) as replica:
        office.replicas(replica)
        made = await office.do("/v2/iam", "CreateAccount", {"name": "stranger"})
        stranger = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        foreign = (await office.do(SERVICE, "CreateServiceKey", {"name": "x"}, desk=stranger))["key"]
        narrow = (
            await office.do(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": await other_service(office)})
        )["key"]
        cases: list[tuple[Any, str, int, str]] = [
            ({"model": "nowhere"}, "", 404, "ServiceNotFound"),
            ({"model": "http://h/services/other/v1"}, "", 503, "NoCapacity"),
            ({"model": 7}, "", 400, "InappropriateJSON"),
            ({"model": ""}, "", 400, "InappropriateJSON"),
            ({"model": "x" * 2000}, "", 400, "InappropriateJSON"),
            ({}, "", 400, "InappropriateJSON"),
            (b"[]", "", 400, "InappropriateJSON"),
            (b"{", "", 400, "MalformedJSON"),
            (b'{"model": "echo", "x": ' + b"[" * 30_000, "", 400, "MalformedJSON"),
            ({"model": "echo", "text": "x" * 2**16}, "", 413, "EntityTooLarge"),
            ({"model": "echo"}, "none", 401, "InvalidServiceKey"),
            ({"model": "echo"}, foreign, 404, "ServiceNotFound"),
            ({"model": office.service}, foreign, 404, "ServiceNotFound"),
            ({"model": office.service}, narrow, 403, "AccessDenied"),
        ]
        for body, key, status, code in cases:
            for given in (body, {**body, "stream": True}) if isinstance(body, dict) else (body,):
                found = await asked(office, given, key=key)
                assert (found[0], found[1]["error"]["code"]) == (status, code), str(body)[:80]
                assert in_shape(found[1])
        elsewhere = await asked(office, {}, "/v2/rerankers")
        assert elsewhere[0] == 404
        assert in_shape(elsewhere[1])
        headers = {"Authorization": f"Bearer {office.key}"}
        async with office.http.get(f"http://{office.base}{CHAT}", headers=headers) as got:
            assert (got.status, in_shape(json.loads(await got.read()))) == (400, True)


async def test_a_body_of_twenty_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        head = (
            f"POST {CHAT} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {office.key}\r\nContent-Length: 20971520\r\n\r\n"
        )
        async with raw_connection(office.base) as (reader, writer):
            writer.write(head.encode())
            assert b" 413 " in await reader.readline()


async def test_a_service_beyond_its_queries_per_second_answers_429_in_the_shape_that_clients_read(
    tmp_path: Path,
) -> None:
    async with an_office(tmp_path, qps=1) as office, served(echo) as replica:
        office.replicas(replica)
        found = [await asked(office, {"model": "echo", "stream": True}) for _ in range(3)]
        assert [status for status, _ in found] == [200, 429, 429]
        assert in_shape(found[1][1])


@asynccontextmanager
async def answering(office: GatewayHarness, content: bytes) -> AsyncIterator[None]:
    """Have every replica send these bytes, and hang up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()

    async with raw(handle) as replica:
        await office.moved(replica)
        yield


def page(status: str, kind: str, body: bytes) -> bytes:
    """Write a whole answer."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


SHAPED = b'{"error": {"code": "a", "message": "b", "type": "c"}, "id": "d"}'
ERRORS: dict[str, tuple[bytes, int, dict[str, str]]] = {
    "in shape": (page("404 No", "application/json", SHAPED), 404, {"code": "a", "message": "b", "type": "c"}),
    "a number for a code": (
        page("400 No", "application/json", b'{"error": {"code": 400, "message": "m", "type": "t"}}'),
        400,
        {"code": "400", "message": "m", "type": "t"},
    ),
    "flat": (
        page(
            "404 No", "application/json", b'{"object": "error", "message": "m", "type": "NotFoundError", "code": 404}'
        ),
        404,
        {"code": "404", "message": "m", "type": "NotFoundError"},
    ),
    "detail": (page("422 No", "application/json", b'{"detail": "m"}'), 422, {"code": "422", "message": "m"}),
    "a text": (
        page("500 No", "text/plain", b"out of memory"),
        500,
        {"message": "out of memory", "type": "server_error"},
    ),
    "HTML": (page("503 No", "text/html", b"<h1>no</h1>"), 503, {"code": "503", "type": "server_error"}),
    "nothing": (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, {"code": "500"}),
    "too much": (page("500 No", "text/plain", b"x" * 100_000), 500, {"code": "500"}),
    "HTML as a success": (page("200 OK", "text/html", b"<h1>hi</h1>"), 502, {"code": "ReplicaFailed"}),
    "a redirect": (b"HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 502, {"code": "ReplicaFailed"}),
}


async def test_what_a_replica_says_went_wrong_reaches_the_client_in_the_shape_that_it_reads(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        for name, (content, status, wanted) in ERRORS.items():
            async with answering(office, content):
                found = await asked(office, {"model": "echo", "stream": True})
            assert found[0] == status, name
            assert in_shape(found[1]), name
            assert wanted.items() <= found[1]["error"].items(), (name, found[1])
        assert (await office.counted(len(ERRORS)))["failureCallTotal"] == len(ERRORS)


CUT = {
    "chunks": EVENTS + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(FIRST), FIRST),
    "in the middle of a line": EVENTS + b'Transfer-Encoding: chunked\r\n\r\n8\r\ndata: {"\r\n',
    "an open end": EVENTS + b"Connection: close\r\n\r\n" + FIRST,
}


@pytest.mark.parametrize("name", CUT)
async def test_half_a_stream_ends_with_an_error_and_never_as_a_whole_one(tmp_path: Path, name: str) -> None:
    async with an_office(tmp_path) as office, answering(office, CUT[name]):
        got, ended = b"", True
        try:
            async with office.http.post(
                f"http://{office.base}{CHAT}",
                json={"model": "echo", "stream": True},
                headers={"Authorization": f"Bearer {office.key}"},
            ) as found:
                async for piece in found.content.iter_any():
                    got += piece
        except aiohttp.ClientPayloadError:
            ended = False
        assert not ended
        last = got.split(b"\n\n")[-2]
        said = json.loads(last.removeprefix(b"data: "))
        assert (in_shape(said), said["error"]["code"]) == (True, "ReplicaFailed")
        assert b"event" not in last, "the Go client passes over every line with this word"
        assert (await office.counted(1))["failureCallTotal"] == 1


async def test_a_stream_with_an_open_end_is_whole_with_its_last_mark(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        async with answering(office, EVENTS + b"Connection: close\r\n\r\n" + FIRST + b"data: [DONE]\n\n"):
            headers = {"Authorization": f"Bearer {office.key}"}
            url = f"http://{office.base}{CHAT}"
            async with office.http.post(url, json={"model": "echo", "stream": True}, headers=headers) as found:
                assert await found.read() == FIRST + b"data: [DONE]\n\n"
        assert (await office.counted(1))["succeedCallTotal"] == 1


SAID = b'data: {"choices": [{"delta": {"content": "say data: [DONE]"}}]}\n\n'
ENDS: dict[str, tuple[list[bytes], bool]] = {
    "comments behind it": ([FIRST, b"data: [DONE]\n\n" + b": still here\n\n" * 20], True),
    "in two pieces": ([FIRST + b"data: [DO", b"NE]\n\n", b": still here\n\n" * 20], True),
    "at once": ([b"data:[DONE]\r\n\r\n"], True),
    "only as a word": ([FIRST, SAID], False),
}


@pytest.mark.parametrize("name", ENDS)
async def test_the_last_mark_of_a_stream_is_seen_wherever_it_is_and_no_word_is_taken_for_it(
    tmp_path: Path, name: str
) -> None:
    pieces, is_whole = ENDS[name]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(EVENTS + b"Connection: close\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with an_office(tmp_path) as office, raw(handle) as replica:
        office.replicas(replica)
        headers = {"Authorization": f"Bearer {office.key}"}
        url = f"http://{office.base}{CHAT}"
        got, ended = b"", True
        async with office.http.post(url, json={"model": "echo", "stream": True}, headers=headers) as found:
            try:
                async for piece in found.content.iter_any():
                    got += piece
            except aiohttp.ClientPayloadError:
                ended = False
        assert ended == is_whole
        assert (got == b"".join(pieces)) == is_whole
        assert (await office.counted(1))["succeedCallTotal"] == int(is_whole)


async def test_models_are_the_services_that_the_key_opens(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        other = await other_service(office, suffix="echo")
        narrow = (await office.do(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": office.service}))["key"]

        async def got(path: str, key: str) -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {key}"}
            async with office.http.get(f"http://{office.base}{path}", headers=headers) as found:
                return found.status, json.loads(await found.read())

        status, listed = await got("/v2/models", office.key)
        assert (status, listed["object"]) == (200, "list")
        assert [one["id"] for one in listed["data"]] == [office.service, other], "a shared suffix names neither"
        assert {"object", "created", "owned_by", "serviceId", "name"} <= listed["data"][0].keys()
        only = (await got("/v2/models", narrow))[1]["data"]
        assert [(one["id"], one["serviceId"]) for one in only] == [("echo", office.service)]
        for one in (*listed["data"], *only):
            assert (await got(f"/v2/models/{one['id']}", narrow if one in only else office.key))[0] == 200
        assert (await got("/v2/models/nowhere", office.key))[0] == 404
        assert (await got("/v2/models", "none"))[0] == 401


async def test_the_memory_of_a_body_is_free_again_after_the_call_also_if_the_replica_takes_long(tmp_path: Path) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await body_of(receive)
        if scope["path"] == "/v1/models":
            await answer(send, b"{}")
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        begun.set()
        await may_end.wait()
        await send({"type": "http.response.body", "body": b"{}"})

    async with an_office(tmp_path) as office, served(slow) as replica:
        office.replicas(replica)
        rooms = office.desk.service.app._passing.rooms  # type: ignore[union-attr]
        call = asyncio.ensure_future(asked(office, {"model": "echo", "text": "x" * 100_000}))
        await begun.wait()
        await until(lambda: rooms.used == 0)
        may_end.set()
        assert await call == (200, {})
        assert rooms.used == 0
        assert (await asked(office, {"model": "nowhere", "text": "x" * 100_000}))[0] == 404
        assert rooms.used == 0


async def test_the_shipped_completion_server_chats_by_the_name_of_its_service(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {"model": "echo", "messages": MESSAGES, "max_tokens": 8}

    async def scene(office: GatewayHarness) -> None:
        status, whole = await asked(office, wanted)
        assert status == 200
        assert whole["model"] == "markov-1"
        streamed = {**wanted, "stream": True, "stream_options": {"include_usage": True}}
        headers = {"Authorization": f"Bearer {office.key}"}
        async with office.http.post(f"http://{office.base}{CHAT}", json=streamed, headers=headers) as found:
            assert found.headers.getall("date")
            assert len(found.headers.getall("date")) == 1
            assert "server" not in found.headers
            text = (await found.read()).decode()
        events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
        said = "".join(one["choices"][0]["delta"].get("content", "") for one in events if one["choices"])
        assert said == whole["choices"][0]["message"]["content"]
        assert (await office.counted(2))["tokensTotal"] == 2 * whole["usage"]["total_tokens"]

    async def played(address: str) -> None:
        async with an_office(tmp_path) as office:
            office.replicas(address)
            await scene(office)

    with completion() as address:
        await played(address)
