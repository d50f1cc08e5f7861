"""Which calls the gateway lets in before any service is looked for, and what it notes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from leasebook.contract import errors as e
from leasebook.contract.errors import ErrorCode
from leasebook.gateway import headers as h
from leasebook.gateway.fault import Fault
from leasebook.gateway.key_check import KeyCheck
from leasebook.gateway.keys import Keys, Sought
from leasebook.gateway.ports import Limits
from leasebook.observability.metrics import Metrics

PEER = ("192.0.2.9", 4711)


class NotedRefusals:
    """Keeps what it is to note."""

    def __init__(self) -> None:
        self.noted: list[tuple[Sought, str, str]] = []

    def add(self, sought: Sought, address: str, request_id: str) -> None:
        self.noted.append((sought, address, request_id))


class NoTokens:
    """Knows no token."""

    def is_one(self, _text: str) -> bool:
        return False


def behind_a_proxy(peer: str, given: h.Pairs) -> str:
    """Return the address that a header names."""
    return (h.value_of(given, b"x-forwarded-for") or peer.encode()).decode()


@pytest.fixture
def refusals() -> NotedRefusals:
    return NotedRefusals()


@pytest.fixture
def check(refusals: NotedRefusals) -> KeyCheck:
    """A check whose keys are not read from a store: none of these calls has the form of one."""
    keys = Keys(None, None, NoTokens(), None, alone=True)  # type: ignore[arg-type]
    limits = Limits(headers_max=1000)
    return KeyCheck(keys, refusals, Metrics().gateway, limits, behind_a_proxy)  # type: ignore[arg-type]


def call(*headers: tuple[bytes, bytes], kind: str = "http", method: str = "POST") -> Any:
    return {"type": kind, "method": method, "client": PEER, "headers": list(headers)}


@pytest.mark.parametrize(
    ("scope", "error", "words"),
    [
        (call((b"a", b"x" * 1000)), e.HEADERS_TOO_LARGE, "at most 1000 are taken"),
        (call((b"a", b"x\x00y")), e.INVALID_HTTP_REQUEST, "holds a control character"),
        (call(method="CONNECT"), e.INVALID_HTTP_REQUEST, "CONNECT is not passed on"),
        (call(method="TRACE"), e.INVALID_HTTP_REQUEST, "TRACE is not passed on"),
        (call((b"upgrade", b" WebSocket ")), e.UPGRADE_NOT_SUPPORTED, "A WebSocket is asked for with GET"),
    ],
)
async def test_a_call_that_no_replica_takes_is_refused_before_its_key_is_looked_for(
    check: KeyCheck, refusals: NotedRefusals, scope: Any, error: ErrorCode, words: str
) -> None:
    with pytest.raises(Fault, match=words) as refused:
        await check.admit(scope, "request-1")
    assert refused.value.error == error
    assert refusals.noted == []


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("sent", [(), ((b"authorization", b"Basic x"),), ((b"authorization", b"Bearer x"),)])
async def test_a_call_without_a_key_is_refused_and_noted_with_the_address_of_its_caller(
    check: KeyCheck, refusals: NotedRefusals, kind: str, sent: tuple[tuple[bytes, bytes], ...]
) -> None:
    for proxied, address in (((), PEER[0]), (((b"x-forwarded-for", b"198.51.100.1"),), "198.51.100.1")):
        with pytest.raises(Fault) as refused:
            await check.admit(call(*sent, *proxied, kind=kind, method="GET"), "request-1")
        assert refused.value.error == e.INVALID_SERVICE_KEY
        sought, noted, request_id = refusals.noted.pop()
        assert (sought.key, sought.why, noted, request_id) == (None, "none", address, "request-1")
