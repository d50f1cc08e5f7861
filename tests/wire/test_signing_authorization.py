"""bce-auth-v1: the value of Authorization, its time, the words of a refusal, and our own client."""

import copy
from typing import Any

import pytest
from tests.wire.signed_requests import AK, CAPTURED, NOON, NOON_US, SECOND, SK, Sent, captured, refusal_of

from leasebook.contract.signing import (
    Authorization,
    SignatureFault,
    SignatureRefused,
    check_time,
    parse_authorization,
    sign,
)

# The Authorization value.

GOOD = f"bce-auth-v1/{AK}/{NOON}/1800/host;x-bce-date/{'0' * 64}"


def test_the_parts_of_an_authorization() -> None:
    auth = parse_authorization(GOOD)
    assert auth == Authorization(
        access_key=AK,
        timestamp=NOON,
        expires_s=1800,
        signed_headers=("host", "x-bce-date"),
        signature="0" * 64,
        prefix=f"bce-auth-v1/{AK}/{NOON}/1800",
        signed_at_us=NOON_US,
    )
    assert parse_authorization(GOOD.replace("host;x-bce-date", "")).signed_headers == ()


@pytest.mark.parametrize("text", ["", " ", "\t \r\n"])
def test_no_authorization_is_empty(text: str) -> None:
    with pytest.raises(SignatureRefused) as caught:
        parse_authorization(text)
    assert caught.value.fault is SignatureFault.EMPTY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bce-auth-v1", "bce-auth-v2"),
        ("bce-auth-v1", "BCE-AUTH-V1"),
        ("bce-auth-v1", "Bearer bce-v3"),
        ("bce-auth-v1", " bce-auth-v1"),
        ("bce-auth-v1/", ""),
        ("/1800", ""),
        ("0" * 64, "0" * 64 + "/"),
        ("0" * 64, "0" * 63),
        ("0" * 64, "0" * 65),
        ("0" * 64, "A" * 64),
        ("0" * 64, "0" * 63 + "\n"),
        ("0" * 64, "0" * 64 + "\n"),
        ("0" * 64, "\u0660" * 64),
        (AK, ""),
        (AK, "a b"),
        (AK, "a\n"),
        (AK, "ключ"),
        (AK, "é"),
        (AK, "\udcff"),
        (AK, "a" * 4096),
        (NOON, "2025-01-02T12:00:00"),
        (NOON, "2025-01-02T12:00:00+00:00"),
        (NOON, "2025-01-02T12:00:00.000Z"),
        (NOON, "2025-01-02t12:00:00z"),
        (NOON, "2025-01-02 12:00:00Z"),
        (NOON, "20250102T120000Z"),
        (NOON, "2025-02-29T12:00:00Z"),
        (NOON, "2025-00-02T12:00:00Z"),
        (NOON, "2025-13-02T12:00:00Z"),
        (NOON, "2025-01-32T12:00:00Z"),
        (NOON, "2025-01-02T24:00:00Z"),
        (NOON, "2025-01-02T12:60:00Z"),
        (NOON, "2025-12-31T23:59:60Z"),
        (NOON, "0000-01-02T12:00:00Z"),
        (NOON, "٢٠٢٥-01-02T12:00:00Z"),
        (NOON, ""),
        ("/1800/", "/0/"),
        ("/1800/", "//"),
        ("/1800/", "/-1/"),
        ("/1800/", "/+1800/"),
        ("/1800/", "/01800/"),
        ("/1800/", "/1_800/"),
        ("/1800/", "/1800.0/"),
        ("/1800/", "/ 1800/"),
        ("/1800/", "/١٨٠٠/"),
        ("/1800/", "/12345678901/"),
        ("host;", "host;;"),
        ("host;", ";host;"),
        ("host;x-bce-date", "host;x-bce-date;"),
        ("host;", "host;host;"),
        ("host;", "Host;"),
        ("host;", "host,"),
        ("host;", "host ;"),
        ("host;", ""),
        ("host;", "hosts;"),
        ("host;", "host;é;"),
    ],
)
def test_an_authorization_of_another_form_is_malformed(old: str, new: str) -> None:
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(SignatureRefused) as caught:
        parse_authorization(text)
    assert caught.value.fault is SignatureFault.MALFORMED


@pytest.mark.parametrize(
    ("old", "new"),
    [("/1800/", "/9999999999/"), (NOON, "2024-02-29T23:59:59Z"), (AK, "!;~"), ("host;", "host;a!#|~;")],
)
def test_the_edges_of_the_form_are_accepted(old: str, new: str) -> None:
    parse_authorization(GOOD.replace(old, new, 1))


def test_the_length_is_bounded_exactly() -> None:
    longest = GOOD.replace(AK, "a" * (4096 - len(GOOD) + len(AK)))
    assert len(longest) == 4096
    parse_authorization(longest)
    with pytest.raises(SignatureRefused, match="longer than 4096"):
        parse_authorization(longest.replace(NOON, NOON + "Z"))


# Time (decision 22).

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("expires_s", "now_us", "fault"),
    [
        (1800, 0, None),
        (1800, -300 * SECOND, None),
        (1800, -300 * SECOND - 1, SignatureFault.NOT_YET_VALID),
        (1800, -301 * SECOND, SignatureFault.NOT_YET_VALID),
        (1800, 1800 * SECOND, None),
        (1800, 1800 * SECOND + 1, SignatureFault.EXPIRED),
        (1800, 1801 * SECOND, SignatureFault.EXPIRED),
        (1, SECOND, None),
        (1, SECOND + 1, SignatureFault.EXPIRED),
        (DAY - 1, (DAY - 1) * SECOND, None),
        (DAY - 1, (DAY - 1) * SECOND + 1, SignatureFault.EXPIRED),
        (DAY, DAY * SECOND, None),
        (DAY, DAY * SECOND + 1, SignatureFault.EXPIRED),
        (180000, DAY * SECOND, None),
        (180000, DAY * SECOND + 1, SignatureFault.EXPIRED),
        (9999999999, DAY * SECOND + 1, SignatureFault.EXPIRED),
    ],
)
def test_when_a_signature_is_in_force(expires_s: int, now_us: int, fault: SignatureFault | None) -> None:
    auth = parse_authorization(GOOD)._replace(expires_s=expires_s)
    if fault is None:
        check_time(auth, NOON_US + now_us)
        return
    with pytest.raises(SignatureRefused) as caught:
        check_time(auth, NOON_US + now_us)
    assert caught.value.fault is fault
    assert auth.timestamp in caught.value.message


def test_a_refusal_for_time_tells_the_servers_time() -> None:
    auth = parse_authorization(GOOD)
    for now_us, text in ((NOON_US - 3600 * SECOND, "11:00:00Z"), (NOON_US + 3600 * SECOND, "13:00:00Z")):
        with pytest.raises(SignatureRefused, match=f"server's time.* 2025-01-02T{text}"):
            check_time(auth, now_us)
    with pytest.raises(SignatureRefused):
        check_time(parse_authorization(GOOD.replace("2025", "9999")), NOON_US)


# The words of a refusal.


def test_a_mismatch_shows_the_text_that_is_signed_and_no_secret() -> None:
    case = CAPTURED["valid"][0]
    sent = captured(case)
    refusal = refusal_of(sent._replace(text=sent.text[:-1] + "0"))
    assert refusal.fault is SignatureFault.MISMATCH
    assert refusal.message.endswith("\n" + case["expect"]["canonical_request"])
    assert str(refusal) == refusal.message
    for secret in (case["secret_key"], case["expect"]["signing_key"], case["expect"]["signature"]):
        assert secret not in refusal.message


def test_a_message_stays_short() -> None:
    query = b"a=" + b"b" * 100_000
    assert len(refusal_of(Sent(GOOD, SK, query=query)).message) < 5000
    assert len(refusal_of(Sent(GOOD, SK, path=b"?" * 100_000)).message) < 5000


def test_a_refusal_can_be_copied() -> None:
    refusal = SignatureRefused(SignatureFault.EXPIRED, "Sign it again.")
    twin = copy.copy(refusal)
    assert (twin.fault, twin.message) == (refusal.fault, refusal.message)


def test_long_requests_are_read_in_linear_time() -> None:
    for tail in (b"", b"!", b"%", b"%2", b"&"):
        for query in (b"a=" + b"b" * 200_000, b"a=" + b"%20" * 70_000, b"a" * 200_000):
            assert not Sent(GOOD, SK, query=query + tail).accepted()
            assert not Sent(GOOD, SK, path=b"/" + query + tail).accepted()


# Our own client.


def signed(**changes: Any) -> str:
    parts: dict[str, Any] = {
        "access_key": AK,
        "secret_key": SK,
        "method": "POST",
        "path": "/v2/computeunit",
        "query": "Action=DescribeComputeUnit",
        "headers": {"Host": "units.example.com:8000", "X-Bce-Date": f" {NOON} "},
        "timestamp": NOON,
    }
    return sign(**parts | changes)


def test_our_own_signature_verifies() -> None:
    assert Sent(signed(), SK).accepted()
    assert signed().startswith(f"bce-auth-v1/{AK}/{NOON}/1800/host;x-bce-date/")
    assert signed(signed_headers=("X-Bce-Date", "HOST")) == signed()
    assert Sent(signed(signed_headers=("host",), expires_s=60), SK).accepted()
    assert Sent(signed(signed_headers=()), SK).accepted()


@pytest.mark.parametrize(
    "changes",
    [
        {"access_key": ""},
        {"access_key": "a/b"},
        {"access_key": "a\n"},
        {"timestamp": "2025-01-02 12:00:00"},
        {"expires_s": 0},
        {"expires_s": -1},
        {"expires_s": 10**10},
        {"method": ""},
        {"method": "POST /"},
        {"path": "v2/computeunit"},
        {"path": ""},
        {"path": "/v2/a b"},
        {"path": "/v2/é"},
        {"query": "Action"},
        {"query": "?Action=X"},
        {"query": "Action=a b"},
        {"query": "Action=a(b)"},
        {"query": "a=1&a=2"},
        {"headers": {}},
        {"headers": {"host": "h"}},
        {"headers": {"host": "h", "Host": "h", "x-bce-date": NOON}},
        {"headers": {"host": "http://h", "x-bce-date": NOON}},
        {"signed_headers": ("x-bce-date",)},
        {"signed_headers": ("host", "Host")},
        {"signed_headers": ("host", "a b")},
    ],
)
def test_a_request_that_cannot_be_verified_is_not_signed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        signed(**changes)
