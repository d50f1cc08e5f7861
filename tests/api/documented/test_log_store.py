"""AttachLogStore and DetachLogStore: the row and its events, how they show, and the refusals."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from leasebook.contract.actions import TABLE
from leasebook.contract.documented import DOCUMENTED
from leasebook.engines.contract import ReplicaEngine
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.api.scene import EVENTS, NOTIFICATION, SERVICE, Caller, ServiceHarness, a_scene
from tests.copies import STORES, copy_of
from tests.log_stores import LogKeeper, LogRequest, a_log_store_in_a_thread, answer_of, with_log_store

NAMES = {"logRegion": "bj", "logProject": "default", "logStoreName": "replicas"}
BODY = {"serviceType": "Custom", **NAMES}


class AttachScene(NamedTuple):
    """A service with a log store, and that log store."""

    scene: ServiceHarness
    keeper: LogKeeper


def settings(keeper: LogKeeper) -> dict[str, str]:
    return {
        "LEASEBOOK_LOG_STORE_URL": keeper.url,
        "LEASEBOOK_LOG_STORE_HEADERS": "authorization=Bearer%20log-key,x-scope=1",
    }


@pytest.fixture(scope="module", params=STORES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttachScene]:
    original = (
        Target(request.getfixturevalue("opened"))
        if request.param == "sqlite"
        else request.getfixturevalue("opened_database")
    )
    with (
        copy_of(original, tmp_path_factory.mktemp("log") / "data") as where,
        a_log_store_in_a_thread() as keeper,
        a_scene(where, environment=settings(keeper)) as scene,
    ):
        yield AttachScene(scene, keeper)
        assert check_store(where).findings == []


def events(caller: Caller) -> list[tuple[str, Any]]:
    found = caller.do(EVENTS, "DescribeEvents", {"oldestFirst": True})["events"]
    mine = [one for one in found if one["type"].startswith("service.")]
    assert all(one["data"].pop("userId") and one["data"].pop("userName") for one in mine)
    return [(one["type"], one["data"]) for one in mine]


def test_every_documented_action_is_offered() -> None:
    assert set(TABLE) >= DOCUMENTED


def test_a_log_store_is_probed_kept_shown_replaced_and_detached(place: AttachScene) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    place.keeper.requests.clear()
    assert "logStore" not in caller.service(service)
    assert caller.do(SERVICE, "AttachLogStore", {"serviceId": service, **BODY}) is True
    (probe,) = place.keeper.requests
    assert (probe.head, probe.body) == ("POST /v1/logs HTTP/1.1", {"resourceLogs": []})
    assert probe.headers["content-type"] == "application/json"
    assert (probe.headers["authorization"], probe.headers["x-scope"]) == ("Bearer log-key", "1")
    assert caller.service(service)["logStore"] == {**NAMES, "attachedAt": "2030-01-15T08:00:00+08:00"}
    (listed,) = caller.do(SERVICE, "DescribeServices")["serviceList"]
    assert listed["logStore"] == caller.service(service)["logStore"]

    other = {"serviceType": "Custom", "logProject": "audit", "logStoreName": "é \U0001f9ee"}
    assert caller.do(SERVICE, "AttachLogStore", {"serviceId": service, **other}) is True
    shown = caller.service(service)["logStore"]
    assert shown == {"logProject": "audit", "logStoreName": "é \U0001f9ee", "attachedAt": shown["attachedAt"]}

    assert caller.do(SERVICE, "DetachLogStore", {"serviceId": service}) is True
    assert "logStore" not in caller.service(service)
    refused = caller.ask(SERVICE, "DetachLogStore", {"serviceId": service})
    assert refused.code == "InvalidState"
    assert "AttachLogStore attaches one" in refused.body["message"]
    replaced = {"logProject": "audit", "logStoreName": "é \U0001f9ee"}
    assert events(caller) == [
        ("service.logStoreAttached", {"serviceId": service, **NAMES}),
        ("service.logStoreAttached", {"serviceId": service, **replaced}),
        ("service.logStoreDetached", {"serviceId": service}),
    ]


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500, 503])
def test_a_log_store_that_takes_no_lines_is_not_attached(place: AttachScene, status: int) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    place.keeper.answer = lambda _request: answer_of(status, None, "location: http://127.0.0.1:1/", "retry-after: 1")
    try:
        answer = caller.ask(SERVICE, "AttachLogStore", {"serviceId": service, **BODY})
    finally:
        place.keeper.answer = LogKeeper().answer
    assert (answer.status, answer.code) == (503, "LogStoreUnreachable")
    assert f"nothing was attached. It answered {status}." in answer.body["message"]
    assert "log_store.url" in answer.body["message"]
    assert place.keeper.url not in answer.body["message"]
    assert "logStore" not in caller.service(service)
    assert events(caller) == []


def test_a_repeated_token_gets_the_first_answer_while_the_log_store_is_away_and_asks_it_nothing(
    place: AttachScene,
) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    asked = {"serviceId": service, **BODY, "clientToken": "attach-once"}
    probes = 0

    def away(_request: LogRequest) -> bytes:
        nonlocal probes
        probes += 1
        return answer_of(503)

    place.keeper.answer = away
    try:
        assert caller.refused(SERVICE, "AttachLogStore", asked) == "LogStoreUnreachable"
        place.keeper.answer = LogKeeper().answer
        assert caller.do(SERVICE, "AttachLogStore", asked) is True
        place.keeper.answer, probes = away, 0
        assert caller.do(SERVICE, "AttachLogStore", asked) is True
        other = {**asked, "logStoreName": "others"}
        assert caller.refused(SERVICE, "AttachLogStore", other) == "IdempotentParameterMismatch"
        assert probes == 0
        another = {**asked, "clientToken": "attach-again"}
        assert caller.refused(SERVICE, "AttachLogStore", another) == "LogStoreUnreachable"
    finally:
        place.keeper.answer = LogKeeper().answer
    assert [kind for kind, _ in events(caller)] == ["service.logStoreAttached"]
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    assert caller.do(SERVICE, "AttachLogStore", asked) is True, "it was attached, and the service is gone since"


def test_preset_services_and_services_that_are_not_there_are_refused_before_the_log_store_is_asked(
    place: AttachScene,
) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    place.keeper.requests.clear()
    preset = caller.ask(SERVICE, "AttachLogStore", {"serviceId": service, **BODY, "serviceType": "Preset"})
    assert (preset.status, preset.code) == (409, "OperationNotSupported")
    assert "Preset services run no replicas here" in preset.body["message"]
    assert caller.refused(SERVICE, "AttachLogStore", {"serviceId": "svco-unknown", **BODY}) == "ServiceNotFound"
    assert place.keeper.requests == []
    assert "logStore" not in caller.service(service)


def test_a_service_that_is_deleted_leaves_its_log_store(place: AttachScene) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    caller.do(SERVICE, "AttachLogStore", {"serviceId": service, **BODY})
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    assert events(caller)[-1] == ("service.logStoreDetached", {"serviceId": service})


def test_a_log_store_of_a_deleted_service_cannot_be_attached_or_detached(place: AttachScene) -> None:
    caller = place.scene.customer()
    service = caller.create_service()
    caller.do(SERVICE, "AttachLogStore", {"serviceId": service, **BODY})
    caller.do(SERVICE, "DeleteService", {"serviceId": service})
    assert caller.refused(SERVICE, "DetachLogStore", {"serviceId": service}) == "ServiceNotFound"
    assert caller.refused(SERVICE, "AttachLogStore", {"serviceId": service, **BODY}) == "ServiceNotFound"


@pytest.mark.parametrize("service_type", ["Custom", "Preset"])
def test_without_the_setting_a_log_store_is_refused_with_its_name(fresh: ServiceHarness, service_type: str) -> None:
    caller = fresh.customer()
    service = caller.create_service()
    before = caller.service(service)
    answer = caller.ask(SERVICE, "AttachLogStore", {"serviceId": service, **BODY, "serviceType": service_type})
    assert (answer.status, answer.code) == (409, "OperationNotSupported")
    if service_type == "Custom":
        assert "log_store.url" in answer.body["message"]
        assert "DescribeReplicaLogs" in answer.body["message"]
    assert caller.service(service) == before


def unreachable() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1/logs"


class Lineless(FakeEngine):
    """An engine that has no log parts, as Ray has none."""

    has_log_parts = False


def test_a_log_store_that_is_not_there_cannot_be_attached(tmp_path: Path) -> None:
    with a_scene(tmp_path, environment={"LEASEBOOK_LOG_STORE_URL": unreachable()}, engines={}) as scene:
        scene.sell()
        service = scene.operator.create_service()
        answer = scene.operator.ask(SERVICE, "AttachLogStore", {"serviceId": service, **BODY})
        assert (answer.status, answer.code) == (503, "LogStoreUnreachable")
        assert "There is no connection" in answer.body["message"]
        assert "logStore" not in scene.operator.service(service)


def test_no_log_store_is_attached_to_a_service_whose_only_engine_gives_no_lines(tmp_path: Path) -> None:
    engines: dict[str, ReplicaEngine] = {"process": Lineless(FakeWorld(lambda: 0.0, {"gpu-1": 1}))}
    with a_scene(tmp_path, environment=with_log_store(), engines=engines) as scene:
        caller = scene.operator
        scene.sell()
        other = caller.create_service()
        answer = caller.ask(SERVICE, "AttachLogStore", {"serviceId": other, **BODY})
        assert (answer.status, answer.code) == (409, "OperationNotSupported")
        assert "run on the engine process" in answer.body["message"]
        assert "logStore" not in caller.service(other)


def test_a_repeated_token_gets_the_first_answer_from_a_server_that_has_no_log_store_any_more(tmp_path: Path) -> None:
    asked = {**BODY, "clientToken": "attach-once"}
    hook = {"kind": "Webhook", "url": "http://127.0.0.1:9/hook", "clientToken": "hook-once"}
    private = {"LEASEBOOK_WEBHOOK_ALLOW_HTTP": "yes", "LEASEBOOK_WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"}
    where = Target(tmp_path)
    with a_scene(where, environment={**with_log_store(), **private}, engines={}) as scene:
        scene.sell()
        service = scene.operator.create_service()
        asked["serviceId"] = service
        assert scene.operator.do(SERVICE, "AttachLogStore", asked) is True
        made = scene.operator.do(NOTIFICATION, "CreateSubscription", hook)
    with capture_logs() as logs, a_scene(where, environment={}, engines={}) as scene:
        (warning,) = (one for one in logs if "log_store.url is not set" in one["event"])
        assert (warning["log_level"], warning["services"]) == ("warning", 1)
        assert scene.operator.service(service)["logStore"].items() >= NAMES.items()
        assert scene.operator.do(SERVICE, "AttachLogStore", asked) is True
        assert scene.operator.do(NOTIFICATION, "CreateSubscription", hook) == made
        refused = scene.operator.refused(NOTIFICATION, "CreateSubscription", {**hook, "clientToken": "hook-twice"})
        assert refused == "InappropriateJSON"
