"""Tests that hold for all four official clients, each called as its package ships it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.programs import Program, ProgramAnswer
from tests.conformance.server import HOST, ConformanceServer
from tests.conformance.toolchains import Toolchain
from tests.depth import some

pytestmark = pytest.mark.conformance

Scenarios = Mapping[str, Mapping[str, ProgramAnswer]]
SERVICE = "svco-48esssdpa594"
REGIONS = ("bj", "bd")
TYPES = ("cpu", "gpu-1", "gpu-2", "gpu-3", "gpu-4", "gpu-5", "gpu-6", "gpu-7")
BEIJING = timedelta(hours=8)
# The exception of each client for an answer that is an error.
RAISED = {"python": "RequestError", "node": "Error", "go": "APIError", "java": "RequestException"}
# By what a user of each client tells errors apart: in Go by the number, which is all that it passes on.
CODES = {
    "unknown-instance": "InstanceNotFound",
    "bad-value": "InappropriateJSON",
    "unknown-action": "ResourceNotFound",
    "wrong-secret": "SignatureDoesNotMatch",
    "wrong-access-key": "InvalidAccessKeyId",
}
NUMBERS = {
    "unknown-instance": "code: 720004,",
    "bad-value": "code: 710001,",
    "unknown-action": "code: 720008,",
    "wrong-secret": "code: 710012,",
    "wrong-access-key": "code: 710015,",
}
DISTINGUISHED_BY = {"python": CODES, "node": CODES, "go": NUMBERS, "java": CODES}


@pytest.fixture(scope="module", params=["python", "node", "go", "java"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Each official client in turn."""
    found: Toolchain = request.getfixturevalue(f"{request.param}_client")
    return found


@pytest.fixture(scope="module")
def client(toolchain: Toolchain, server: ConformanceServer, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(toolchain, server.base_url, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def answers(client: Program) -> Scenarios:
    """The output of each client, by scenario. The last one leaves some of the clients with a wrong key."""
    return client.run_each(
        "describe", "purchase-prepaid", "purchase-postpaid", "release-schedule", "release-now", "errors"
    )


@pytest.fixture(scope="module")
def errors(answers: Scenarios) -> Mapping[str, ProgramAnswer]:
    """The output of each client for calls that go wrong."""
    return answers["errors"]


@pytest.fixture(scope="module")
def described(answers: Scenarios) -> Mapping[str, ProgramAnswer]:
    """The output of each client for reading calls."""
    return answers["describe"]


def succeeded(answers: Mapping[str, ProgramAnswer]) -> Mapping[str, Any]:
    """The results by the name of their call. All calls must have succeeded."""
    for answer in answers.values():
        assert answer.ok, f"{answer.call}: {answer.kind}: {answer.error}"
        assert answer.request_id
    return {name: answer.result for name, answer in answers.items()}


def unit_in(result: Any) -> Mapping[str, Any]:
    unit: Mapping[str, Any] = result["computeUnitInstance"]
    return unit


def assert_is_the_moment(said: str, expected: str) -> None:
    assert datetime.fromisoformat(said) == datetime.fromisoformat(expected)
    assert datetime.fromisoformat(said).utcoffset() == BEIJING


def test_replicas_bought_for_months_come_as_an_instance_and_an_order(answers: Scenarios) -> None:
    bought = succeeded(answers["purchase-prepaid"])["purchase"]
    assert set(bought) == {"instanceId", "orderId"}
    assert bought["instanceId"].startswith("unit-")
    assert len(bought["orderId"]) == 32


def test_a_unit_bought_by_the_minute_can_be_looked_up(answers: Scenarios) -> None:
    results = succeeded(answers["purchase-postpaid"])
    unit = unit_in(results["describe"])
    assert unit["instanceId"] == results["purchase"]["instanceId"]
    assert (unit["region"], unit["type"], unit["paymentTiming"]) == ("bj", "gpu-1", "Postpaid")
    assert unit["totalComputeUnits"] == 1
    assert_is_the_moment(unit["releaseTime"], "2030-01-15T09:30:00+08:00")


def test_a_release_time_can_be_set_moved_and_cleared_at_both_paths(answers: Scenarios) -> None:
    results = succeeded(answers["release-schedule"])
    for path in ("unit", "service"):
        assert [results[f"{path}-{step}"] for step in ("set", "move", "clear")] == [True, True, True]
        after_set, after_move, after_clear = (
            unit_in(results[f"{path}-after-{step}"]) for step in ("set", "move", "clear")
        )
        # A time without a zone is read in the service's own.
        assert_is_the_moment(after_set["releaseTime"], "2030-01-15T09:30:00+08:00")
        assert_is_the_moment(after_move["releaseTime"], "2030-02-01T00:00:00+00:00")
        assert "releaseTime" not in after_clear


def test_a_unit_released_by_hand_is_gone_soon_after(answers: Scenarios) -> None:
    results = succeeded(answers["release-now"])
    assert results["release"] is True
    assert unit_in(results["describe"])["status"] == "Released"


def test_what_goes_wrong_is_an_error_in_every_client(client: Program, errors: Mapping[str, ProgramAnswer]) -> None:
    assert {name: (answer.ok, answer.kind) for name, answer in errors.items()} == dict.fromkeys(
        CODES, (False, RAISED[client.name])
    )
    assert "unit-nowhere0" in errors["unknown-instance"].error
    assert "param[billing.paymentTiming]" in errors["bad-value"].error
    assert "BorrowComputeUnit" in errors["unknown-action"].error


def test_errors_can_be_distinguished_in_every_client(client: Program, errors: Mapping[str, ProgramAnswer]) -> None:
    signs = DISTINGUISHED_BY[client.name]
    assert {name: errors[name].error for name, sign in signs.items() if sign not in errors[name].error} == {}


def test_units_services_the_account_and_the_offerings_can_be_read(described: Mapping[str, ProgramAnswer]) -> None:
    results = succeeded(described)
    assert "unit-xxx" in instance_ids(results["units"]["computeUnitInstanceList"])
    assert isinstance(results["service-units"]["instances"], list)
    assert results["service"]["serviceId"] == SERVICE
    assert SERVICE in [service["serviceId"] for service in results["services"]["serviceList"]]
    assert Decimal(results["account"]["balance"]) > 0
    assert isinstance(results["orders"]["orders"], list)
    offered = [(one["kind"], one["region"], one["type"]) for one in results["offerings"]["offerings"]]
    units = {(region, unit_type) for kind, region, unit_type in offered if kind == "ComputingUnit"}
    assert units == {(region, unit_type) for region in REGIONS for unit_type in TYPES}
    assert {region for kind, region, _ in offered if kind == "TPM"} == {"global"}


def test_no_body_an_empty_one_and_nulls_ask_for_the_same_list(described: Mapping[str, ProgramAnswer]) -> None:
    results = succeeded(described)
    listed = [
        instance_ids(results[name]["computeUnitInstanceList"]) for name in ("units-without-a-body", "units-with-nulls")
    ]
    assert listed[0] == listed[1]
    assert "unit-xxx" in listed[0]


def instance_ids(instances: Any) -> list[str]:
    return [instance["instanceId"] for instance in instances]


@pytest.mark.parametrize(
    "elsewhere", some(["", "http://192.0.2.1:8000", "https://qianfan.example", "http://127.example"], 2)
)
def test_no_program_starts_towards_another_machine(toolchain: Toolchain, elsewhere: str, tmp_path: Path) -> None:
    lost = Program(toolchain, elsewhere, tmp_path)
    with lost.start("describe") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "refused to start" in err


def test_no_program_starts_beside_a_file_that_could_send_it_elsewhere(toolchain: Toolchain, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("")
    with Program(toolchain, f"http://{HOST}:9", tmp_path).start("describe") as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "refused to start" in err
