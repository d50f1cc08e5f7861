"""An attacker on the wire: a captured request is sent again, its body swapped, its age stretched, to real servers."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leasebook.contract.signing import sign
from tests.crash.fleet import ACCOUNT, CLOCK, UNITS, Process
from tests.crash.lone import lone_server
from tests.harness import ROOT_KEY, ROOT_SECRET

HOST = "leasebook.test"
TOP_UP = json.dumps({"amount": "5"}).encode()


class Captured:
    """A request as it went over the wire, byte for byte, and the parts to make others of it."""

    def __init__(
        self, path: str, action: str, body: bytes, *, strong: bool, ago: timedelta = timedelta(), **more: Any
    ) -> None:
        self.target = f"{path}?Action={action}"
        self.body = body
        self.headers = {"host": HOST}
        if strong:
            self.headers["x-bce-content-sha256"] = hashlib.sha256(body).hexdigest()
            self.headers["x-bce-nonce"] = secrets.token_hex(16)
        facts: dict[str, Any] = {"access_key": ROOT_KEY, "secret_key": ROOT_SECRET}
        self.headers["authorization"] = sign(
            method="POST",
            path=path,
            query=f"Action={action}",
            headers=self.headers,
            timestamp=(datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ"),
            signed_headers=tuple(self.headers),
            **{**facts, **more},
        )

    def bytes(self, body: bytes | None = None) -> bytes:
        """Return the request, with another body where one is given."""
        sent = self.body if body is None else body
        lines = [f"POST {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, f"content-length: {len(sent)}", "", ""]).encode() + sent


class RequestConnection:
    """A connection on which requests follow one another."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def send(self, request: bytes) -> tuple[int, Any]:
        """Send bytes and read the answer."""
        self._socket.sendall(request)
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        return answer.status, json.loads(answer.read())

    def close(self) -> None:
        self._socket.close()


def send(port: int, request: bytes) -> tuple[int, str]:
    """Send bytes on a connection of their own; returns status and code."""
    wire = RequestConnection(port)
    try:
        status, said = wire.send(request)
    finally:
        wire.close()
    return status, said.get("code", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with lone_server(tmp_path_factory.mktemp("signature")) as server:
        yield server


def balance(port: int) -> float:
    wire = RequestConnection(port)
    status, said = wire.send(Captured(ACCOUNT, "DescribeAccount", b"{}", strong=False).bytes())
    wire.close()
    assert status == 200, said
    return float(said["result"]["balance"])


def port_of(server: Process) -> int:
    assert server.port is not None
    return server.port


def test_a_captured_request_is_good_once_also_for_the_server_that_starts_next(tmp_path: Path) -> None:
    captured, killed = (Captured(ACCOUNT, "TopUpAccount", TOP_UP, strong=True).bytes() for _ in range(2))
    with lone_server(tmp_path) as server:
        port = port_of(server)
        assert send(port, captured)[0] == 200
        assert [send(port, captured) for _ in range(3)] == [(403, "RequestReplayed")] * 3
        assert send(port, killed)[0] == 200
        server.kill()
        server.start()
        server.wait()
        assert [send(port, one) for one in (captured, killed)] == [(403, "RequestReplayed")] * 2
        assert balance(port) == 10
        server.stop()


def test_a_swapped_body_under_a_signed_hash_is_refused_and_does_not_spoil_the_real_one(server: Process) -> None:
    port, before = port_of(server), balance(port_of(server))
    captured = Captured(ACCOUNT, "TopUpAccount", TOP_UP, strong=True)
    more = json.dumps({"amount": "5000000"}).encode()
    assert send(port, captured.bytes(more)) == (400, "BodyDigestMismatch")
    honest_hash = captured.headers["x-bce-content-sha256"]
    captured.headers["x-bce-content-sha256"] = hashlib.sha256(more).hexdigest()
    assert send(port, captured.bytes(more)) == (400, "SignatureDoesNotMatch")
    del captured.headers["x-bce-content-sha256"]
    assert send(port, captured.bytes(more)) == (400, "SignatureDoesNotMatch")
    captured.headers["x-bce-content-sha256"] = "UNSIGNED-PAYLOAD"
    assert send(port, captured.bytes(more)) == (400, "SignatureDoesNotMatch")
    captured.headers["x-bce-content-sha256"] = honest_hash
    captured.headers["x-bce-nonce"] = secrets.token_hex(16)
    assert send(port, captured.bytes()) == (400, "SignatureDoesNotMatch")
    assert balance(port) == before


def test_an_old_signature_is_refused_whatever_life_its_signer_gave_it(server: Process) -> None:
    port = port_of(server)
    for ago in (timedelta(minutes=6), timedelta(minutes=31), timedelta(hours=23)):
        old = Captured(CLOCK, "DescribeClock", b"{}", strong=False, ago=ago, expires_s=86_400)
        assert send(port, old.bytes()) == (400, "RequestExpired")
    assert send(port, Captured(CLOCK, "DescribeClock", b"{}", strong=False, ago=timedelta(minutes=4)).bytes())[0] == 200


def test_a_connection_goes_on_after_a_refusal_whose_body_nobody_read(server: Process) -> None:
    wire = RequestConnection(port_of(server))
    bad = Captured(ACCOUNT, "TopUpAccount", b"x" * 30_000, strong=False, secret_key="wrong")
    good = Captured(CLOCK, "DescribeClock", b"{}", strong=False)
    for _ in range(3):
        status, said = wire.send(bad.bytes())
        assert (status, said["code"]) == (400, "SignatureDoesNotMatch")
        assert wire.send(good.bytes())[0] == 200
    # Of a body that is too large nothing is believed before the signature is; nor is so much read to be thrown away.
    status, said = wire.send(bad.bytes(b"x" * 2_000_000))
    assert (status, said["code"]) == (400, "SignatureDoesNotMatch")
    wire.close()


def test_a_body_that_never_comes_is_not_waited_for_of_a_stranger(server: Process) -> None:
    wire = RequestConnection(port_of(server))
    bad = Captured(ACCOUNT, "TopUpAccount", b"x" * 100_000, strong=False, secret_key="wrong").bytes()
    status, said = wire.send(bad[:-100_000])
    assert (status, said["code"]) == (400, "SignatureDoesNotMatch")
    wire.close()


def test_a_flood_of_strangers_leaves_a_few_rows(server: Process) -> None:
    port = port_of(server)

    def flood(number: int) -> Counter[str]:
        wire, seen = RequestConnection(port), Counter[str]()
        for count in range(250):
            access_key = ROOT_KEY if count % 2 else f"AKNOBODY{number}x{count}"
            bad = Captured(UNITS, "DescribeComputeUnits", b"{}", strong=False, secret_key="x", access_key=access_key)
            seen[wire.send(bad.bytes())[1]["code"]] += 1
        wire.close()
        return seen

    with ThreadPoolExecutor(4) as crowd:
        seen = sum(crowd.map(flood, range(4)), Counter[str]())
    assert seen == {"SignatureDoesNotMatch": 500, "InvalidAccessKeyId": 500}
    wire = RequestConnection(port)
    said = wire.send(Captured(ACCOUNT, "DescribeRefusedCalls", b"{}", strong=True).bytes())[1]
    wire.close()
    rows = said["result"]["rows"]
    assert len(rows) < 50
    assert sum(row["codes"].get("InvalidAccessKeyId", 0) for row in rows) >= 500
