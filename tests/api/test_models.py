"""The model repository: sets, versions, who sees and who changes them, and the services that use them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from leasebook.store.verify.check import check_store
from tests.api.scene import MODEL, SERVICE, UNITS, Caller, ServiceHarness, billing_of, new_service
from tests.api.test_services import deployed, scale

RUN = {"command": ["serve", "--port", "{port}"], "healthPath": "/health"}


def add_set(caller: Caller, name: str = "talker", **more: Any) -> str:
    """Add a set of models; returns it."""
    return str(caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": name, **more})["modelSetId"])


def add_model(caller: Caller, owner: str, **run: Any) -> str:
    """Add a version, and have it approved; returns it."""
    model = caller.do(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": {**RUN, **run}})["modelId"]
    caller.operator.do(MODEL, "ApproveModel", {"modelId": model})
    return str(model)


def of(model: str, owner: str) -> dict[str, str]:
    """Name a version in a body."""
    return {"modelSetId": owner, "modelId": model}


def create(caller: Caller, model: str, owner: str) -> str:
    """Create a service of a version."""
    return str(caller.do(SERVICE, "CreateService", {**new_service(), **of(model, owner)})["serviceId"])


def described(caller: Caller, model: str) -> Any:
    """Show a version."""
    return caller.do(MODEL, "DescribeModel", {"modelId": model})


def listed(caller: Caller, **asked: Any) -> list[str]:
    """List the names of the sets that are seen."""
    found = caller.do(MODEL, "DescribeModelSets", {"maxKeys": 100, **asked})["modelSetList"]
    return [one["modelSetName"] for one in found]


# --- sets and versions -----------------------------------------------------------------------------------


def test_a_version_is_shown_as_it_was_added_with_what_was_left_out_filled_in(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller, "talker", description="It talks.")
    model = add_model(caller, owner, env={"A_1": "x={port}"}, cpus=0.5, memoryBytes=2**30, accelerators=2)
    shown = described(caller, model)
    assert shown["run"] == {
        "command": ["serve", "--port", "{port}"],
        "image": None,
        "env": {"A_1": "x={port}"},
        "port": 0,
        "healthPath": "/health",
        "cpus": 0.5,
        "memoryBytes": 2**30,
        "accelerators": 2,
        "graceSeconds": 10.0,
        "application": None,
        "arguments": {},
        "connects": [],
    }
    assert (shown["version"], shown["source"], shown["servicesCount"]) == ("V1", "UserCreate", 0)
    whole = caller.do(MODEL, "DescribeModelSet", {"modelSetId": owner})
    assert (whole["modelSetName"], whole["description"]) == ("talker", "It talks.")
    assert [one["modelId"] for one in whole["modelList"]] == [model]


def test_versions_are_numbered_and_no_number_comes_twice(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller)
    first, second = add_model(caller, owner), add_model(caller, owner)
    assert [described(caller, one)["version"] for one in (first, second)] == ["V1", "V2"]
    assert caller.do(MODEL, "DeleteModel", {"modelId": second}) is True
    assert described(caller, add_model(caller, owner))["version"] == "V3"


def test_a_set_goes_only_when_it_is_empty_and_nothing_of_it_is_seen_afterwards(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller)
    model = add_model(caller, owner)
    assert caller.refused(MODEL, "DeleteModelSet", {"modelSetId": owner}) == "InvalidState"
    assert caller.do(MODEL, "DeleteModel", {"modelId": model}) is True
    assert caller.do(MODEL, "DeleteModelSet", {"modelSetId": owner}) is True
    assert listed(caller) == []
    for name, body in (
        ("DescribeModel", {"modelId": model}),
        ("DeleteModel", {"modelId": model}),
        ("DescribeModelSet", {"modelSetId": owner}),
        ("DeleteModelSet", {"modelSetId": owner}),
        ("CreateCustomModel", {"modelSetId": owner, "run": RUN}),
    ):
        assert caller.refused(MODEL, name, body) == "ResourceNotFound"


def test_sets_are_listed_page_by_page_by_name_and_by_source(either: ServiceHarness) -> None:
    caller = either.customer()
    for number in range(5):
        add_set(caller, f"own {number}")
    add_set(either.operator, "everybody's", forEverybody=True)
    own = [f"own {number}" for number in range(5)]
    assert listed(caller) == [*own, "everybody's"]
    assert listed(caller, source="UserCreate") == listed(caller, source="Custom") == own
    assert listed(caller, source="System") == ["everybody's"]
    assert listed(caller, name="WN 3") == ["own 3"]
    assert listed(caller, name="%") == []
    assert listed(caller, pageReverse=True) == [*own, "everybody's"][::-1]
    for reverse in (False, True):
        pages = caller.pages(MODEL, "DescribeModelSets", {"maxKeys": 4, "pageReverse": reverse})
        assert [len(page["modelSetList"]) for page in pages] == [4, 2]
    assert len(caller.do(MODEL, "DescribeCustomModelSets")["modelSetList"]) == 5
    assert len(caller.do(MODEL, "DescribeSystemModelSets")["modelSetList"]) == 1
    assert caller.refused(MODEL, "DescribeModelSets", {"marker": "elsewhere"}) == "InvalidMarker"


# --- whose they are --------------------------------------------------------------------------------------


def test_somebody_elses_models_are_answered_like_those_that_do_not_exist(either: ServiceHarness) -> None:
    owner, stranger = either.customer(), either.customer()
    there = add_set(owner)
    model = add_model(owner, there)
    assert listed(stranger) == []
    for name, real, made_up in (
        ("DescribeModel", {"modelId": model}, {"modelId": "amv-nowhere"}),
        ("DescribeModelSet", {"modelSetId": there}, {"modelSetId": "am-nowhere"}),
        ("DeleteModel", {"modelId": model}, {"modelId": "amv-nowhere"}),
        ("DeleteModelSet", {"modelSetId": there}, {"modelSetId": "am-nowhere"}),
    ):
        said = [stranger.ask(MODEL, name, body).body for body in (real, made_up)]
        asked = [next(iter(body.values())) for body in (real, made_up)]
        texts = [one["message"].replace(wanted, "") for one, wanted in zip(said, asked, strict=True)]
        assert texts[0] == texts[1]
        assert said[0]["code"] == "ResourceNotFound"
    service = create(stranger, model, there)
    assert described(owner, model)["servicesCount"] == 0
    assert stranger.service(service)["modelId"] == model


def test_everybodys_models_are_used_by_all_and_changed_by_operators_only(either: ServiceHarness) -> None:
    owner = add_set(either.operator, "for all", forEverybody=True)
    model = add_model(either.operator, owner)
    caller = either.customer()
    assert described(caller, model)["source"] == "System"
    create(caller, model, owner)
    assert described(caller, model)["servicesCount"] == 1
    assert caller.refused(MODEL, "CreateCustomModelSet", {"modelSetName": "mine", "forEverybody": True}) == (
        "AccessDenied"
    )
    assert caller.refused(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": RUN}) == "AccessDenied"
    assert caller.refused(MODEL, "DeleteModel", {"modelId": model}) == "AccessDenied"
    assert caller.refused(MODEL, "DeleteModelSet", {"modelSetId": owner}) == "AccessDenied"


def test_who_only_reads_sees_models_and_changes_none(shared: ServiceHarness) -> None:
    caller = shared.customer()
    owner = add_set(caller)
    reader = shared.user(caller, "QianfanServiceReadAccessPolicy")
    assert listed(reader) == ["talker"]
    assert reader.refused(MODEL, "CreateCustomModelSet", {"modelSetName": "mine"}) == "AccessDenied"
    assert reader.refused(MODEL, "DeleteModelSet", {"modelSetId": owner}) == "AccessDenied"


# --- run blocks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "field"),
    [
        ({}, "run"),
        ({"command": []}, "run"),
        ({"command": ["", "x"]}, "run.command"),
        ({"command": ["a\0b"]}, "run.command"),
        ({"image": "no blanks here"}, "run.image"),
        ({"image": "-starts-badly"}, "run.image"),
        ({**RUN, "env": {"1st": "x"}}, "run.env"),
        ({**RUN, "env": {"A-B": "x"}}, "run.env"),
        ({**RUN, "env": {"A": "x\0"}}, "run.env"),
        ({**RUN, "env": {"PORT": "80"}}, "run.env"),
        ({**RUN, "healthPath": "health"}, "run.healthPath"),
        ({**RUN, "healthPath": "/a b"}, "run.healthPath"),
        ({**RUN, "healthPath": "/a\n"}, "run.healthPath"),
        ({**RUN, "healthPath": "/a#b"}, "run.healthPath"),
        ({"command": ["x"], "port": None, "healthPath": "/"}, "run.healthPath"),
        ({"command": ["x", "{port}"], "port": None}, "run.port"),
        ({**RUN, "port": 65536}, "run.port"),
        ({**RUN, "port": -1}, "run.port"),
        ({**RUN, "cpus": 0}, "run.cpus"),
        ({**RUN, "memoryBytes": 1000}, "run.memoryBytes"),
        ({**RUN, "accelerators": -1}, "run.accelerators"),
        ({**RUN, "graceSeconds": 3601}, "run.graceSeconds"),
        ({"application": "serving"}, "run.application"),
        ({"application": "a b:app"}, "run.application"),
        ({"application": "shop..serving:app"}, "run.application"),
        ({"application": "shop:app\n"}, "run.application"),
        ({"application": "shop:app", "command": ["serve"]}, "run"),
        ({"application": "shop:app", "image": "serve:1"}, "run"),
        ({"application": "shop:app", "port": 8000}, "run.port"),
        ({"application": "shop:app", "port": None}, "run.port"),
        ({"application": "shop:app", "env": {"URL": "http://x:{port}"}}, "run.env"),
        ({**RUN, "arguments": {"size": "7b"}}, "run.arguments"),
        ({**RUN, "connects": [443, 0]}, "run.connects[1]"),
        ({**RUN, "connects": [65_536]}, "run.connects[0]"),
        ({**RUN, "connects": ["443"]}, "run.connects[0]"),
        ({**RUN, "connects": [443, 20_000]}, "run.connects"),
        ({**RUN, "connects": [29_999]}, "run.connects"),
        ({**RUN, "connects": [443, 443]}, "run.connects"),
        ({**RUN, "connects": list(range(1, 66))}, "run.connects"),
        ({"command": ["x" * 30_000, "y" * 30_000, "z" * 30_000]}, "run"),
    ],
)
def test_what_nothing_can_run_is_refused_and_the_field_named(shared: ServiceHarness, run: Any, field: str) -> None:
    caller = shared.customer()
    owner = add_set(caller)
    assert caller.field_refused(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": run}) == field
    assert caller.do(MODEL, "DescribeModelSet", {"modelSetId": owner})["modelList"] == []


@pytest.mark.parametrize(
    "run",
    [
        {"image": "vllm/vllm-openai:v0.11.0"},
        {"image": "registry.test:5000/a/b@sha256:0f", "command": ["serve"]},
        {"command": ["work"], "port": None},
        {"command": ["serve"], "port": 8000, "env": {"_": "", "LONG": "x" * 4096}, "healthPath": "/v1/models?x=1"},
        {"command": ["serve", ""], "graceSeconds": 0},
        {"command": ["serve"], "connects": [443, 1, 19_999, 30_000, 65_535]},
        {"application": "shop.serving:app", "env": {"A": "b"}, "healthPath": "/health", "accelerators": 1},
        {"application": "shop.serving:Maker.make", "arguments": {"size": "7b", "dash-ed": ""}},
    ],
)
def test_what_can_be_run_is_kept_as_it_is(shared: ServiceHarness, run: Any) -> None:
    caller = shared.customer()
    owner = add_set(caller)
    made = caller.do(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": run})
    assert described(caller, made["modelId"])["run"].items() >= run.items()


# --- services --------------------------------------------------------------------------------------------


def test_a_version_that_a_service_uses_stays_until_the_service_is_deleted_or_uses_another(
    either: ServiceHarness,
) -> None:
    caller = either.customer()
    owner = add_set(caller)
    first, second = add_model(caller, owner), add_model(caller, owner)
    service = create(caller, first, owner)
    assert caller.refused(MODEL, "DeleteModel", {"modelId": first}) == "InvalidState"
    assert caller.do(SERVICE, "ModifyService", {"serviceId": service, **of(second, owner)}) is True
    assert [described(caller, one)["servicesCount"] for one in (first, second)] == [0, 1]
    assert caller.do(MODEL, "DeleteModel", {"modelId": first}) is True
    assert caller.refused(MODEL, "DeleteModel", {"modelId": second}) == "InvalidState"
    assert caller.do(SERVICE, "DeleteService", {"serviceId": service}) is True
    assert caller.do(MODEL, "DeleteModel", {"modelId": second}) is True


def test_a_service_of_a_version_that_is_in_another_set_or_unknown_is_only_counted(either: ServiceHarness) -> None:
    caller = either.customer()
    owner, other = add_set(caller), add_set(caller)
    model = add_model(caller, owner)
    for named in (of(model, other), of("amv-000000000000", owner)):
        body = {**new_service(replicasCount=1), **named, "billing": billing_of()}
        service = caller.do(SERVICE, "CreateService", body)["serviceId"]
        assert caller.service(service)["runStatus"] == "Serving"
    assert described(caller, model)["servicesCount"] == 0


@pytest.mark.parametrize("way", ["bought", "placed", "scaled"])
def test_replicas_that_an_engine_runs_are_deploying_until_one_answers(either: ServiceHarness, way: str) -> None:
    caller = either.customer()
    owner = add_set(caller)
    model = of(add_model(caller, owner), owner)
    if way == "bought":
        body = {**new_service(replicasCount=1), **model, "billing": billing_of()}
        service = caller.do(SERVICE, "CreateService", body)["serviceId"]
    elif way == "placed":
        service = caller.do(SERVICE, "CreateService", {**deployed((caller.buy(), 1)), **model})["serviceId"]
    else:
        service = caller.do(SERVICE, "CreateService", {**new_service(), **model})["serviceId"]
        assert caller.service(service)["runStatus"] == "New"
        scale(caller, service, caller.buy(), 1)
    assert caller.service(service)["runStatus"] == "Deploying"
    for status, found in (("Deploying", [service]), ("Serving", [])):
        rows = caller.do(SERVICE, "DescribeServices", {"runStatus": [status]})["serviceList"]
        assert [row["serviceId"] for row in rows] == found


def test_a_service_with_replicas_changes_its_version_but_not_whether_it_is_run(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller)
    first, second = add_model(caller, owner), add_model(caller, owner)
    service = {"serviceId": create(caller, first, owner)}
    unit = caller.buy()
    scale(caller, service["serviceId"], unit, 1)
    assert caller.do(SERVICE, "ModifyService", {**service, **of(second, owner)}) is True
    unknown = {**service, "modelSetId": "am-000000000000", "modelId": "amv-000000000000"}
    assert caller.refused(SERVICE, "ModifyService", unknown) == "InvalidState"
    assert caller.service(service["serviceId"])["modelId"] == second
    assert [described(caller, one)["servicesCount"] for one in (first, second)] == [0, 1]
    scale(caller, service["serviceId"], unit, 0)
    assert caller.do(SERVICE, "ModifyService", unknown) is True
    assert described(caller, second)["servicesCount"] == 0
    scale(caller, service["serviceId"], unit, 1)
    assert caller.service(service["serviceId"])["runStatus"] == "Serving"
    assert caller.refused(SERVICE, "ModifyService", {**service, **of(first, owner)}) == "InvalidState"
    assert caller.do(UNITS, "ReleaseComputeUnit", {"instanceId": unit}) is True
    assert caller.do(SERVICE, "ModifyService", {**service, **of(first, owner)}) is True


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("UPDATE models SET services = 5", "says 5 services run it, and 1 do"),
        ("UPDATE models SET deleted_at = 1", "is deleted and"),
        ("UPDATE model_sets SET models = 0", "says 0 versions, and has 1"),
        ("UPDATE services SET model_id = 'amv-nowhere'", "which the repository has not got"),
        ("UPDATE services SET runs = 0", "disagree about whether its replicas are run"),
        # Rows that an attacker would write to be trusted, or to mislead an operator.
        ("UPDATE models SET approved_by = NULL, approved_at = NULL", "its last event model.approved"),
        ("UPDATE models SET approved_by = NULL", "is approved by None"),
        ("UPDATE models SET withdrawn_at = 5", "and not any more since 5"),
        ("UPDATE models SET account_id = ''", "and its set to"),
    ],
)
def test_a_store_that_contradicts_itself_about_models_is_found_out(
    fresh: ServiceHarness, broken: str, said: str
) -> None:
    caller = fresh.customer()
    owner = add_set(caller)
    body = {**new_service(replicasCount=1), **of(add_model(caller, owner), owner), "billing": billing_of()}
    caller.do(SERVICE, "CreateService", body)
    assert check_store(fresh.where).findings == []
    with closing(sqlite3.connect(fresh.directory / "leasebook.db")) as store:
        store.execute(broken)
        store.commit()
    assert any(said in finding for finding in check_store(fresh.where).findings)


def test_a_version_that_was_made_trusted_behind_the_services_back_is_found_out(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    owner = add_set(caller)
    caller.do(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": RUN})
    assert check_store(fresh.where).findings == []
    with closing(sqlite3.connect(fresh.directory / "leasebook.db")) as store:
        store.execute("UPDATE models SET approved_by = created_by, approved_at = 1")
        store.commit()
    one, other = check_store(fresh.where).findings
    told, unproved = "says model.approved of its approval, and its last event nothing", "does not have its digest"
    assert (told in one and unproved in other) or (told in other and unproved in one)


def test_approving_twice_changes_nothing_and_tells_once(either: ServiceHarness) -> None:
    caller, approve = either.customer(), "ApproveModel"
    model = caller.do(MODEL, "CreateCustomModel", {"modelSetId": add_set(caller), "run": RUN})["modelId"]
    assert described(caller, model)["trusted"] is False
    first = either.operator.do(MODEL, approve, {"modelId": model})
    either.advance("2030-02-01T08:00:00+08:00")
    assert either.operator.do(MODEL, approve, {"modelId": model}) == first
    shown = described(caller, model)
    assert (shown["trusted"], shown["approveTime"], shown["approvedBy"]) == (
        *(True, first["approveTime"]),
        either.operator.do("/v2/iam", "DescribeUsers")["users"][0]["userId"],
    )
    withdrawn = either.operator.do(MODEL, "WithdrawModelApproval", {"modelId": model})
    assert (withdrawn["trusted"], "approvedBy" in withdrawn) == (False, False)
    assert withdrawn["withdrawTime"].startswith("2030-02-01")
    (row,) = caller.do(MODEL, "DescribeModelSet", {"modelSetId": shown["modelSetId"]})["modelList"]
    assert (row["trusted"], row["withdrawTime"]) == (False, withdrawn["withdrawTime"])
    told = [event["type"] for event in caller.do("/v2/events", "DescribeEvents", {"maxKeys": 100})["events"]]
    assert told.count("model.approved") == told.count("model.approvalWithdrawn") == 1
    for action in (approve, "WithdrawModelApproval"):
        assert either.operator.refused(MODEL, action, {"modelId": "amv-nowhere"}) == "ResourceNotFound"


def test_what_an_operator_makes_is_trusted_and_an_operator_sees_the_versions_of_all_accounts(
    either: ServiceHarness,
) -> None:
    everybodys = add_set(either.operator, forEverybody=True)
    own = add_set(either.operator)
    for owner in (everybodys, own):
        model = either.operator.do(MODEL, "CreateCustomModel", {"modelSetId": owner, "run": RUN})["modelId"]
        assert described(either.operator, model)["trusted"] is True
    customer, stranger = either.customer(), either.customer()
    theirs = add_set(customer)
    model = customer.do(MODEL, "CreateCustomModel", {"modelSetId": theirs, "run": RUN})["modelId"]
    assert described(either.operator, model)["run"]["command"] == RUN["command"]
    assert either.operator.do(MODEL, "DescribeModelSet", {"modelSetId": theirs})["modelList"][0]["modelId"] == model
    assert stranger.refused(MODEL, "DescribeModel", {"modelId": model}) == "ResourceNotFound"


# --- keys for calling services ---------------------------------------------------------------------------


def test_a_service_key_is_shown_once_and_kept_as_a_digest_only(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    made = caller.do(SERVICE, "CreateServiceKey", {"name": "shop"})
    (kept,) = caller.do(SERVICE, "DescribeServiceKeys")["keyList"]
    assert kept["keyId"] == made["keyId"]
    assert "key" not in kept
    secret = made["key"].rpartition("-")[2]
    assert secret.encode() not in (fresh.directory / "leasebook.db").read_bytes()
    assert secret not in str(fresh.rows())


def test_service_keys_are_listed_by_service_and_status_and_are_the_accounts_own(either: ServiceHarness) -> None:
    caller, stranger = either.customer(), either.customer()
    service = caller.create_service()
    every = caller.do(SERVICE, "CreateServiceKey", {"name": "all"})["keyId"]
    lone = caller.do(SERVICE, "CreateServiceKey", {"name": "one", "serviceId": service})["keyId"]

    def keys(who: Caller, **asked: Any) -> list[str]:
        return [one["keyId"] for one in who.do(SERVICE, "DescribeServiceKeys", asked)["keyList"]]

    assert keys(caller) == [every, lone]
    assert keys(caller, serviceId=service) == [lone]
    assert keys(stranger) == []
    assert len(caller.pages(SERVICE, "DescribeServiceKeys", {"maxKeys": 1})) == 2
    assert stranger.refused(SERVICE, "CreateServiceKey", {"name": "x", "serviceId": service}) == "ServiceNotFound"
    assert stranger.refused(SERVICE, "DescribeServiceKeys", {"serviceId": service}) == "ServiceNotFound"
    assert stranger.refused(SERVICE, "DeleteServiceKey", {"keyId": lone}) == "ResourceNotFound"
    assert caller.do(SERVICE, "DeleteServiceKey", {"keyId": lone}) is True
    assert caller.refused(SERVICE, "DeleteServiceKey", {"keyId": lone}) == "ResourceNotFound"
    assert keys(caller) == [every]
    assert keys(caller, status="Deleted") == [lone]
