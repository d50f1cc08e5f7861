"""Calls of unknown paths and actions: each answer names the nearest one, how to call it, and the page of all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leasebook import __version__
from leasebook.contract import openapi
from leasebook.contract.action import FAULTS
from leasebook.contract.actions import ACTIONS
from leasebook.contract.nearest import no_such
from tests.api.scene import EVENTS, UNITS, ServiceHarness
from tests.harness import a_service

NEAREST = [
    (UNITS, "PurchaseComputUnit", "POST /v2/computeunit?Action=PurchaseComputeUnit."),
    (UNITS, "describecomputeunit", "POST /v2/computeunit?Action=DescribeComputeUnit."),
    (UNITS, "AutoReleaseComputeUnits", "POST /v2/computeunit?Action=AutoReleaseComputeUnit."),
    (UNITS, "TopUpAccount", "POST /v2/account?Action=TopUpAccount."),
    ("/v2/computeunits", "PurchaseComputeUnit", "POST /v2/computeunit?Action=PurchaseComputeUnit."),
    ("/v2/computeunit/", "PurchaseComputeUnit", "POST /v2/computeunit?Action=PurchaseComputeUnit."),
    ("/V2/ComputeUnit", "PurchaseComputeUnit", "POST /v2/computeunit?Action=PurchaseComputeUnit."),
    ("/", "SetGuardRail", "POST /v2/account?Action=SetGuardRails."),
    ("/v2/acount", "", "The actions at /v2/account are DescribeAccount, "),
    (UNITS, "", "The actions at /v2/computeunit are "),
    (UNITS, "Nothing", "The actions at /v2/computeunit are "),
    ("/nowhere", "", "The paths are /v2/serviceresources, /v2/computeunit, "),
    ("/nowhere", "Nothing", "The paths are "),
    ("/health", "", "The nearest is GET /healthz."),
    ("/healthz/", "", "The nearest is GET /healthz."),
    ("/ready", "", "The nearest is GET /readyz."),
    ("/openapi", "", "The nearest is GET /openapi.json."),
]


@pytest.mark.parametrize(("path", "name", "said"), NEAREST)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_there_is_not_is_answered_with_what_is_nearest(
    shared: ServiceHarness, path: str, name: str, said: str, method: str
) -> None:
    query = f"Action={name}" if name else ""
    answer = shared.operator.send(path, query, b"{}", method=method, headers=[(b"host", b"leasebook.test")])
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert said in answer.body["message"]
    assert answer.body["message"].endswith(" All actions: http://leasebook.test/openapi.json")


@pytest.mark.parametrize("spelled", ["action", "ACTION", "actoin", "%41ctions"])
def test_the_parameter_that_names_the_action_may_be_the_one_that_is_misspelt(
    shared: ServiceHarness, spelled: str
) -> None:
    asked = {"headers": [(b"host", b"leasebook.test")]}
    answer = shared.operator.send(UNITS, f"{spelled}=DescribeComputeUnits", b"{}", **asked)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    meant = spelled.replace("%41", "A")
    assert f"the parameter of the query is spelled Action, not {meant!r}. The actions at" in answer.body["message"]
    answer = shared.operator.send(UNITS, "Action=Describe&action=DescribeComputeUnits", b"{}", **asked)
    assert "There is no action 'Describe'" in answer.body["message"]


def test_an_action_that_is_called_with_get_says_how_it_is_called(shared: ServiceHarness) -> None:
    asked = {"method": "GET", "headers": [(b"host", b"leasebook.test")]}
    answer = shared.operator.send(UNITS, "Action=DescribeComputeUnits", b"", **asked)
    assert (answer.status, answer.code) == (400, "InvalidHTTPRequest")
    message = answer.body["message"]
    assert "POST, not GET: POST /v2/computeunit?Action=DescribeComputeUnits" in message
    assert message.endswith("http://leasebook.test/openapi.json")
    asked["method"] = "PUT"
    answer = shared.operator.send(EVENTS, "Action=FollowEvents", b"", **asked)
    assert "with POST, or with GET, not PUT" in answer.body["message"]


async def test_the_link_leads_to_the_reference_behind_a_prefix_and_a_public_address_too(tmp_path: Path) -> None:
    settings = {"LEASEBOOK_PATH_PREFIX": "/units", "LEASEBOOK_PUBLIC_URL": "https://units.example.com"}
    async with a_service(tmp_path, environment=settings) as desk:
        answer = await desk.send("/units/v2/clocks", "Action=DescribeClock", b"", headers=[])
        assert answer.body["message"].endswith(" All actions: https://units.example.com/units/openapi.json")
        for path in ("/units/openapi.json", "/openapi.json"):
            found = await desk.send(path, "", b"", method="GET", headers=[])
            assert found.status == 200
            assert found.body == json.loads(openapi.text(__version__))


def test_every_action_is_nearest_to_itself_and_long_names_are_cut() -> None:
    for action in ACTIONS:
        # A server that makes no faults does not name their actions.
        if action.path == FAULTS:
            continue
        assert f"POST {action.path}?Action={action.name}" in no_such(action.path, f"{action.name}x"), action.name
    assert len(no_such("/" + "x" * 10_000, "y" * 10_000)) < 700
