"""A NUL in any text of any request, on either store: PostgreSQL takes none in a parameter."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec import inspect as mi

from leasebook.api.handlers.service.models import SET_PREFIX
from leasebook.contract.actions import ACTIONS
from tests.actions.office import QUOTA_MODEL, Office
from tests.actions.records import body_of
from tests.api.bad_values import alternatives, places, put
from tests.api.scene import ServiceHarness


@pytest.fixture(scope="module")
def office(either_shared: ServiceHarness) -> Office:
    """A service that gives everything away, on either store."""
    either_shared.sell(minute="0", month="0", stock=1_000_000_000)
    either_shared.sell_quota(QUOTA_MODEL, minute="0", stock=1_000_000_000)
    return Office(either_shared)


def _with_nul(found: mi.Type) -> Iterator[object]:
    """Yield texts with a NUL in them, in the form that a field has."""
    for one in alternatives(found):
        match one:
            case mi.StrType():
                yield from ("a\0b", f"{SET_PREFIX}\0")
            case mi.ListType():
                yield from ([inner] for inner in _with_nul(one.item_type))
            case mi.DictType():
                yield {"a\0b": 1}
                yield from ({"x": inner} for inner in _with_nul(one.value_type))


@pytest.mark.both_stores
def test_a_nul_in_any_text_of_any_action_is_no_failure_of_the_service(office: Office) -> None:
    findings: list[str] = []
    for action in ACTIONS:
        body = body_of(action, office)
        for place in places(action.request):
            for value in _with_nul(place.type):
                answer = office.caller.ask(action.path, action.name, put(body, place.path, value))
                if answer.status >= 500:
                    findings.append(f"{action.name} {place.name}")
    assert not findings
