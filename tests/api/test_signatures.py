"""Signatures as the whole service judges them: time, keys, what was signed, prefixes and proxies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from leasebook.contract.signing import sign
from tests.api.scene import ACCOUNT, CLOCK, HINTS, UNITS, Caller, ServiceHarness, a_scene, order
from tests.harness import ROOT_KEY, ROOT_SECRET, Answer

QUERY = "Action=DescribeClock"
HOST = (b"host", b"leasebook.test")


def signature(*, path: str = CLOCK, query: str = QUERY, ahead: timedelta = timedelta(), **more: Any) -> str:
    """Sign a request as the root does, some time from now."""
    facts: dict[str, Any] = {
        "access_key": ROOT_KEY,
        "secret_key": ROOT_SECRET,
        "method": "POST",
        "headers": {"host": "leasebook.test"},
        "timestamp": (datetime.now(UTC) + ahead).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "signed_headers": ("host",),
    }
    return sign(path=path, query=query, **{**facts, **more})


def send(scene: ServiceHarness, *authorizations: str, path: str = CLOCK, query: str = QUERY) -> Answer:
    """Send a request under those values of the header."""
    headers = [HOST, *((b"authorization", value.encode("latin-1")) for value in authorizations)]
    return scene.operator.send(path, query, b"{}", headers=headers)


# --- time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "lifetime"),
    [
        (timedelta(minutes=-31), 1800),
        (timedelta(seconds=-310), 300),
        (timedelta(hours=-25), 9_999_999_999),
        (timedelta(days=-4000), 180_000),
    ],
)
def test_an_expired_signature_is_refused_with_the_servers_time(
    shared: ServiceHarness, ahead: timedelta, lifetime: int
) -> None:
    answer = send(shared, signature(ahead=ahead, expires_s=lifetime))
    assert (answer.status, answer.code) == (400, "RequestExpired")
    _, told = re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer.body["message"])
    assert abs(datetime.fromisoformat(told) - datetime.now(UTC)) < timedelta(minutes=1)


def of(caller: Caller, **more: Any) -> str:
    """Sign as another user than the root."""
    return signature(access_key=caller.desk.access_key, secret_key=caller.desk.secret_key, **more)


@pytest.mark.parametrize("ahead", [timedelta(minutes=-29), timedelta(), timedelta(minutes=4, seconds=50)])
def test_a_signature_in_force_is_accepted(shared: ServiceHarness, ahead: timedelta) -> None:
    assert send(shared, of(shared.customer(), ahead=ahead)).status == 200


def test_a_long_lifetime_counts_as_half_an_hour(shared: ServiceHarness) -> None:
    caller = shared.customer()
    for lifetime in (1801, 9_999_999_999):
        assert send(shared, of(caller, ahead=timedelta(minutes=-29), expires_s=lifetime)).status == 200
        late = send(shared, of(caller, ahead=timedelta(minutes=-31), expires_s=lifetime))
        assert late.code == "RequestExpired"
        assert "1800 seconds" in late.body["message"]


def test_a_signature_of_an_operator_is_good_for_five_minutes(shared: ServiceHarness) -> None:
    assert send(shared, signature(ahead=timedelta(minutes=-4, seconds=-50))).status == 200
    late = send(shared, signature(ahead=timedelta(minutes=-5, seconds=-10)))
    assert late.code == "RequestExpired"
    assert "300 seconds" in late.body["message"]
    # A signature with a wrong secret does not show whose key it names.
    assert send(shared, signature(ahead=timedelta(minutes=-20), secret_key="x")).code == "SignatureDoesNotMatch"
    nobody = shared.user(shared.customer(), "LeasebookOperatorPolicy")
    assert send(shared, of(nobody, ahead=timedelta(minutes=-6))).code == "RequestExpired"


def test_how_old_a_signature_may_be_is_a_setting(tmp_path: Path) -> None:
    ages = {"LEASEBOOK_SIGNATURE_AGE_MAX_SECONDS": "60", "LEASEBOOK_SIGNATURE_OPERATOR_AGE_MAX_SECONDS": "86400"}
    with a_scene(tmp_path, environment=ages) as scene:
        assert send(scene, of(scene.customer(), ahead=timedelta(seconds=-70))).code == "RequestExpired"
        assert send(scene, signature(ahead=timedelta(seconds=-50))).status == 200


@pytest.mark.parametrize("ahead", [timedelta(minutes=5, seconds=10), timedelta(days=2000)])
def test_a_signature_more_than_five_minutes_ahead_is_refused_with_the_servers_time(
    shared: ServiceHarness, ahead: timedelta
) -> None:
    answer = send(shared, signature(ahead=ahead))
    assert (answer.status, answer.code) == (400, "RequestExpired")
    assert datetime.now(UTC).strftime("%Y-%m-%dT%H:") in answer.body["message"]


def test_signatures_go_by_the_machines_clock_wherever_the_virtual_clock_stands(fresh: ServiceHarness) -> None:
    fresh.advance("2060-01-01 00:00:00")
    assert send(fresh, signature()).status == 200
    virtual = fresh.now() - datetime.now(UTC)
    assert send(fresh, signature(ahead=virtual)).code == "RequestExpired"


# --- form and key ----------------------------------------------------------------------------------------


def test_a_request_without_a_signature_is_refused(shared: ServiceHarness) -> None:
    for answer in (send(shared), send(shared, ""), send(shared, " ")):
        assert (answer.status, answer.code) == (400, "SignatureEmpty")


@pytest.mark.parametrize(
    "value",
    [
        "Bearer xyz",
        "bce-auth-v1",
        "bce-auth-v1/a/b/c/d/e",
        "bce-auth-v2/AKROOT/2030-01-01T00:00:00Z/1800/host/" + "0" * 64,
        "bce-auth-v1/AKROOT/2030-13-01T00:00:00Z/1800/host/" + "0" * 64,
        "bce-auth-v1/AKROOT/2030-01-01T00:00:00Z/-1/host/" + "0" * 64,
        "bce-auth-v1/AKROOT/2030-01-01T00:00:00Z/1800/content-type/" + "0" * 64,
        "bce-auth-v1/AKROOT/2030-01-01T00:00:00Z/1800/host/" + "Z" * 64,
        "bce-auth-v1//2030-01-01T00:00:00Z/1800/host/" + "0" * 64,
        "x" * 100_000,
        "\x00\xff",
    ],
)
def test_a_header_of_another_form_is_refused(shared: ServiceHarness, value: str) -> None:
    answer = send(shared, value)
    assert (answer.status, answer.code) == (400, "InvalidHTTPAuthHeader")
    assert len(answer.body["message"]) < 500
    assert ("error" in answer.body) == value.startswith("Bearer ")


def test_a_wrong_secret_and_an_unknown_key_have_different_codes(shared: ServiceHarness) -> None:
    wrong = send(shared, signature(secret_key="wrong"))
    assert (wrong.status, wrong.code) == (400, "SignatureDoesNotMatch")
    assert (
        wrong.headers["x-bce-error-message"]
        == "SignatureDoesNotMatch, cause: Fail to authn user: Signature does not match"
    )
    unknown = send(shared, signature(access_key="AKNOBODY"))
    assert (unknown.status, unknown.code) == (403, "InvalidAccessKeyId")
    assert unknown.headers["x-bce-error-message"] == "NotFound, cause: Could not find credential."


def test_no_other_error_has_the_texts_that_tell_keys_apart(shared: ServiceHarness) -> None:
    for answer in (
        send(shared),
        send(shared, "x"),
        send(shared, signature(ahead=timedelta(days=-2))),
        shared.operator.ask(UNITS, "DescribeComputeUnit", {"instanceId": "unit-00000000"}),
    ):
        assert answer.headers["x-bce-error-message"] not in HINTS.values()


# --- what was signed -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CLOCK, "Action=AdvanceClock"),
        (CLOCK, "Action=DescribeClock&clientToken=x"),
        (CLOCK, "Action=DescribeClock&x="),
        (CLOCK, "Action=DescribeCl%6Fck"),
        (ACCOUNT, "Action=DescribeAccount"),
    ],
)
def test_another_request_than_the_signed_one_is_refused(shared: ServiceHarness, path: str, query: str) -> None:
    commits = shared.commits()
    assert send(shared, signature(), path=path, query=query).code == "SignatureDoesNotMatch"
    assert shared.commits() == commits


def test_another_client_token_than_the_signed_one_is_refused(shared: ServiceHarness) -> None:
    commits = shared.commits()
    signed, sent = ("Action=PurchaseComputeUnit&clientToken=" + token for token in ("t-1", "t-2"))
    headers = [HOST, (b"authorization", signature(path=UNITS, query=signed).encode())]
    assert shared.operator.send(UNITS, sent, b"{}", headers=headers).code == "SignatureDoesNotMatch"
    assert shared.commits() == commits


@pytest.mark.parametrize("host", [b"other.test", b"leasebook.test:8000", b"leasebook.test.evil", b""])
def test_another_host_than_the_signed_one_is_refused(shared: ServiceHarness, host: bytes) -> None:
    value = signature().encode()
    answer = shared.operator.send(CLOCK, QUERY, b"{}", headers=[(b"host", host), (b"authorization", value)])
    # A client may sign the host without the port that it sends.
    assert answer.status == (200 if host == b"leasebook.test:8000" else 400)


def test_a_signature_may_be_sent_again_while_it_is_in_force(shared: ServiceHarness) -> None:
    value = signature()
    assert [send(shared, value).status for _ in range(3)] == [200] * 3


def test_the_body_is_not_signed_and_no_refused_signature_gets_it_read_as_a_request(shared: ServiceHarness) -> None:
    commits = shared.commits()
    for content in (b"[", b"{}", b"\xff"):
        answer = shared.operator.send(UNITS, "Action=PurchaseComputeUnit", content, headers=[HOST])
        assert answer.code == "SignatureEmpty"
    assert shared.commits() == commits


# --- in the query ----------------------------------------------------------------------------------------


def in_query(value: str, query: str = QUERY) -> str:
    return f"{query}&authorization={quote(value, safe='')}"


def test_the_signature_may_stand_in_the_query(shared: ServiceHarness) -> None:
    assert send(shared, query=in_query(signature())).status == 200
    assert send(shared, query=in_query(signature(secret_key="wrong"))).code == "SignatureDoesNotMatch"
    assert send(shared, query=in_query("x")).code == "InvalidHTTPAuthHeader"
    assert send(shared, query=f"{QUERY}&authorization=").code == "SignatureEmpty"


def test_two_signatures_are_refused_whatever_they_are(shared: ServiceHarness) -> None:
    good, bad = signature(), "bad"
    for first, second in ((good, good), (good, bad), (bad, good)):
        for answer in (send(shared, first, query=in_query(second)), send(shared, first, second)):
            assert (answer.status, answer.code) == (400, "InvalidHTTPAuthHeader")
            assert "more than one" in answer.body["message"]


# --- behind a proxy --------------------------------------------------------------------------------------

PREFIX = "/qianfan"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service that is published under a prefix."""
    with a_scene(tmp_path_factory.mktemp("behind"), environment={"LEASEBOOK_PATH_PREFIX": PREFIX}) as scene:
        yield scene


@pytest.mark.parametrize("arrives", [PREFIX + CLOCK, CLOCK], ids=["whole", "stripped by the proxy"])
@pytest.mark.parametrize("signed", [PREFIX + CLOCK, CLOCK], ids=["signed whole", "signed without"])
def test_under_a_prefix_every_client_is_understood(behind: ServiceHarness, arrives: str, signed: str) -> None:
    assert send(behind, signature(path=signed), path=arrives).status == 200


@pytest.mark.parametrize("signed", ["/other" + CLOCK, PREFIX + ACCOUNT, ACCOUNT, PREFIX + PREFIX + CLOCK])
@pytest.mark.parametrize("arrives", [PREFIX + CLOCK, CLOCK], ids=["whole", "stripped"])
def test_under_a_prefix_another_path_than_the_signed_one_is_refused(
    behind: ServiceHarness, arrives: str, signed: str
) -> None:
    assert send(behind, signature(path=signed), path=arrives).code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("path", ["/other" + CLOCK, PREFIX + PREFIX + CLOCK, PREFIX, PREFIX + "/", PREFIX[1:] + CLOCK])
def test_under_a_prefix_other_paths_are_not_found(behind: ServiceHarness, path: str) -> None:
    assert send(behind, path=path).code == "ResourceNotFound"


def test_without_a_prefix_nothing_else_is_signed_for_it(shared: ServiceHarness) -> None:
    assert send(shared, signature(path=PREFIX + CLOCK)).code == "SignatureDoesNotMatch"
    assert send(shared, signature(path=PREFIX + CLOCK), path=PREFIX + CLOCK).code == "ResourceNotFound"


# --- order of judgement ----------------------------------------------------------------------------------


def test_a_signature_is_judged_before_permission_and_permission_before_the_body(shared: ServiceHarness) -> None:
    nobody: Caller = shared.user(shared.customer())
    wrong = shared.caller({"accessKeyId": nobody.desk.access_key, "secretAccessKey": "wrong"})
    bodies: list[Any] = [order(), {}, []]
    for body in bodies:
        assert wrong.refused(UNITS, "PurchaseComputeUnit", body) == "SignatureDoesNotMatch"
        assert nobody.refused(UNITS, "PurchaseComputeUnit", body) == "AccessDenied"
