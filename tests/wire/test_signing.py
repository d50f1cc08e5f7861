"""bce-auth-v1: known vectors, the official clients' own requests, and each byte of them changed."""

import itertools
import re
from typing import Any

import pytest
from tests.wire.signed_requests import (
    AK,
    CAPTURED,
    SK,
    Sent,
    captured,
    mutations,
    refusal_of,
    valid_cases,
)

from leasebook.contract.signing import SignatureFault, check_time, parse_authorization, sign, signing_key

# The documented vectors.

DOCUMENTED = {
    b"host": b"bj.bcebos.com",
    b"content-type": b"text/plain",
    b"content-length": b"8",
    b"content-md5": b"NFzcPqhviddjRNnSOGo4rw==",
    b"x-bce-date": b"2015-04-27T08:23:49Z",
}
DOCUMENTED_PREFIX = f"bce-auth-v1/{AK}/2015-04-27T08:23:49Z/1800"
DOCUMENTED_QUERY = "partNumber=9&uploadId=a44cc9bab11cbd156984767aad637851"
FIVE = "content-length;content-md5;content-type;host;x-bce-date"
UNIT_PREFIX = f"bce-auth-v1/{AK}/2025-01-02T03:04:05Z/1800"
UNIT_HEADERS = {
    b"host": b"qianfan.baidubce.com",
    b"x-bce-date": b"2025-01-02T03:04:05Z",
    b"content-type": b"application/json",
    b"request-source": b"qianfan_py_sdk_v0.4.12.3",
}


def test_the_documented_signing_keys() -> None:
    expected = b"1d5ce5f464064cbee060330d973218821825ac6952368a482a592e6615aef479"
    assert signing_key(SK, DOCUMENTED_PREFIX) == expected
    expected = b"099378d70ba10534f3ddb88aaec9e6095e64f9012ac87bcff69b47429c7419f3"
    assert signing_key(SK, UNIT_PREFIX) == expected


@pytest.mark.parametrize(
    ("names", "query", "signature"),
    [
        ("", DOCUMENTED_QUERY, "d74a04362e6a848f5b39b15421cb449427f419c95a480fd6b8cf9fc783e2999e"),
        (FIVE, DOCUMENTED_QUERY, "d74a04362e6a848f5b39b15421cb449427f419c95a480fd6b8cf9fc783e2999e"),
        (
            "host;x-bce-date",
            DOCUMENTED_QUERY,
            "1b8de5a23a56eef657c69f94c621e7acd227d049a4ba577f537d5e5cebf0cf32",
        ),
        (FIVE, "", "0558aac491bbef484d3aaa30ac1e65d4ff10daccd351f15c91e922ee4ce72690"),
    ],
)
def test_the_documented_requests(names: str, query: str, signature: str) -> None:
    text = f"{DOCUMENTED_PREFIX}/{names}/{signature}"
    path = "/v1/test/myfolder/readme.txt"
    made = sign(
        access_key=AK,
        secret_key=SK,
        method="put",
        path=path,
        query=query,
        headers={name.decode().title(): value.decode() for name, value in DOCUMENTED.items()},
        timestamp="2015-04-27T08:23:49Z",
        signed_headers=names.split(";") if names else (),
    )
    assert made == text
    assert Sent(text, SK, "PUT", path.encode(), query.encode(), tuple(DOCUMENTED.items())).accepted()


@pytest.mark.parametrize(
    ("names", "present", "signature"),
    [
        ("host", 1, "d7176982feb6d8442d3b8aba5cc83a65b91c48588b0b195220be98a8515e230f"),
        ("host;x-bce-date", 2, "712b6512f80d5b6672e816a3ecf8e465c2e9055dd5011ef9761ce5c5e272f076"),
        # The Python client's lower layer signs the date under a list that names only the host.
        ("host", 2, "712b6512f80d5b6672e816a3ecf8e465c2e9055dd5011ef9761ce5c5e272f076"),
        ("host", 4, "712b6512f80d5b6672e816a3ecf8e465c2e9055dd5011ef9761ce5c5e272f076"),
        (
            "content-type;host;request-source;x-bce-date",
            4,
            "d339724c1513b600df497c24329d9e4c0283eafff7a87741271904050ea61a87",
        ),
    ],
)
def test_vectors_for_this_api(names: str, present: int, signature: str) -> None:
    sent = Sent(
        text=f"{UNIT_PREFIX}/{names}/{signature}",
        secret=SK,
        query=b"Action=AutoReleaseComputeUnit",
        headers=tuple(UNIT_HEADERS.items())[:present],
    )
    assert sent.accepted()


# Headers that the official clients really send.


@valid_cases
def test_a_captured_request_verifies_at_its_moment(case: dict[str, Any]) -> None:
    auth = captured(case).verify()
    expected = case["expect"]
    check_time(auth, auth.signed_at_us)
    assert auth.timestamp == expected["auth_timestamp"]
    assert auth.expires_s == expected["expiration_seconds"]
    assert ";".join(auth.signed_headers) == expected["signed_headers_as_sent"]
    assert auth.signature == expected["signature"]
    assert auth.access_key == case["access_key"]
    assert signing_key(case["secret_key"], auth.prefix).decode() == expected["signing_key"]


@pytest.mark.parametrize("case", CAPTURED["invalid"], ids=lambda case: case["id"])
def test_a_captured_request_that_was_changed_is_refused(case: dict[str, Any]) -> None:
    assert refusal_of(captured(case)).fault is SignatureFault.MISMATCH


@valid_cases
def test_another_secret_is_refused(case: dict[str, Any]) -> None:
    assert not captured(case)._replace(secret=case["secret_key"] + "x").accepted()


def test_the_prefix_may_be_signed_or_left_out_but_must_be_known() -> None:
    bare = captured(next(case for case in CAPTURED["valid"] if case["id"] == "py-prefix"))
    assert bare.accepted()
    assert bare._replace(prefix=b"/prefix/").accepted()
    assert not bare._replace(prefix=b"").accepted()
    assert not bare._replace(prefix=b"/pref").accepted()
    node = captured(next(case for case in CAPTURED["valid"] if case["id"] == "node-purchase"))
    assert node._replace(prefix=b"/v2").accepted()
    assert node._replace(path=b"/prefix" + node.path, prefix=b"/prefix").accepted()
    assert not node._replace(path=b"/prefix/prefix" + node.path, prefix=b"/prefix").accepted()
    assert not node._replace(path=b"/prefixed" + node.path, prefix=b"/prefix").accepted()


def test_signed_headers_may_come_in_any_order() -> None:
    sent = captured(CAPTURED["valid"][0])
    head, names, signature = sent.text.rsplit("/", 2)
    for order in itertools.permutations(names.split(";")):
        assert sent._replace(text=f"{head}/{';'.join(order)}/{signature}").accepted()


# One byte changed, taken out or put in: refused, wherever the signature reaches.


def is_port_change(host: bytes) -> bool:
    match = re.fullmatch(rb"127\.0\.0\.1:([1-9][0-9]*)", host)
    return match is not None and int(match[1]) < 65536


def undetectable(case: dict[str, Any], name: bytes, value: bytes) -> bool:
    """Whether a change is of a part that a client did not sign, or signs late; no other change may pass."""
    portless = case["expect"]["signed_host_rule"] == "Host header without its port"
    late = case["id"].startswith("java") and value == b"2026-11-22T11:02:24Z"
    return (portless and name == b"host" and is_port_change(value)) or (late and name == b"x-bce-date")


@valid_cases
def test_a_changed_byte_of_the_request_line_is_refused(case: dict[str, Any]) -> None:
    sent = captured(case)
    for method in mutations(sent.method.encode()):
        assert not sent._replace(method=method.decode("latin-1")).accepted(), method
    for path in mutations(sent.path):
        assert not sent._replace(path=path).accepted(), path
    for query in mutations(sent.query):
        assert not sent._replace(query=query).accepted(), query


@valid_cases
def test_a_changed_byte_of_a_signed_header_is_refused(case: dict[str, Any]) -> None:
    sent = captured(case)
    signed = {name.encode() for name in parse_authorization(sent.text).signed_headers}
    for spot, (name, value) in enumerate(sent.headers):
        if name not in signed:
            continue

        def with_header(header: tuple[bytes, bytes], spot: int = spot) -> Sent:
            return sent._replace(headers=(*sent.headers[:spot], header, *sent.headers[spot + 1 :]))

        for other in mutations(name):
            assert not with_header((other, value)).accepted(), other
        for other in mutations(value):
            assert with_header((name, other)).accepted() == undetectable(case, name, other), (name, other)


@valid_cases
def test_a_changed_character_of_the_authorization_is_refused(case: dict[str, Any]) -> None:
    sent = captured(case)
    for text in mutations(sent.text.encode()):
        assert not sent._replace(text=text.decode("latin-1")).accepted(), text


def test_every_byte_at_every_place_of_the_target() -> None:
    every = bytes(range(256))
    sent = captured(CAPTURED["valid"][0])
    assert not any(sent._replace(path=path).accepted() for path in mutations(sent.path, every))
    assert not any(sent._replace(query=query).accepted() for query in mutations(sent.query, every))
