"""Calls without a network: bodies, answers, which of them are sent again, and lines of events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from leasebook.client import ErrorAnswer, LeasebookError, NaiveTimeError, NoAnswer, Retries, UnexpectedAnswer
from leasebook.client.caller import Keys, error_of, pause_before_next, result_of, signed
from leasebook.client.codes import InstanceNotFound
from leasebook.client.following import EventLines, followed
from leasebook.client.methods.event import FOLLOW_EVENTS
from leasebook.client.methods.instance import DESCRIBE_UNIT, PURCHASE_UNITS, RELEASE_UNIT
from leasebook.client.methods.term import RENEW_UNIT
from leasebook.client.shapes.instance import Billing
from leasebook.client.transport import with_token
from leasebook.client.waiting import pauses

NAIVE = datetime(2027, 1, 1)  # noqa: DTZ001
MOST = Retries(tries=3, within_s=20)


def lost(*, done: bool) -> NoAnswer:
    return NoAnswer("cut", may_be_done=done)


def said(code: str, after: str | None = None) -> ErrorAnswer:
    return error_of(code, "", status=503, request_id="", retry_after=after)


@pytest.mark.parametrize(
    "given",
    [
        {"billing": Billing(payment_timing="Postpaid", release_time=NAIVE)},
        {"billing": {"releaseTime": NAIVE}},
        {"billing": [NAIVE]},
    ],
)
def test_a_time_without_a_zone_is_refused_wherever_it_is(given: dict[str, Any]) -> None:
    with pytest.raises(NaiveTimeError, match=r"billing.* is a time without a time zone"):
        PURCHASE_UNITS.body(given)


def test_a_time_with_a_zone_is_sent_as_rfc_3339() -> None:
    body = PURCHASE_UNITS.body(
        {"billing": Billing(payment_timing="Postpaid", release_time=datetime(2027, 1, 1, tzinfo=UTC))}
    )
    assert msgspec.json.decode(body) == {
        "billing": {"paymentTiming": "Postpaid", "releaseTime": "2027-01-01T00:00:00Z"}
    }


def test_a_wrong_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match="Do you mean instance_id"):
        DESCRIBE_UNIT.body({"instanceid": "unit-1"})
    with pytest.raises(TypeError, match="It takes "):
        DESCRIBE_UNIT.body({"zzzz": "unit-1"})


def test_a_write_gets_a_client_token_of_its_own_and_keeps_one_that_is_given() -> None:
    first, second = with_token(RELEASE_UNIT, {}), with_token(RELEASE_UNIT, {})
    assert first["client_token"] != second["client_token"]
    assert with_token(RELEASE_UNIT, {"client_token": "mine"})["client_token"] == "mine"
    assert with_token(DESCRIBE_UNIT, {}) == {}


def test_each_try_is_signed_with_a_nonce_of_its_own() -> None:
    keys = Keys("https://Example.test:8443/base/", "AK", "hidden")
    one, two = (signed(keys, DESCRIBE_UNIT, b"{}") for _ in range(2))
    assert one.url == "https://Example.test:8443/base/v2/computeunit?Action=DescribeComputeUnit"
    assert one.headers["x-bce-nonce"] != two.headers["x-bce-nonce"]
    assert one.headers["x-bce-content-sha256"] == two.headers["x-bce-content-sha256"]
    assert "hidden" not in repr(keys)


ANSWERS: list[tuple[int, dict[str, str], bytes, type[Exception], str]] = [
    (404, {}, b'{"requestId":"r","code":"InstanceNotFound","message":"none"}', InstanceNotFound, r"none \[request r\]"),
    (418, {}, b'{"requestId":"r","code":"New","message":"m"}', ErrorAnswer, "New: m"),
    (400, {"x-bce-error-code": "MalformedJSON"}, b"{}", ErrorAnswer, "MalformedJSON"),
    (400, {}, b'{"error_code":336001,"error_msg":"no"}', ErrorAnswer, "336001: no"),
    (502, {}, b"<html>", UnexpectedAnswer, "status 502 in a form"),
    (200, {}, b"{}", UnexpectedAnswer, "neither a result nor a code"),
    (200, {}, b'{"requestId":"r","result":{"x":1}}', UnexpectedAnswer, "computeUnitInstance"),
    (500, {}, b'{"requestId":"r","result":{}}', UnexpectedAnswer, "neither"),
]


@pytest.mark.parametrize(("status", "headers", "body", "kind", "text"), ANSWERS)
def test_an_answer_that_is_no_result_raises(
    status: int, headers: dict[str, str], body: bytes, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text) as raised:
        result_of(DESCRIBE_UNIT, status, headers, body)
    assert isinstance(raised.value, LeasebookError)


def test_keys_that_the_client_does_not_know_are_ignored() -> None:
    assert result_of(RELEASE_UNIT, 200, {}, b'{"requestId":"r","more":1,"result":true}') is True


RETRIED: list[tuple[Any, bool, LeasebookError, bool]] = [
    (DESCRIBE_UNIT, False, lost(done=True), True),
    (DESCRIBE_UNIT, False, said("OutcomeUnknown"), True),
    (DESCRIBE_UNIT, False, said("TooManyRequests"), True),
    (DESCRIBE_UNIT, False, said("InstanceNotFound"), False),
    (DESCRIBE_UNIT, False, UnexpectedAnswer("", status=200, body=""), False),
    (PURCHASE_UNITS, True, lost(done=True), True),
    (PURCHASE_UNITS, True, said("OutcomeUnknown"), True),
    (PURCHASE_UNITS, False, lost(done=True), False),
    (PURCHASE_UNITS, False, said("OutcomeUnknown"), False),
    (PURCHASE_UNITS, False, lost(done=False), True),
    (PURCHASE_UNITS, False, said("StoreUnavailable"), True),
    (PURCHASE_UNITS, True, said("InsufficientStock"), False),
    (RENEW_UNIT, True, said("InternalError"), False),
]


@pytest.mark.parametrize(("operation", "has_token", "error", "again"), RETRIED)
def test_a_call_is_sent_again_where_that_is_safe(
    *, operation: Any, has_token: bool, error: LeasebookError, again: bool
) -> None:
    pause = pause_before_next(MOST, operation, has_token=has_token, failed=1, spent_s=0, error=error, dice=0.5)
    assert (pause is not None) == again


def test_pauses_double_differ_and_end() -> None:
    def pause(failed: int, dice: float, spent_s: float = 0.0, error: LeasebookError | None = None) -> float | None:
        problem = error or lost(done=False)
        return pause_before_next(
            MOST, DESCRIBE_UNIT, has_token=False, failed=failed, spent_s=spent_s, error=problem, dice=dice
        )

    assert [pause(1, 0), pause(1, 1), pause(2, 1)] == [0.1, 0.2, 0.4]
    assert pause(3, 0) is None, "three tries are allowed"
    assert pause(1, 0, spent_s=19.95) is None, "it would come too late"
    assert pause(1, 0, error=said("TooManyRequests", "7")) == 7.0
    assert pause(1, 0, spent_s=14, error=said("TooManyRequests", "7")) is None


def test_waiters_look_often_at_first_and_stop_in_time() -> None:
    clock, found = [0.0], []
    for pause in pauses(60, lambda: clock[0]):
        found.append(pause)
        # Each look takes a second of the time, too.
        clock[0] += pause + 1
    assert found[:3] == pytest.approx([0.1, 0.15, 0.225])
    assert max(found) == 5.0
    assert found[-1] == 0.0, "a last look"
    assert 60 <= clock[0] <= 62


def test_events_are_read_line_by_line_and_followed_from_the_last() -> None:
    lines = EventLines(FOLLOW_EVENTS)
    event = '{"specversion":"1.0","id":"7-0","source":"/","type":"unit.released","time":"2027-01-01T00:00:00Z",'
    rest = '"datacontenttype":"application/json","data":{}}'
    assert [lines.take(line) for line in (": alive", "", "id: 7-0", f"data: {event}", f"data: {rest}")] == [None] * 5
    found = lines.take("")
    assert found is not None
    assert (found[0], found[1].type) == ("7-0", "unit.released")
    assert followed({"types": ["unit.*"]}, "7-0") == {"types": ["unit.*"], "after": "7-0"}
