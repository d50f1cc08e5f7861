"""Markers that no page ended with, though their check is right: anybody can work it out, so it is passed over here."""

from __future__ import annotations

import base64
from typing import Final

import pytest

from leasebook.api import paging
from leasebook.contract.actions import ACTIONS
from tests.actions.office import QUOTA_MODEL, Office
from tests.actions.records import body_of
from tests.api.bad_values import places
from tests.api.scene import ServiceHarness

CHECK: Final = b"same"
LISTS: Final = [one for one in ACTIONS if any(place.name == "marker" for place in places(one.request))]
PLACES: Final = (
    *(b'"x"', b"null", b"{}", b"[]", b"true", b"1.5", b"1e400", b"[1e400]", b"[", b"\xff", b'"\\ud800"', b"-1"),
    *(b"9" * 25, b"[" + b"9" * 25 + b"]", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809"),
    *(b'["a",1]', b'["a","b"]', b"[null]", b"[{}]", b'[1,"a\\u0000"]', b'[1,1,"a\\u0000"]', b'"a\\u0000"', b"[1,2]"),
    *(b"[9223372036854775807,9223372036854775807]", b'[9223372036854775807,9223372036854775807,"x"]', b"[1,2,3,4]"),
    *(b"[-1,-1]", b'[-1,-1,""]', b'[1,""]', b'["x","y",1]', b'["x","y","z"]', b'[1,"y","z"]', b"[" * 180),
)
IN_NO_LIST: Final = (
    b"null",
    b"{}",
    b"true",
    b"1.5",
    b"1e400",
    b"[1e400]",
    b"[",
    b"\xff",
    b"[null]",
    b"[{}]",
    b"9" * 25,
)


@pytest.fixture(scope="module")
def office(either_shared: ServiceHarness) -> Office:
    """A service that gives everything away, on either store."""
    either_shared.sell(minute="0", month="0", stock=1_000_000_000)
    either_shared.sell_quota(QUOTA_MODEL, minute="0", stock=1_000_000_000)
    return Office(either_shared)


@pytest.mark.both_stores
def test_a_forged_marker_is_refused_or_leads_into_the_list_and_never_fails(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "_check", lambda packed, scope: CHECK)  # noqa: ARG005
    findings: list[str] = []
    for action in LISTS:
        body = {name: value for name, value in body_of(action, office).items() if name != "instanceId"}
        for packed in PLACES:
            marker = base64.urlsafe_b64encode(packed + CHECK).decode().rstrip("=")
            answer = office.caller.ask(action.path, action.name, {**body, "marker": marker})
            if answer.status == 200 and packed not in IN_NO_LIST:
                continue
            if answer.status == 200 or answer.code not in ("InvalidMarker", "InappropriateJSON"):
                findings.append(f"{action.name} {packed[:40]!r}: {answer.status} {answer.body.get('code')}")
    assert not findings, "\n".join(findings)
