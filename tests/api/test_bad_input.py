"""Every field of every action with everything that can be wrong with it: a documented answer, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from zlib import crc32

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from tests.actions.office import QUOTA_MODEL, Office
from tests.actions.records import ANY_ACTION, body_of
from tests.api.bad_values import (
    ABSENT,
    KINDS,
    MAPS,
    FieldPlace,
    allowed,
    candidates,
    is_of,
    places,
    put,
    with_unknown_keys,
)
from tests.api.scene import a_scene
from tests.depth import few
from tests.log_stores import with_log_store

TOKENS = (*KINDS, "a b", "a\0b", "a" * 64, "a" * 64, "a" * 65)
"""Client tokens are the same everywhere; test_client_tokens.py tries everything else."""
EVERY: Final = few(12, 1)
"""In an ordinary run each field is tried with every twelfth value, another field with others."""
FIRST = {action.operation: action for action in reversed(ACTIONS)}
"""Each operation under the first of its names. Its other names take the same shape (tests/wire/test_openapi.py)."""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A service that gives everything away, so that money and stock refuse no purchase."""
    keys = {"LEASEBOOK_USER_ACCESS_KEYS_MAX": "1000", **with_log_store()}
    with a_scene(tmp_path_factory.mktemp("office"), environment=keys) as scene:
        scene.sell(minute="0", month="0", stock=1_000_000_000)
        scene.sell_quota(QUOTA_MODEL, minute="0", stock=1_000_000_000)
        yield Office(scene)


def shortened(value: Any) -> str:
    text = "absent" if value is ABSENT else repr(value)
    return text if len(text) < 60 else f"{text[:60]}… ({len(text)})"


class Trial:
    """Tries values in the place of one field after another, and collects the wrong answers."""

    def __init__(self, office: Office, action: Action) -> None:
        self.office = office
        self.action = action
        self.findings: list[str] = []
        self._renew()

    def _renew(self) -> None:
        self.body = body_of(self.action, self.office)
        self.commits = self.office.scene.commits()

    def field(self, place: FieldPlace) -> None:
        """Try everything in the place of a field, and leaving it out; under another name one value of each kind."""
        self._try(place, ABSENT, fine=not place.required)
        values = self._values(place)
        for value in values[crc32(f"{self.action.name} {place.name}".encode()) % min(EVERY, len(values)) :: EVERY]:
            self._try(place, value, fine=allowed(place.type, value))

    def _values(self, place: FieldPlace) -> Sequence[Any]:
        if FIRST[self.action.operation] is not self.action:
            return KINDS
        return TOKENS if place.name == "clientToken" else [*candidates(place.type)]

    def _try(self, place: FieldPlace, value: Any, *, fine: bool) -> None:
        where = f"{place.name} = {shortened(value)}"
        try:
            answer = self.office.caller.ask(self.action.path, self.action.name, put(self.body, place.path, value))
        except AssertionError as error:
            self.findings.append(f"{where}: {error}")
            return
        if answer.status == 200:
            if not fine:
                self.findings.append(f"{where}: was taken")
            elif not is_of(answer.result, self.action.result):
                self.findings.append(f"{where}: {answer.result}")
            if self.office.scene.commits() != self.commits:
                self._renew()
            return
        message = answer.body["message"]
        if answer.status >= 500 or len(message) > 1000:
            self.findings.append(f"{where}: {answer.status} {message[:200]}")
        if not fine and not (answer.code == "InappropriateJSON" and f"param[{place.name}" in message):
            self.findings.append(f"{where}: {answer.code} {message}")
        if answer.code == "InappropriateJSON" and "param[" not in message:
            self.findings.append(f"{where}: no field is named: {message}")
        if self._changes(place, value):
            self.findings.append(f"{where}: {answer.code}, and something changed")
            self._renew()

    def _changes(self, place: FieldPlace, value: Any) -> bool:
        """Whether a refused call changes something. Where something did, it is asked again.

        A deletion before it may have left work that the service does by itself in the meantime.
        """
        for _ in range(3):
            if self.office.scene.commits() == self.commits:
                return False
            self.commits = self.office.scene.commits()
            self.office.caller.ask(self.action.path, self.action.name, put(self.body, place.path, value))
        return self.office.scene.commits() != self.commits


@ANY_ACTION
def test_keys_that_nobody_knows_are_passed_over_as_the_cloud_does_or_refused_where_the_action_is_ours(
    office: Office, action: Action
) -> None:
    body = with_unknown_keys(body_of(action, office))
    # No document says how a replica is run, so that block is ours in every request.
    passed_over = action.is_documented and "run" not in body
    before = None if passed_over else office.scene.rows()
    answer = office.caller.ask(action.path, action.name, body)
    if passed_over:
        assert is_of(answer.result, action.result)
        ignored = answer.headers["x-leasebook-ignored"].split(", ")
        assert {"unknown", "client_token", "__class__"} <= set(ignored)
        inner = [name for name, value in body.items() if isinstance(value, dict) and name not in (*MAPS, "unknown")]
        assert {f"{name}.unknown" for name in inner} <= set(ignored)
    else:
        assert answer.code == "InappropriateJSON"
        assert office.scene.rows() == before


@ANY_ACTION
def test_parameters_that_nobody_knows_are_passed_over_or_refused_like_keys(office: Office, action: Action) -> None:
    body = body_of(action, office)
    before = None if action.is_documented else office.scene.rows()
    answer = office.caller.ask(action.path, action.name, body, query="&ClientToken=twice")
    if action.is_documented:
        assert is_of(answer.result, action.result)
        assert answer.headers["x-leasebook-ignored"] == "?ClientToken"
    else:
        assert answer.code == "InappropriateJSON"
        assert "Did you mean 'clientToken'?" in answer.body["message"]
        assert office.scene.rows() == before


@ANY_ACTION
def test_a_body_with_every_field_is_answered_well(office: Office, action: Action) -> None:
    body = body_of(action, office)
    assert is_of(office.caller.do(action.path, action.name, body), action.result)
    given = {place.path[0] for place in places(action.request) if place.path[0] in body}
    assert given == set(body)
    left_out = {place.name for place in places(action.request) if place.path[0] not in body}
    # A rule is no schedule, quota has no region, a quote is for one purchase only, and a webhook has no mail address.
    rule = {"instanceType", "autoRenewTimeUnit", "autoRenewTime"}
    # An account that is closed has a balance or a debt, or neither.
    settled = {"payOut", "writeOff"}
    # A quote is for a renewal, for a resize or for another way to pay.
    other = {"count", "paymentTiming", "reservation"} if action.operation == "quote_change" else set()
    # A subscription is over accounts or for projects.
    other |= {"projectIds"} if action.operation == "create_subscription" else set()
    allowed = {"clientToken", "address", "marker", "model", "quoteId", "accessKeyId", *rule, *settled, *other}
    assert {name for name in left_out if name.partition(".")[0] not in allowed} == set()


def test_every_required_field_that_is_missing_is_named(office: Office) -> None:
    findings, before = [], office.scene.rows()
    for action in ACTIONS:
        required = [place for place in places(action.request) if place.required and len(place.path) == 1]
        if required:
            answer = office.caller.ask(action.path, action.name, {})
            named = any(f"param[{place.name}]" in answer.body.get("message", "") for place in required)
            if answer.status == 200 or answer.code != "InappropriateJSON" or not named:
                findings.append(f"{action.path} {action.name} with nothing: {answer.status} {answer.body}")
    assert not findings, "\n" + "\n".join(findings)
    # None of them changed anything.
    assert office.scene.rows() == before


# Last, because it buys and makes thousands of things, and the tests above read all rows of the store.
@ANY_ACTION
def test_whatever_is_in_a_field_the_answer_is_documented_and_a_refusal_changes_nothing(
    office: Office, action: Action
) -> None:
    trial = Trial(office, action)
    for place in places(action.request):
        trial.field(place)
    assert not trial.findings, "\n" + "\n".join(trial.findings)
