"""Features of the official Python client alone: functions of its own for these actions, hints on wrong keys."""

import ast
import base64
import csv
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pytest
from tests.conformance.programs import Program, ProgramAnswer
from tests.conformance.published import PENDING
from tests.conformance.server import ConformanceServer
from tests.conformance.toolchains import HERE, VENV, Toolchain

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def wrapped(
    python_client: Toolchain, server: ConformanceServer, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, ProgramAnswer]:
    """What the client's own functions for charges show."""
    return Program(python_client, server.base_url, tmp_path_factory.mktemp("client")).run("charge-wrappers")


def test_the_python_client_is_the_published_one(python_client: Toolchain) -> None:
    assert python_client.stamp is not None
    (record,) = VENV.glob("lib/python3*/site-packages/qianfan-*.dist-info/RECORD")
    site_packages = record.parents[1]
    changed = [path for path, digest in recorded(record) if digest != digest_of(site_packages / path)]
    assert changed == []


def recorded(record: Path) -> Iterator[tuple[str, str]]:
    """Every file of the installed package with the digest that its wheel came with."""
    with record.open(newline="") as rows:
        for path, digest, _ in csv.reader(rows):
            if path.startswith("qianfan/") and digest:
                yield path, digest


def digest_of(file: Path) -> str:
    raw = hashlib.sha256(file.read_bytes()).digest()
    return f"sha256={base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"


def test_the_clients_own_functions_manage_the_units_of_a_service(wrapped: Mapping[str, ProgramAnswer]) -> None:
    answers = wrapped
    failed = {name: answer.error for name, answer in answers.items() if not answer.ok}
    # Only units bought for months renew; and the last two calls are made with wrong keys.
    assert set(failed) == {"auto-renew-postpaid", "wrong-secret", "wrong-access-key"}, failed
    prepaid, postpaid = (answers[f"purchase-{kind}"].result["instanceId"] for kind in ("prepaid", "postpaid"))
    listed = [instance["instanceId"] for instance in answers["list-prepaid"].result["instances"]]
    assert prepaid in listed
    assert postpaid not in listed
    assert answers["info-prepaid"].result["instance"]["paymentTiming"] == "Prepaid"
    assert answers["auto-renew-prepaid"].result is True
    assert answers["release"].result is True
    assert answers["info-released"].result["instance"]["status"] == "Released"
    assert "svco-48esssdpa594" in [service["serviceId"] for service in answers["service-list"].result["serviceList"]]
    assert answers["service-detail"].result["serviceId"] == "svco-48esssdpa594"


NOT_OURS = {
    f"Model.V2.{name}"
    for name in (
        "cancel_model_comp_task",
        "create_custom_model_conf",
        "create_model_comp_task",
        "create_model_export_model",
        "delete_model_comp_task",
        "describe_model_comp_task",
        "describe_model_comp_tasks",
        "describe_model_custom_advanced_conf",
        "describe_model_export_model",
        "describe_model_system_advanced_conf",
    )
}
"""The functions for compression, export and tuning of models, whose actions this service does not have."""
ROUTES = {f"{owner}.base_api_route" for owner in ("Service.V2", "Charge", "Model.V2")}
"""They only name a path."""


def called_functions() -> set[str]:
    """The client's own functions that the program calls."""
    program = ast.parse((HERE / "python" / "program.py").read_text())
    return {ast.unparse(node) for node in ast.walk(program) if isinstance(node, ast.Attribute)}


def test_every_function_of_the_client_for_our_actions_is_called(python: Program) -> None:
    functions = set(python.run("names"))
    assert functions - called_functions() == NOT_OURS | (ROUTES & functions)


def test_the_clients_own_functions_manage_models(python: Program) -> None:
    answers = python.run("model-functions")
    failed = {name: answer.error for name, answer in answers.items() if not answer.ok}
    pending = {"imported": "make-model", "set-by-name": "show-model-set-by-name"}
    pending |= {"own-sets-from-id": "list-own-model-sets-from-an-id"}
    assert set(failed) == {name for name, call in pending.items() if call in PENDING}, failed
    made, runs = answers["set"].result["modelSetId"], answers["runs"].result["modelId"]
    assert (answers["set-by-id"].result["modelSetId"], answers["model"].result["modelId"]) == (made, runs)
    assert answers["model-deleted"].result is True
    assert answers["set-deleted"].result is True


def test_a_renewal_rule_that_the_client_sends_under_another_name_clears_no_release_time(
    wrapped: Mapping[str, ProgramAnswer],
) -> None:
    # Its create_auto_renew_rules sends Action=AutoReleaseComputeUnit without a releaseTime.
    assert "OperationNotSupported" in wrapped["auto-renew-postpaid"].error
    kept = wrapped["info-postpaid"].result["instance"]["releaseTime"]
    assert datetime.fromisoformat(kept) == datetime.fromisoformat("2030-01-15T09:30:00+08:00")


def test_a_wrong_key_brings_the_clients_own_hint(python: Program, wrapped: Mapping[str, ProgramAnswer]) -> None:
    for answers in (python.run("errors"), wrapped):
        assert "可能的原因:Access Key(" in answers["wrong-access-key"].error.replace("\uff1a", ":")
        assert "可能的原因:Secret Key(" in answers["wrong-secret"].error.replace("\uff1a", ":")


def test_a_model_is_made_and_deployed_with_the_clients_own_model_class(python: Program, store: str) -> None:
    # On PostgreSQL nothing runs until the setting engines says where; on SQLite the process engine does.
    runs = store == "sqlite"
    answers = python.run("model-deploy", "yes" if runs else "no")
    owner, model = answers["set"].result["modelSetId"], answers["version"].result["modelId"]
    for name in ("by-name", "by-id"):
        shown = answers[name].result
        assert (shown["modelSetId"], shown["modelIds"], shown["labels"]) == (owner, [model], ["first"])
        assert (shown["source"], shown["modelType"]) == ("UserCreate", "Text2Text")
    page = answers["own-sets"].result
    assert page["pageInfo"]["maxKeys"] == len(page["customModelSetList"]) == 1
    assert answers["system-sets"].result["systemModelSetList"]
    for name in ("no-system-conf", "no-custom-conf", "no-export"):
        assert "There is no action" in answers[name].error
    assert "There is no version" in answers["no-version"].error
    assert answers["completed-by-set"].result == answers["completed-by-id"].result == {"set": owner, "id": model}
    deployed = answers["deployed"].result
    assert (deployed["endpoint"], deployed["status"]) == (f"svc{owner}_{model}", "Serving")
    if runs:
        assert (answers["run"].result["endpoint"], answers["run"].result["status"]) == ("echo", "Serving")
    # It was not trained here, which the client says itself.
    assert answers["published"].error == "task id or job id not found"
    assert "Month" in answers["by-the-hour"].error
    assert "reservationTimeUnit" in answers["by-the-hour"].error
