"""Answers and errors as all four official clients need them, whatever is sent."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.errors import ERRORS
from leasebook.contract.signing import sign
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CLOCK,
    IAM,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    a_scene,
    check_envelope,
    exchange,
    new_service,
    order,
)
from tests.harness import Answer

RETRIED = {0, 18, 336100, 336502, 500000}
"""Numbers on which an official client sends a request again, or takes it for a success."""
ANY_ACTION = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.path}-{action.name}")


def authorization(caller: Caller, path: str, query: str, method: str = "POST") -> list[tuple[bytes, bytes]]:
    value = sign(
        access_key=caller.desk.access_key,
        secret_key=caller.desk.secret_key,
        method=method,
        path=path,
        query=query,
        headers={"host": "leasebook.test"},
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        signed_headers=("host",),
    )
    return [(b"host", b"leasebook.test"), (b"authorization", value.encode())]


# --- the forms of answers --------------------------------------------------------------------------------


def test_a_success_is_200_json_with_the_request_id_and_the_result_and_no_other_key(shared: ServiceHarness) -> None:
    answer = shared.operator.ask(CLOCK, "DescribeClock")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert set(answer.headers) == {"content-type", "content-length", "x-bce-request-id"}
    assert set(answer.body) == {"requestId", "result"}


def test_every_request_has_an_id_of_its_own(shared: ServiceHarness) -> None:
    ids = {shared.operator.ask(CLOCK, "DescribeClock").body["requestId"] for _ in range(20)}
    assert len(ids) == 20


def test_an_error_is_seen_by_every_client(shared: ServiceHarness) -> None:
    answer = shared.operator.ask(UNITS, "DescribeComputeUnit", {"instanceId": "unit-nowhere0"})
    assert answer.status == 404
    assert answer.body == {
        "requestId": answer.headers["x-bce-request-id"],
        "code": "InstanceNotFound",
        "message": answer.body["error_msg"],
        "error_code": 720004,
        "error_msg": answer.body["message"],
        "log_id": answer.body["requestId"],
    }
    assert "unit-nowhere0" in answer.body["message"]


def test_no_error_has_a_number_on_which_a_client_tries_again() -> None:
    assert not RETRIED & {error.number for error in ERRORS}
    assert all(error.status >= 400 for error in ERRORS)


def test_text_of_every_script_comes_back_as_it_was_given(shared: ServiceHarness) -> None:
    caller = shared.customer()
    name, description = "翻译 \u202eאב👩‍👩‍👧 é", "<b>'\"; DROP TABLE units; -- %s {0} \\ \x01\x1f\x7f\u2028 \U0010ffff"
    made = caller.do(SERVICE, "CreateService", {**new_service(), "name": name, "description": description})
    shown = caller.service(made["serviceId"])
    assert (shown["name"], shown["description"]) == (name, description)
    found = caller.do(SERVICE, "DescribeServices", {"name": name[3:8]})["serviceList"]
    assert [one["serviceId"] for one in found] == [made["serviceId"]]


# --- where there is nothing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v2/computeunit/",
        "//v2/computeunit",
        "/v2//computeunit",
        "/v2/computeunit//",
        "v2/computeunit",
        "/v2/./computeunit",
        "/v2/x/../computeunit",
        "/V2/computeunit",
        "/v2/ComputeUnit",
        "/v2/computeunit%20",
        "/v2/%63omputeunit",
        "/v2",
        "/",
        "",
        "/v2/computeunit\x00",
        "/v2/é",
        "/" + "x" * 100_000,
        "/healthz",
        "/readyz/",
        "*",
    ],
)
def test_another_path_is_not_found_and_never_a_redirect(shared: ServiceHarness, path: str) -> None:
    for method in ("POST", "GET"):
        if (method, path) == ("GET", "/healthz"):
            continue
        answer = shared.operator.send(path, "Action=DescribeComputeUnits", b"{}", method=method, headers=[])
        check_envelope(answer)
        assert (answer.status, answer.code) == (404, "ResourceNotFound")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Action",
        "Action=",
        "Action=describecomputeunits",
        "Action=Describe%20ComputeUnits",
        "action=DescribeComputeUnits",
        "Action=DescribeComputeUnits%00",
        "Action=TopUpAccount",
        "Action=" + "x" * 100_000,
        "=DescribeComputeUnits",
        "Action=%FF%FE",
        "&&&",
        "Action=é",
        "Action[]=DescribeComputeUnits",
        "Action=;DescribeComputeUnits",
    ],
)
def test_another_action_is_not_found(shared: ServiceHarness, query: str) -> None:
    answer = shared.operator.send(UNITS, query, b"{}", headers=[])
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert len(answer.body["message"]) < 500


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "post", "BREW"])
def test_actions_are_called_with_post_only(shared: ServiceHarness, method: str) -> None:
    answer = shared.operator.send(UNITS, "Action=DescribeComputeUnits", b"", method=method, headers=[])
    assert (answer.status, answer.code) == (400, "InvalidHTTPRequest")
    assert "POST" in answer.body["message"]


def test_of_two_actions_in_a_query_none_is_done(shared: ServiceHarness) -> None:
    caller = shared.customer()
    commits = shared.commits()
    for query in (
        "Action=PurchaseComputeUnit&Action=DescribeComputeUnits",
        "Action=DescribeComputeUnits&Action=PurchaseComputeUnit",
        "Action=PurchaseComputeUnit&%41ction=PurchaseComputeUnit",
        "Action=PurchaseComputeUnit&Action=PurchaseComputeUnit",
    ):
        for signed in ("Action=PurchaseComputeUnit", "Action=DescribeComputeUnits"):
            headers = authorization(caller, UNITS, signed)
            answer = caller.send(UNITS, query, json.dumps(order()).encode(), headers=headers)
            assert answer.code == "SignatureDoesNotMatch"
    assert shared.commits() == commits


# --- bodies ----------------------------------------------------------------------------------------------


def test_an_empty_body_counts_as_an_empty_object(shared: ServiceHarness) -> None:
    caller = shared.customer()
    for content in (b"", b"{}", b" {} ", b"\n{\t}\r\n"):
        assert caller.send(ACCOUNT, "Action=DescribeAccount", content).status == 200
        answer = caller.send(UNITS, "Action=DescribeComputeUnit", content)
        assert "param[instanceId]" in answer.body["message"]


MALFORMED = {
    "text": b"instanceId=unit-xxx",
    "cut off": b'{"instanceId": "unit-',
    "cut off after the value": b'{"instanceId": "unit-xxx"',
    "spaces only": b"   ",
    "a comma too many": b'{"instanceId": "unit-xxx",}',
    "single quotes": b"{'instanceId': 'unit-xxx'}",
    "a key without quotes": b'{instanceId: "unit-xxx"}',
    "two objects": b'{"instanceId": "unit-xxx"}{}',
    "something after it": b'{"instanceId": "unit-xxx"} x',
    "a comment": b'{"instanceId": "unit-xxx" /* the one */}',
    "not UTF-8": b'{"instanceId": "\xff\xfe"}',
    "an overlong encoding": b'{"instanceId": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"instanceId": "\xed\xa0\x80"}',
    "UTF-16": '{"instanceId": "unit-xxx"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"instanceId": "unit-xxx"}',
    "a lone surrogate": b'{"instanceId": "\\ud800"}',
    "a surrogate the wrong way round": b'{"instanceId": "\\udc00\\ud800"}',
    "a bare control character": b'{"instanceId": "a\nb"}',
    "a bad escape": b'{"instanceId": "\\x41"}',
    "half an escape": b'{"instanceId": "\\u12"}',
    "NUL": b"\x00",
    "NUL at the end": b'{"instanceId": "unit-xxx"}\x00',
    "nested arrays": b"[" * 100_000,
    "closed nested arrays in an unknown key": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested objects": b'{"x":' * 100_000,
    "nested where a text is": b'{"instanceId":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_body_that_is_not_json_is_malformed(shared: ServiceHarness, name: str) -> None:
    began = time.perf_counter()
    answer = shared.operator.send(UNITS, "Action=DescribeComputeUnit", MALFORMED[name])
    assert (answer.status, answer.code) in {(400, "MalformedJSON"), (400, "InappropriateJSON")}
    if "nested" not in name:
        assert answer.code == "MalformedJSON"
    assert len(answer.body["message"]) < 500
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "nan", "1e", "01", "+1", ".5", "0x1", "1_000"])
@pytest.mark.parametrize("field", ["amount", "unknown"])
def test_numbers_that_are_none_in_json_are_malformed(shared: ServiceHarness, field: str, literal: str) -> None:
    content = f'{{"{field}": {literal}}}'.encode()
    answer = shared.operator.send(ACCOUNT, "Action=TopUpAccount", content)
    assert (answer.status, answer.code) == (400, "MalformedJSON")


HUGE = ["9" * 1_000_000, "1e999999", "-1e999999", "1e-999999", "1" + "0" * 400, "1e400", "0." + "1" * 1_000_000]
NUMBERS: dict[tuple[str, str], str] = {
    (UNITS, "PurchaseComputeUnit"): '{{"computeUnitCount": {}}}',
    (SERVICE, "CreateService"): '{{"resourceConfig": {{"type": "GPU-1-1", "qps": {}}}}}',
    (ACCOUNT, "TopUpAccount"): '{{"amount": {}}}',
    (CATALOG, "SetOffering"): '{{"region": "bj", "type": "gpu-1", "stockTotal": {}}}',
    (SERVICE, "DescribeServices"): '{{"maxKeys": {}}}',
}


@pytest.mark.parametrize("number", HUGE, ids=lambda number: number[:8])
@pytest.mark.parametrize(("path", "action"), NUMBERS)
def test_huge_numbers_are_answered_fast(shared: ServiceHarness, path: str, action: str, number: str) -> None:
    commits = shared.commits()
    began = time.perf_counter()
    answer = shared.operator.send(path, f"Action={action}", NUMBERS[path, action].format(number).encode())
    assert time.perf_counter() - began < 2
    assert (answer.status, answer.code) in {(400, "InappropriateJSON"), (400, "MalformedJSON")}
    assert len(answer.body["message"]) < 500
    assert shared.commits() == commits


@pytest.mark.parametrize("number", HUGE, ids=lambda number: number[:8])
def test_huge_numbers_under_unknown_keys_are_ignored_or_malformed_fast(shared: ServiceHarness, number: str) -> None:
    began = time.perf_counter()
    answer = shared.operator.send(UNITS, "Action=DescribeComputeUnits", f'{{"unknown": {number}}}'.encode())
    assert time.perf_counter() - began < 2
    assert answer.status == 200 or answer.code == "MalformedJSON"


def test_of_a_key_that_stands_twice_the_last_counts_or_the_body_is_refused(shared: ServiceHarness) -> None:
    caller = shared.customer()
    unit = caller.buy()
    twice = f'{{"instanceId": "unit-nowhere0", "instanceId": "{unit}"}}'
    answer = caller.send(UNITS, "Action=DescribeComputeUnit", twice.encode())
    assert answer.result["computeUnitInstance"]["instanceId"] == unit
    escaped = f'{{"instanceId": "unit-nowhere0", "instanc\\u0065Id": "{unit}"}}'
    assert caller.send(UNITS, "Action=DescribeComputeUnit", escaped.encode()).status in (200, 404)


@ANY_ACTION
def test_a_body_that_is_no_object_is_inappropriate(shared: ServiceHarness, action: Action) -> None:
    bodies: tuple[Any, ...] = ([], "x", 5, 5.5, True, [{}])
    codes = {repr(body): shared.operator.refused(action.path, action.name, body) for body in bodies}
    codes["null"] = shared.operator.send(action.path, f"Action={action.name}", b"null").code
    assert codes == dict.fromkeys(codes, "InappropriateJSON")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/json; charset=UTF-8", "multipart/form-data"])
def test_the_content_type_of_a_request_does_not_matter(shared: ServiceHarness, content_type: str | None) -> None:
    headers = authorization(shared.operator, CLOCK, "Action=DescribeClock")
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    assert shared.operator.send(CLOCK, "Action=DescribeClock", b"{}", headers=headers).status == 200


# --- the limit -------------------------------------------------------------------------------------------

LIMIT = {"LEASEBOOK_SERVER_BODY_MAX_BYTES": "1024"}


def chunks(*pieces: bytes) -> list[dict[str, Any]]:
    last = len(pieces) - 1
    return [{"type": "http.request", "body": piece, "more_body": index < last} for index, piece in enumerate(pieces)]


def exchanged(
    scene: ServiceHarness, messages: list[dict[str, Any]], *more: tuple[bytes, bytes], action: str = "DescribeAccount"
) -> Answer:
    query = f"Action={action}"
    headers = [*authorization(scene.operator, ACCOUNT, query), *more]
    answer = scene.runner.run(exchange(scene, ACCOUNT, query, headers, messages))
    check_envelope(answer)
    return answer


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service that takes bodies of up to 1024 bytes."""
    with a_scene(tmp_path_factory.mktemp("limited"), environment=LIMIT) as scene:
        yield scene


@pytest.mark.parametrize("length", [b"1025", b"999999999999", b"9" * 5000])
def test_a_body_whose_length_is_beyond_the_limit_is_refused_before_it_is_read(
    limited: ServiceHarness, length: bytes
) -> None:
    answer = exchanged(limited, [], (b"content-length", length))
    assert (answer.status, answer.code) == (413, "EntityTooLarge")
    assert "at most 1024 are taken" in answer.body["message"]
    assert len(answer.body["message"]) < 500


@pytest.mark.parametrize(
    "messages",
    [
        chunks(b" " * 1024, b"{"),
        chunks(b" " * 600, b" " * 600, b" " * 600),
        chunks(b" " * 1025),
        chunks(b" " * 1_000_000, b"{}"),
        chunks(b" " * 1023, b"{}"),
    ],
    ids=lambda messages: "+".join(str(len(message["body"])) for message in messages),
)
def test_a_body_that_grows_beyond_the_limit_is_refused(limited: ServiceHarness, messages: list[dict[str, Any]]) -> None:
    answer = exchanged(limited, messages)
    assert (answer.status, answer.code) == (413, "EntityTooLarge")
    assert "at most 1024 are taken" in answer.body["message"]


@pytest.mark.parametrize("pieces", [1, 2, 1022, 1024])
def test_a_body_of_the_limit_is_taken_in_however_many_pieces(limited: ServiceHarness, pieces: int) -> None:
    body = b" " * 1022 + b"{}"
    step = -(-len(body) // pieces)
    messages = chunks(*(body[start : start + step] for start in range(0, len(body), step)))
    assert exchanged(limited, messages).status == 200
    assert exchanged(limited, messages, (b"content-length", b"1024")).status == 200


def test_a_request_whose_sender_is_gone_before_its_body_is_not_done(limited: ServiceHarness) -> None:
    user = {"userId": limited.operator.do(IAM, "CreateUser", {"name": "somebody"})["userId"]}
    commits = limited.commits()
    gone: dict[str, Any] = {"type": "http.disconnect"}
    begun: dict[str, Any] = {"type": "http.request", "body": b"", "more_body": True}
    for messages in ([gone], [begun, gone], [{**begun, "body": b'{"name": "x"}'}, gone]):
        query = "Action=CreateUser"
        headers = authorization(limited.operator, IAM, query)
        answer = limited.runner.run(exchange(limited, IAM, query, headers, messages))
        assert (answer.status, answer.code) == (400, "InvalidHTTPRequest")
    assert limited.commits() == commits
    assert user["userId"] in {one["userId"] for one in limited.operator.do(IAM, "DescribeUsers")["users"]}
