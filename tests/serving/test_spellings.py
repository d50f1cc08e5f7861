"""How clients spell what they send: what HTTP says is the same is taken for the same, over bare sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leasebook.contract.signing import sign
from tests.harness import ROOT_KEY, ROOT_SECRET, a_service
from tests.serving.place import ListenerHarness, listening

PATH = "/v2/account"


def _authorization(query: str, timestamp: str) -> str:
    return sign(
        access_key=ROOT_KEY,
        secret_key=ROOT_SECRET,
        method="POST",
        path=PATH,
        query=query,
        headers={"host": "leasebook.test", "x-bce-date": timestamp},
        timestamp=timestamp,
    )


async def _said(place: ListenerHarness, request: bytes) -> tuple[int, str]:
    reader, writer = await place.connected()
    writer.write(request)
    async with asyncio.timeout(15):
        top = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[16:]) for line in top.lower().split(b"\r\n") if line.startswith(b"content-length: "))
        body = await reader.readexactly(length)
    writer.close()
    return int(top.split(b" ")[1]), body.decode()


def _request(target: str, values: Sequence[str], spaces: tuple[str, str]) -> bytes:
    before, after = spaces
    names = ("Host", "X-Bce-Date", "Authorization", "Content-Length", "Connection")
    lines = "".join(f"{name}:{before}{value}{after}\r\n" for name, value in zip(names, values, strict=True))
    return f"POST {target} HTTP/1.1\r\n{lines}\r\n".encode()


SPACES = [("", ""), (" ", ""), ("   ", "  "), ("\t", "\t "), (" \t ", " ")]


async def test_spaces_around_the_value_of_a_header_are_no_part_of_it(tmp_path: Path) -> None:
    async with a_service(tmp_path) as desk, listening(desk.service.app) as place:
        query = "Action=DescribeAccount"
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = ("leasebook.test", stamp, _authorization(query, stamp), "0", "keep-alive")
        for spaces in SPACES:
            status, body = await _said(place, _request(f"{PATH}?{query}", values, spaces))
            assert status == 200, (spaces, body)
        # The characters that JavaScript clients leave bare and sign escaped.
        text = "Action=DescribeAccount&note=it%27s%21%20%28%2A%29"
        values = ("leasebook.test", stamp, _authorization(text, stamp), "0", "keep-alive")
        status, body = await _said(
            place, _request(f"{PATH}?Action=DescribeAccount&note=it's!%20(*)", values, (" ", ""))
        )
        # The signature is valid; the unknown key is refused later.
        assert (status, "There is no key 'note'" in str(body)) == (400, True), body


@pytest.mark.parametrize(
    "target", ["/healthz#top", "/healthz?a=b#top", "http://leasebook.test/healthz#top", "/#", "/a#b?c"]
)
async def test_a_fragment_in_an_address_is_refused_with_what_to_do(tmp_path: Path, target: str) -> None:
    del tmp_path
    async with listening(None) as place:
        status, body = await _said(place, f"GET {target} HTTP/1.1\r\nHost: leasebook.test\r\n\r\n".encode())
        assert (status, json.loads(body)["code"]) == (400, "InvalidHTTPRequest")
        message = json.loads(body)["message"]
        assert "fragment" in message
        assert "%23" in message
