"""Services without running replicas: they are refused, or need a setting, and every place that shows them says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, MODEL, SERVICE, UNITS, Caller, ServiceHarness, a_scene, billing_of, new_service
from tests.copies import STORES, empty

REFUSE = {"LEASEBOOK_SERVICES_UNKNOWN_MODELS": "refuse"}
NO_ENGINE = {"LEASEBOOK_ENGINES": "*=instant"}


@pytest.fixture(scope="module", params=STORES)
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    """A service that refuses models that it does not know."""
    with (
        a_store(request.param, tmp_path_factory.mktemp("strict")) as where,
        a_scene(where, environment=REFUSE) as scene,
    ):
        open_up(scene)
        scene.sell(stock=1000)
        yield scene
        assert check_store(where).findings == []


@contextmanager
def a_store(kind: str, directory: Path) -> Iterator[Target]:
    with empty(kind, directory / "data", migrated=True) as where:
        yield where


def a_version(scene: ServiceHarness) -> dict[str, Any]:
    """Add a version of a model that an operator made."""
    made = scene.operator.do(MODEL, "CreateCustomModelSet", {"modelSetName": "m", "forEverybody": True})
    run = {"command": ["sleep", "600"], "port": None}
    model: dict[str, Any] = scene.operator.do(MODEL, "CreateCustomModel", {**made, "run": run})
    return {"modelSetId": model["modelSetId"], "modelId": model["modelId"]}


def shown(of: Caller, service: str) -> Any:
    return of.do(SERVICE, "DescribeService", {"serviceId": service})


def called(scene: ServiceHarness, of: Caller, name: str) -> tuple[int, Any]:
    """Call a service through the gateway; returns the status and the message."""
    key = of.do(SERVICE, "CreateServiceKey", {"name": "app"})["key"]
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"host", b"leasebook.test")]
    sent = of.desk.send(f"/services/{name}/", "", b"", method="GET", headers=headers)
    answer = scene.runner.run(sent)
    body = answer.body if isinstance(answer.body, dict) else json.loads(answer.body)
    return answer.status, body["message"]


def test_a_misspelt_model_is_refused_before_anything_is_sold(strict: ServiceHarness) -> None:
    customer = strict.customer()
    body = {**new_service(replicasCount=1), "billing": billing_of()}
    answer = customer.ask(SERVICE, "CreateService", body)
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert "has no version 'amv-000000000000' here" in answer.body["message"]
    assert answer.body["message"].endswith("param[modelId]")
    assert customer.do(SERVICE, "DescribeServices")["serviceList"] == []
    assert customer.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"] == []
    unit = customer.buy()
    placed = {"deploymentComputeUnitList": [{"instanceId": unit, "deploymentReplicasCount": 1}]}
    body = {name: value for name, value in new_service().items() if name != "resourceConfig"}
    assert customer.refused(SERVICE, "CreateService", {**body, "deploymentConfig": placed}) == "ResourceNotFound"


def test_a_model_of_another_account_or_another_set_is_as_unknown_as_none(strict: ServiceHarness) -> None:
    owner, other = strict.customer(), strict.customer()
    made = owner.do(MODEL, "CreateCustomModelSet", {"modelSetName": "mine"})
    model = owner.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["sleep", "1"], "port": None}})
    named = {"modelSetId": model["modelSetId"], "modelId": model["modelId"]}
    assert other.refused(SERVICE, "CreateService", new_service() | named) == "ResourceNotFound"
    wrong = named | {"modelSetId": "am-000000000000"}
    assert owner.refused(SERVICE, "CreateService", new_service() | wrong) == "ResourceNotFound"


def test_a_version_that_only_says_where_it_comes_from_is_refused_with_what_to_do(strict: ServiceHarness) -> None:
    customer = strict.customer()
    made = customer.do(MODEL, "CreateCustomModelSet", {"modelSetName": "mine"})
    imported = customer.do(MODEL, "CreateCustomModel", {**made, "sourceType": "Import", "importMeta": {"uri": "x"}})
    named = {"modelSetId": imported["modelSetId"], "modelId": imported["modelId"]}
    body = {**new_service(replicasCount=1), **named, "billing": billing_of()}
    answer = customer.ask(SERVICE, "CreateService", body)
    assert (answer.status, answer.code) == (409, "OperationNotSupported")
    assert "has no run block" in answer.body["message"]
    assert answer.body["message"].endswith("param[modelId]")
    assert customer.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"] == []
    counted = customer.do(SERVICE, "CreateService", {**body, "counted": True})["serviceId"]
    assert shown(customer, counted)["counted"] is True
    service = customer.do(SERVICE, "CreateService", {**new_service(), **a_version(strict)})["serviceId"]
    change = {"serviceId": service, **named}
    assert customer.refused(SERVICE, "ModifyService", change) == "OperationNotSupported"
    assert customer.do(SERVICE, "ModifyService", {**change, "counted": True}) is True


def test_who_asks_for_it_gets_units_that_are_counted_and_every_answer_says_so(strict: ServiceHarness) -> None:
    customer = strict.customer()
    body = {**new_service(replicasCount=1), "billing": billing_of(), "counted": True}
    made = customer.do(SERVICE, "CreateService", body)
    detail = shown(customer, made["serviceId"])
    assert (detail["counted"], detail["runStatus"]) == (True, "Serving")
    assert "it is only counted" in detail["whyNotRun"][0]
    (row,) = customer.do(SERVICE, "DescribeServices")["serviceList"]
    assert row["counted"] is True
    text = customer.do(UNITS, "ExplainComputeUnit", {"instanceId": made["instanceId"]})["text"]
    assert f"Nothing runs of {made['serviceId']} on it: that service is only counted." in text
    status, message = called(strict, customer, "translator")
    assert status == 503
    assert f"Nothing runs behind {made['serviceId']}: it is only counted" in message


def test_another_version_must_be_there_too(strict: ServiceHarness) -> None:
    customer, version = strict.customer(), a_version(strict)
    service = customer.do(SERVICE, "CreateService", new_service() | version)["serviceId"]
    assert shown(customer, service)["counted"] is False
    change = {"serviceId": service, "modelSetId": version["modelSetId"], "modelId": "amv-missing"}
    assert customer.refused(SERVICE, "ModifyService", change) == "ResourceNotFound"
    assert shown(customer, service)["modelId"] == version["modelId"]
    assert customer.do(SERVICE, "ModifyService", change | {"counted": True}) is True
    assert shown(customer, service)["counted"] is True
    assert customer.do(SERVICE, "ModifyService", {"serviceId": service, **version}) is True
    assert shown(customer, service)["counted"] is False
    assert customer.do(SERVICE, "ModifyService", {"serviceId": service, **version, "counted": True}) is True
    assert shown(customer, service)["counted"] is True


def test_with_a_virtual_clock_unknown_models_are_counted_unless_that_is_not_wanted(shared: ServiceHarness) -> None:
    customer = shared.customer()
    made = customer.do(SERVICE, "CreateService", {**new_service(replicasCount=1), "billing": billing_of()})
    assert shown(customer, made["serviceId"])["counted"] is True
    other = {**new_service(), "urlSuffix": "another", "counted": False}
    assert customer.refused(SERVICE, "CreateService", other) == "ResourceNotFound"


@pytest.mark.parametrize(("demo", "counts"), [(True, True), (False, False)])
def test_a_real_clock_refuses_and_the_demo_counts(tmp_path: Path, demo: bool, counts: bool) -> None:  # noqa: FBT001
    with a_scene(tmp_path, clock="real", demo=demo) as scene:
        scene.sell()
        answer = scene.operator.ask(SERVICE, "CreateService", {**new_service(), "urlSuffix": "another"})
        assert (answer.status == 200) is counts
        assert counts or answer.code == "ResourceNotFound"


def readiness(scene: ServiceHarness) -> Any:
    return scene.operator.send("/readyz", "", method="GET", headers=[]).body


def test_units_that_no_engine_will_run_are_shown_to_the_log_to_monitors_and_to_the_buyer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with a_store("postgres", tmp_path) as where:
        # The default of a store of its own for many servers: nothing runs until a setting names an engine.
        with a_scene(where) as scene:
            open_up(scene)
            assert readiness(scene) == {"status": "ready"}
            scene.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000"})
            body = {**new_service(replicasCount=2), **a_version(scene), "billing": billing_of()}
            made = scene.operator.do(SERVICE, "CreateService", body)
            detail = shown(scene.operator, made["serviceId"])
            assert detail["counted"] is False
            assert detail["whyNotRun"][0].startswith("No engine runs gpu-1 in bj:")
            text = scene.operator.do(UNITS, "ExplainComputeUnit", {"instanceId": made["instanceId"]})["text"]
            assert "No engine runs gpu-1 in bj" in text
            status, message = called(scene, scene.operator, "translator")
            assert status == 503
            assert f"Nothing runs behind {made['serviceId']}. No engine runs gpu-1 in bj" in message
        capsys.readouterr()
        with a_scene(where) as scene:
            said = readiness(scene)
            assert said["status"] == "ready"
            (warning,) = said["warnings"]
            assert warning.startswith("No engine runs gpu-1 in bj, and what 1 service with replicas on 1 instance")
            assert 'engines = "gpu-1=process"' in warning
            assert "services are paid and nothing runs" in capsys.readouterr().out
            metrics = scene.operator.send("/metrics", "", method="GET", headers=[]).body
            assert "leasebook_instances_unrun 1.0" in metrics
            scene.running.health.apart = True
            assert readiness(scene) == {"status": "ready"}, "strangers see less"


def test_what_an_engine_runs_or_is_only_counted_warns_nobody(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data", environment=NO_ENGINE) as scene:
        open_up(scene)
        scene.customer().do(SERVICE, "CreateService", {**new_service(replicasCount=1), "billing": billing_of()})
    with a_scene(tmp_path / "data", environment=NO_ENGINE) as scene:
        assert readiness(scene) == {"status": "ready"}
