"""The errors: each code and number once and for ever, none that a client takes for something else, none unmapped."""

from __future__ import annotations

import re

import pytest

from leasebook.api.fault import HINTS, REFUSALS, SIGNATURES, Fault, bad_field, refused
from leasebook.contract import errors as e
from leasebook.contract.action import ALWAYS, WRITES
from leasebook.contract.actions import ACTIONS
from leasebook.contract.errors import ERRORS, ErrorCode
from leasebook.contract.signing import SignatureFault
from leasebook.domain.values import refusal as r

RETRIED = frozenset({18, 336100, 336502, 500000})
"""Numbers on which one of the official clients sends the request again."""
RETRIED_STATUSES = frozenset({429, 503})
"""Statuses on which the Java client sends the request again: nothing may have been done."""
FOR_EVER = {
    "InappropriateJSON": (400, 710001),
    "MalformedJSON": (400, 710002),
    "InvalidHTTPRequest": (400, 710003),
    "InvalidMarker": (400, 710004),
    "InvalidHTTPAuthHeader": (400, 710011),
    "SignatureDoesNotMatch": (400, 710012),
    "RequestExpired": (400, 710013),
    "SignatureEmpty": (400, 710014),
    "InvalidAccessKeyId": (403, 710015),
    "AccessDenied": (403, 710016),
    "IdempotentParameterMismatch": (403, 710017),
    "InternalError": (500, 710099),
    "InsufficientStock": (409, 720001),
    "InsufficientBalance": (402, 720002),
    "QuotaExceeded": (403, 720003),
    "InstanceNotFound": (404, 720004),
    "ServiceNotFound": (404, 720005),
    "OperationNotSupported": (409, 720006),
    "InvalidState": (409, 720007),
    "ResourceNotFound": (404, 720008),
    "Overloaded": (503, 720009),
    "EntityTooLarge": (413, 720010),
    "StoreUnavailable": (503, 720011),
    "TooManyRequests": (429, 720016),
    "RowsLocked": (503, 720017),
    "OutcomeUnknown": (503, 720022),
    "InvalidServiceKey": (401, 720101),
    "NoCapacity": (503, 720102),
    "TooManyCalls": (429, 720103),
    "ReplicaFailed": (502, 720104),
    "ReplicaTimeout": (504, 720105),
    "HeadersTooLarge": (431, 720106),
    "UpgradeNotSupported": (501, 720107),
}
"""Append only."""


def test_no_error_ever_changes() -> None:
    found = {error.code: (error.status, error.number) for error in ERRORS}
    assert {code: found.get(code) for code in FOR_EVER} == FOR_EVER


def test_every_code_and_every_number_stands_for_one_error() -> None:
    assert len({error.code for error in ERRORS}) == len(ERRORS)
    assert len({error.number for error in ERRORS}) == len(ERRORS)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.code)
def test_every_client_takes_it_for_an_error_and_none_tries_again_by_its_number(error: ErrorCode) -> None:
    assert error.number not in RETRIED
    # The Go client decodes it as a number that is not zero.
    assert type(error.number) is int
    assert 0 < error.number < 2**31
    assert 400 <= error.status < 600
    assert re.fullmatch(r"[A-Z][A-Za-z]+", error.code)
    assert error.meaning.endswith(".")


def test_where_a_client_tries_again_by_the_status_nothing_was_done_or_its_token_keeps_it_from_doing_it_twice() -> None:
    retried = {error for error in ERRORS if error.status in RETRIED_STATUSES}
    # Only calls with a client token are answered that (tests/api/test_under_load.py).
    retried.remove(e.OUTCOME_UNKNOWN)
    assert retried == {
        e.OVERLOADED,
        e.STORE_UNAVAILABLE,
        e.ROWS_LOCKED,
        e.TOO_MANY_REQUESTS,
        e.NO_CAPACITY,
        e.TOO_MANY_CALLS,
        e.TOO_MANY_SOCKETS,
        e.TOO_MANY_STREAMS,
        e.LOG_STORE_UNREACHABLE,
    }


def test_errors_of_our_own_have_numbers_of_our_own() -> None:
    documented = ERRORS.index(e.INTERNAL_ERROR) + 1
    assert all(710_000 < error.number < 720_000 for error in ERRORS[:documented])
    assert all(720_000 < error.number < 730_000 for error in ERRORS[documented:])


def test_every_error_can_be_answered_by_some_action_but_for_the_quota_that_nobody_has_yet() -> None:
    answered = {error for action in ACTIONS for error in action.all_errors} | set(ALWAYS) | set(WRITES)
    assert not answered & set(e.GATEWAY)
    answered |= set(e.GATEWAY) | set(e.BEFORE_ACTIONS)
    assert set(ERRORS) - answered <= {e.QUOTA_EXCEEDED}


# --- what the rules refuse -------------------------------------------------------------------------------


def test_every_reason_to_refuse_has_a_public_error() -> None:
    assert set(REFUSALS) == set(r.REASONS)
    assert set(REFUSALS.values()) <= set(ERRORS)
    assert len(set(REFUSALS.values())) == len(REFUSALS)


def test_a_reason_is_listed_once() -> None:
    assert len(set(r.REASONS)) == len(r.REASONS)
    constants = {value for name, value in vars(r).items() if name.isupper() and isinstance(value, str)}
    assert constants == set(r.REASONS)


def test_a_client_token_keeps_refusals_that_were_decided_and_no_others() -> None:
    assert frozenset({r.STOCK, r.BALANCE, r.QUOTA, r.WRONG_STATE}) <= r.REMEMBERED
    assert not r.REMEMBERED & {r.BAD_VALUE, r.DENIED, r.TOKEN_MISMATCH}


@pytest.mark.parametrize("reason", r.REASONS)
def test_a_refusal_is_shown_with_its_message_and_the_field_at_fault(reason: str) -> None:
    plain = refused(r.Refusal(reason, "It is so."))
    assert (plain.error, plain.message) == (REFUSALS[reason], "It is so.")
    named = refused(r.Refusal(reason, "It is so.", field="billing.releaseTime"))
    assert named.message == "It is so. param[billing.releaseTime]"


def test_a_bad_value_is_inappropriate_json_and_names_its_field() -> None:
    fault = bad_field("billing.paymentTiming", "It is neither.")
    assert isinstance(fault, Fault)
    assert (fault.error, fault.message) == (e.INAPPROPRIATE_JSON, "It is neither. param[billing.paymentTiming]")


# --- signatures ------------------------------------------------------------------------------------------


def test_everything_that_can_be_wrong_with_a_signature_has_a_public_error() -> None:
    assert set(SIGNATURES) == set(SignatureFault)
    assert set(SIGNATURES.values()) <= set(ALWAYS)


def test_the_texts_that_the_python_client_recognises_are_these_two() -> None:
    assert HINTS == {
        e.INVALID_ACCESS_KEY_ID: "NotFound, cause: Could not find credential.",
        e.SIGNATURE_DOES_NOT_MATCH: "SignatureDoesNotMatch, cause: Fail to authn user: Signature does not match",
    }


def test_every_action_may_find_the_store_away() -> None:
    assert [action.name for action in ACTIONS if e.STORE_UNAVAILABLE not in action.all_errors] == []
