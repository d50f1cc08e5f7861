"""Model sets as the public documents have them: by name or id, lists, and versions without a run block."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from leasebook.store.verify.check import check_store
from tests.api.scene import MODEL, SERVICE, UNITS, Caller, ServiceHarness, billing_of, new_service
from tests.api.test_models import RUN, add_model, add_set

IMPORTED = {
    "sourceType": "Import",
    "importMeta": {"sourceType": "BOS", "bosUri": "bos:/talkers/first", "parts": [1, None]},
}


def a_version(caller: Caller, owner: str, **more: Any) -> str:
    """Add a version as the Python client does; returns it."""
    return str(caller.do(MODEL, "CreateCustomModel", {"modelSetId": owner, **(more or IMPORTED)})["modelId"])


def detail(caller: Caller, **asked: Any) -> Any:
    """Show a set."""
    return caller.do(MODEL, "DescribeModelSet", asked)


def listed(caller: Caller, action: str = "DescribeCustomModelSets", **asked: Any) -> list[str]:
    """List the ids of sets."""
    page = caller.do(MODEL, action, asked)
    return [row["modelSetId"] for row in page["modelSetList"]]


# --- one set ---------------------------------------------------------------------------------------------


def test_a_set_is_shown_by_its_name_or_its_id_with_the_documented_keys(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    owner = add_set(caller, "talker", modelType="Text2Image", labels=["first", "第二"])
    models = [add_model(caller, owner), a_version(caller, owner)]
    shown = detail(caller, modelSetName="talker")
    assert shown == detail(caller, modelSetId=owner) == detail(caller, modelSetId=owner, modelSetName="other")
    assert {name: shown[name] for name in ("modelSetId", "modelSetName", "modelType", "source", "labels")} == {
        "modelSetId": owner,
        "modelSetName": "talker",
        "modelType": "Text2Image",
        "source": "UserCreate",
        "labels": ["first", "第二"],
    }
    assert shown["modelIds"] == models == [row["modelId"] for row in shown["modelList"]]
    assert shown["modelNames"] == ["V1", "V2"]


def test_of_sets_with_one_name_the_accounts_own_is_meant_and_the_oldest_of_these(
    either_shared: ServiceHarness,
) -> None:
    caller, other = either_shared.customer(), either_shared.customer()
    everybodys = add_set(either_shared.operator, "shared name", forEverybody=True)
    add_set(other, "theirs")
    assert detail(caller, modelSetName="shared name")["modelSetId"] == everybodys
    first, _ = add_set(caller, "shared name"), add_set(caller, "shared name")
    assert detail(caller, modelSetName="shared name")["modelSetId"] == first
    assert detail(other, modelSetName="shared name")["modelSetId"] == everybodys
    answer = caller.ask(MODEL, "DescribeModelSet", {"modelSetName": "theirs"})
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert answer.body["message"].endswith("param[modelSetName]")
    assert caller.field_refused(MODEL, "DescribeModelSet", {}) == "modelSetId"


def test_a_set_without_type_and_labels_is_shown_with_the_usual_type_and_none(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    shown = detail(caller, modelSetId=add_set(caller))
    assert (shown["modelType"], shown["labels"], shown["modelIds"], shown["modelNames"]) == ("Text2Text", [], [], [])


def test_a_set_is_modified_when_a_version_is_added_or_taken_out_and_never_else(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller)

    def modified(at: str) -> bool:
        (row,) = caller.do(MODEL, "DescribeCustomModelSets")["customModelSetList"]
        assert row["modifyTime"] == detail(caller, modelSetId=owner)["modifyTime"]
        return bool(row["modifyTime"] == at)

    assert modified("2030-01-15T08:00:00+08:00")
    either.advance("2030-01-16T08:00:00+08:00")
    assert modified("2030-01-15T08:00:00+08:00")
    model = a_version(caller, owner)
    assert modified("2030-01-16T08:00:00+08:00")
    either.advance("2030-01-17T08:00:00+08:00")
    either.operator.do(MODEL, "ApproveModel", {"modelId": model})
    assert modified("2030-01-16T08:00:00+08:00")
    assert caller.do(MODEL, "DeleteModel", {"modelId": model}) is True
    assert modified("2030-01-17T08:00:00+08:00")
    assert detail(caller, modelSetId=owner)["createTime"] == "2030-01-15T08:00:00+08:00"


def test_a_time_of_change_that_no_version_has_is_found_by_check(fresh: ServiceHarness) -> None:
    caller = fresh.customer()
    a_version(caller, add_set(caller))
    assert check_store(fresh.where).findings == []
    with closing(sqlite3.connect(fresh.directory / "leasebook.db")) as store:
        store.execute("UPDATE model_sets SET modified_at = modified_at + 1")
        store.commit()
    (found,) = check_store(fresh.where).findings
    assert "says that it was last changed at" in found


# --- lists -----------------------------------------------------------------------------------------------


def test_the_lists_have_the_documented_keys_beside_ours(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    owner = add_set(caller, labels=["first"])
    models = [a_version(caller, owner), add_model(caller, owner)]
    page = caller.do(MODEL, "DescribeCustomModelSets", {"maxKeys": 5})
    (row,) = page["customModelSetList"]
    assert page["modelSetList"] == [row]
    shown = detail(caller, modelSetId=owner)
    assert {name: shown[name] for name in row if name in shown} == {
        name: value for name, value in row.items() if name in shown
    }
    assert (row["modelIds"], row["modelNames"], row["modelCount"], row["modelsCount"]) == (models, ["V1", "V2"], 2, 2)
    assert page["pageInfo"] == {"marker": "", "maxKeys": 5, "isTruncated": False}
    everybodys = add_set(either_shared.operator, "for all", forEverybody=True)
    page = caller.do(MODEL, "DescribeSystemModelSets", {"name": "for all"})
    assert [row["modelSetId"] for row in page["systemModelSetList"]] == [everybodys]
    assert page["systemModelSetList"] == page["modelSetList"]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_over_page_info_reads_the_whole_list_and_so_does_one_over_the_last_ids(
    either_shared: ServiceHarness,
    reverse: bool,  # noqa: FBT001 - pytest gives it by name
) -> None:
    caller = either_shared.customer()
    own = [add_set(caller, f"own {number}") for number in range(5)]
    own = own[::-1] if reverse else own
    for how in ("nextMarker", "id"):
        seen: list[str] = []
        marker = ""
        for pages in range(1, 4):
            body = {"maxKeys": 2, "pageReverse": reverse, **({"marker": marker} if marker else {})}
            page = caller.do(MODEL, "DescribeCustomModelSets", body)
            info = page["pageInfo"]
            assert info["marker"] == marker
            assert (info["isTruncated"], info["maxKeys"]) == (page["isTruncated"], page["maxKeys"]) == (pages < 3, 2)
            assert info.get("nextMarker") == page.get("nextMarker")
            seen += [row["modelSetId"] for row in page["customModelSetList"]]
            marker = info.get("nextMarker", "") if how == "nextMarker" else seen[-1]
        assert seen == own


def test_the_id_of_somebody_elses_set_or_of_none_is_no_marker(either_shared: ServiceHarness) -> None:
    caller, other = either_shared.customer(), either_shared.customer()
    for set_id in (add_set(other), "am-000000000000"):
        assert caller.refused(MODEL, "DescribeCustomModelSets", {"marker": set_id}) == "InvalidMarker"
    own, everybodys = add_set(caller), add_set(either_shared.operator, forEverybody=True)
    assert everybodys in listed(caller, "DescribeSystemModelSets", marker=own, pageReverse=False, maxKeys=100)


# --- versions that only say where they come from ---------------------------------------------------------


def test_a_version_as_the_clients_make_it_is_kept_and_said_to_be_not_runnable(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    owner = add_set(caller)
    model = a_version(caller, owner)
    shown = caller.do(MODEL, "DescribeModel", {"modelId": model})
    assert (shown["runnable"], "run" in shown, shown["trusted"]) == (False, False, False)
    assert (shown["sourceType"], shown["importMeta"], "trainMeta" in shown) == ("Import", IMPORTED["importMeta"], False)
    trained = a_version(caller, owner, sourceType="Train", trainMeta={"taskId": "task-1", "step": 5}, run=RUN)
    shown = caller.do(MODEL, "DescribeModel", {"modelId": trained})
    assert (shown["runnable"], shown["run"]["command"]) == (True, RUN["command"])
    assert shown["trainMeta"] == {"taskId": "task-1", "step": 5}
    assert [row["runnable"] for row in detail(caller, modelSetId=owner)["modelList"]] == [False, True]
    assert caller.do(MODEL, "DeleteModel", {"modelId": model}) is True


def test_a_version_says_how_it_is_run_or_where_it_comes_from(either_shared: ServiceHarness) -> None:
    caller = either_shared.customer()
    named = {"modelSetId": add_set(caller)}
    assert caller.field_refused(MODEL, "CreateCustomModel", named) == "run"
    assert caller.field_refused(MODEL, "CreateCustomModel", {**named, "importMeta": {"a": 1}}) == "run"
    large = {**named, "sourceType": "Import", "importMeta": {"a": "x" * 65_536}}
    assert caller.field_refused(MODEL, "CreateCustomModel", large) == "importMeta"
    assert detail(caller, **named)["modelIds"] == []


def test_where_unknown_models_are_counted_a_service_of_such_a_version_is_counted_too(either: ServiceHarness) -> None:
    caller = either.customer()
    owner = add_set(caller)
    named = {"modelSetId": owner, "modelId": a_version(caller, owner)}
    body = {**new_service(replicasCount=1), **named, "billing": billing_of()}
    service = caller.do(SERVICE, "CreateService", body)["serviceId"]
    assert (caller.service(service)["runStatus"], caller.service(service)["counted"]) == ("Serving", True)
    refused = caller.ask(SERVICE, "CreateService", {**body, "counted": False})
    assert (refused.status, refused.code) == (409, "OperationNotSupported")
    assert "Add a version with run (CreateCustomModel" in refused.body["message"]
    assert len(caller.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]) == 1
    other = {"modelSetId": owner, "modelId": add_model(caller, owner)}
    assert caller.refused(SERVICE, "ModifyService", {"serviceId": service, **other}) == "InvalidState"


# --- what the Python client's Model.deploy asks for ------------------------------------------------------

DETAIL = "/wenxinworkshop/modelrepo/modelVersionDetail"


@pytest.mark.parametrize("action", ["", "DescribeModelVersion"])
def test_a_version_is_shown_by_the_names_of_the_first_api_without_an_action(
    either_shared: ServiceHarness, action: str
) -> None:
    caller, other = either_shared.customer(), either_shared.customer()
    owner = add_set(caller, "talker")
    model = a_version(caller, owner)
    shown = caller.do(DETAIL, action, {"modelVersionId": model, "unknown": 1})
    assert (shown["modelIdStr"], shown["modelVersionIdStr"], shown["modelName"]) == (owner, model, "talker")
    assert (shown["version"], shown["state"], shown["sourceType"]) == ("1", "Ready", "Import")
    assert shown["sourceExtra"]["trainSourceExtra"] == {"taskId": None, "runId": None}
    for asking, wanted in ((other, model), (caller, "amv-nowhere")):
        answer = asking.ask(DETAIL, action, {"modelVersionId": wanted})
        assert (answer.status, answer.code) == (404, "ResourceNotFound")
        assert answer.body["message"].endswith("param[modelVersionId]")
    assert caller.field_refused(DETAIL, action, {}) == "modelVersionId"
    log = caller.do("/v2/account", "DescribeAuditLog", {"maxKeys": 100})["entries"]
    assert {entry["action"] for entry in log if entry["path"] == DETAIL} == {"DescribeModelVersion"}


def test_other_paths_still_need_an_action(either_shared: ServiceHarness) -> None:
    assert either_shared.customer().refused(MODEL, "", {}) == "ResourceNotFound"


def test_a_service_may_have_the_name_and_the_suffix_that_the_client_makes_of_both_ids(
    either_shared: ServiceHarness,
) -> None:
    caller = either_shared.customer()
    owner = add_set(caller)
    model = a_version(caller, owner)
    name = f"svc{owner}_{model}"
    body = {**new_service(), "modelSetId": owner, "modelId": model, "name": name, "urlSuffix": name}
    service = caller.service(caller.do(SERVICE, "CreateService", body)["serviceId"])
    assert (service["name"], service["url"].rpartition("/")[2]) == (name, name)
    assert caller.field_refused(SERVICE, "CreateService", {**body, "name": "x" * 65}) == "name"


@pytest.mark.parametrize(
    "action", ["DescribeModelSystemAdvancedConf", "DescribeModelCustomAdvancedConf", "CreateModelExportTask"]
)
def test_what_the_clients_have_and_this_service_has_not_is_answered_with_the_nearest(
    either_shared: ServiceHarness, action: str
) -> None:
    answer = either_shared.customer().ask(MODEL, action, {"modelId": "amv-000000000000"})
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert f"There is no action {action!r} at '/v2/model'." in answer.body["message"]
    assert "/v2/model" in answer.body["message"].partition("at '/v2/model'.")[2]
