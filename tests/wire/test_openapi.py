"""The OpenAPI document: valid, complete, and what a running service really takes and gives."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
import pytest
from msgspec import inspect
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.actions.forms import misfit
from tests.actions.records import record_of
from tests.depth import some
from tests.harness import Answer, Client, a_service
from tests.log_stores import with_log_store
from tests.wire.likeness import differences

from leasebook import __version__
from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS, TABLE
from leasebook.contract.errors import ERRORS
from leasebook.contract.openapi import FORGETFUL, document, text
from leasebook.contract.routes.chat import ROUTES
from leasebook.contract.shapes import Shape, Time
from leasebook.contract.unknown import parts_of

OPERATIONS = {action.operation: action for action in reversed(ACTIONS)}
"""Each operation under the first of its names."""
REFERENCE = re.compile(r'"#/components/(\w+)/([^"]+)"')
EXAMPLES = {operation: action.example for operation, action in OPERATIONS.items()}


@cache
def described() -> Any:
    """Return the document. It is made when a test needs it, since every process collects this file."""
    return document(__version__)


def check(schema: Mapping[str, Any], value: Any) -> None:
    """Fail where a value is not what a schema of the document says."""
    OAS31Validator({**schema, "components": described()["components"]}).validate(value)


def resolved(response: Mapping[str, Any]) -> Any:
    """The schema of a response, which may stand among the components."""
    if "$ref" in response:
        response = described()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return response["content"]["application/json"]["schema"]


def key_of(action: Action) -> str:
    return f"{action.path}?Action={action.name}"


def part_of(whole: Any, names: Sequence[str]) -> Any:
    """The document with these paths only, and the components that they refer to. All paths are made alike."""
    paths = {name: whole["paths"][name] for name in names}
    components: dict[str, dict[str, Any]] = {}
    parts: list[Any] = [paths]
    for part in parts:
        for kind, name in REFERENCE.findall(json.dumps(part)):
            if name not in components.setdefault(kind, {}):
                components[kind][name] = whole["components"][kind][name]
                parts.append(components[kind][name])
    kept = {kind: components.get(kind, {}) for kind in whole["components"]}
    kept["securitySchemes"] = whole["components"].get("securitySchemes", {})
    return {**whole, "paths": paths, "components": kept}


@pytest.mark.slow
def test_the_document_is_valid_openapi_3_1() -> None:
    paths = described()["paths"]
    OpenAPIV31SpecValidator(part_of(described(), some(list(paths), 24))).validate()


@pytest.mark.slow
def test_a_document_with_a_mistake_is_not_valid() -> None:
    broken = json.loads(text(__version__))
    del broken["paths"]["/v2/clock?Action=DescribeClock"]["post"]["responses"]
    broken["paths"]["/v2/clock?Action=DescribeClock"]["post"]["requestBody"] = "none"
    # The first error will do: to look for all of them takes seconds.
    assert next(iter(OpenAPIV31SpecValidator(broken).iter_errors()), None) is not None


def test_every_row_of_the_table_and_every_route_is_an_operation_and_nothing_else_is() -> None:
    paths = described()["paths"]
    assert list(paths) == [*(key_of(action) for action in ACTIONS), *(route.path for route in ROUTES)]
    operations = [operation for item in paths.values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == len(paths)


def test_names_of_one_operation_take_and_give_the_same() -> None:
    facts = {
        (action.operation, action.request, str(action.result), action.policies, action.writes, action.errors)
        for action in ACTIONS
    }
    assert len(facts) == len(OPERATIONS)


def test_each_operation_says_who_may_call_it_what_can_go_wrong_and_whether_it_is_the_older_name() -> None:
    for action in ACTIONS:
        operation = described()["paths"][key_of(action)]["post"]
        assert operation["x-policies"] == sorted(action.policies)
        assert operation.get("deprecated", False) is action.legacy
        said: set[tuple[str, int]] = set()
        for status, response in operation["responses"].items():
            if status != "200":
                codes = resolved(response)["allOf"][1]["properties"]["code"]["enum"]
                said |= {(code, int(status)) for code in codes}
        assert said == {(error.code, error.status) for error in action.all_errors}


def test_the_text_is_the_document() -> None:
    assert json.loads(text(__version__)) == described()


def said_of(hint: object) -> list[str]:
    """The descriptions that stand around a type, the outermost last."""
    metas = (meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta))
    return [meta.description for meta in metas if meta.description]


def unexplained(shape: type[object]) -> Iterator[str]:
    """Fields of a shape that have no description of their own. The description of their type is not enough."""
    modules = [module for name, module in sys.modules.items() if name.startswith("leasebook.contract.")]
    of_types = {text for module in modules for alias in vars(module).values() for text in said_of(alias)}
    for field, hint in get_type_hints(shape, include_extras=True).items():
        if field != "is_ours" and not set(said_of(hint)[-1:]) - of_types:
            yield f"{shape.__name__}.{field}: say beside it what it means, with Meta(description=...)"


def test_every_field_of_every_shape_says_what_it_means() -> None:
    tops = {kind for action in ACTIONS for kind in (action.request, action.result)}
    for shape in {inner for top in tops for inner in parts_of(top)}:
        assert list(unexplained(shape)) == []


class Odd(Shape):
    """Fields of all sorts."""

    bare: str
    typed: Time
    explained: Annotated[Time, msgspec.Meta(description="When it began.")]


def test_a_field_that_says_no_more_than_its_type_is_found() -> None:
    assert [line.partition(":")[0] for line in unexplained(Odd)] == ["Odd.bare", "Odd.typed"]


def test_every_operation_has_an_example_of_its_own_shape() -> None:
    for operation, body in EXAMPLES.items():
        action = OPERATIONS[operation]
        msgspec.convert(body, action.request)
        check({"$ref": f"#/components/schemas/{action.request.__name__}"}, body)


def test_every_operation_has_an_example_of_its_own_answer() -> None:
    for action in OPERATIONS.values():
        assert msgspec.to_builtins(msgspec.convert(action.answer, action.result)) == action.answer
        ((result,), _) = msgspec.json.schema_components([action.result], ref_template="#/components/schemas/{name}")
        check(result, action.answer)


def test_example_answers_that_a_demo_does_not_give_at_once_look_like_real_ones() -> None:
    for action in OPERATIONS.values():
        if not (record_of(action).example_differs or action.follows):
            continue
        answer = json.loads(json.dumps(action.answer).replace("unit-xxx", "unit-00000000"))
        assert misfit([answer] if action.follows else answer, record_of(action).shape) is None


def test_a_body_with_a_mistake_is_not_what_the_document_says() -> None:
    body = {**EXAMPLES["purchase_units"], "computeUnitCount": 0}
    with pytest.raises(Exception, match="0 is less than the minimum of 1"):
        check({"$ref": "#/components/schemas/PurchaseComputeUnitRequest"}, body)


async def prepare(desk: Client) -> dict[str, str]:
    """Make what the examples speak of; returns what to write in their place."""

    async def done(path: str, action: str, body: Mapping[str, Any]) -> Any:
        return (await desk.call(path, action, body)).result

    async def clock() -> datetime:
        return datetime.fromisoformat((await done("/v2/clock", "DescribeClock", {}))["now"])

    # A statement is of one month: all that is done here is to be in it.
    if ((await clock()) + timedelta(hours=2)).month != (await clock()).month:
        await desk.advance(((await clock()) + timedelta(hours=2)).isoformat())
    replicas = EXAMPLES["purchase_replicas"]
    by_the_minute = {**replicas, "billing": {"paymentTiming": "Postpaid"}}
    prepaid = await done("/v2/serviceresources", "PurchaseComputeUnit", replicas)
    postpaid = await done("/v2/serviceresources", "PurchaseComputeUnit", by_the_minute)
    without_billing = {name: value for name, value in EXAMPLES["create_service"].items() if name != "billing"}
    service = await done("/v2/service", "CreateService", without_billing)
    quota = await done("/v2/charge", "PurchaseTPMResource", EXAMPLES["purchase_quota"])
    package = await done("/v2/charge", "GrantPackageResource", EXAMPLES["grant_package"])
    user = await done("/v2/iam", "CreateUser", {"name": "somebody"})
    key = await done("/v2/iam", "CreateAccessKey", {"userId": user["userId"]})
    account = await done("/v2/iam", "CreateAccount", {"name": "research"})
    hook = await done("/v2/notification", "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"})
    event = (await done("/v2/events", "DescribeEvents", {"maxKeys": 1}))["events"][0]
    await done("/v2/notification", "ModifySubscription", {"subscriptionId": hook["subscriptionId"], "skipMissed": True})
    made = await done("/v2/model", "CreateCustomModelSet", EXAMPLES["create_model_set"])
    run = {**EXAMPLES["create_model"], "modelSetId": made["modelSetId"]}
    model = await done("/v2/model", "CreateCustomModel", run)
    emptied = await done("/v2/model", "CreateCustomModelSet", EXAMPLES["create_model_set"])
    calling = await done("/v2/service", "CreateServiceKey", {"name": "somebody"})
    asked = []
    await done("/v2/account", "SetGuardRails", {"limits": {"needsApproval": {"units": {"*": 0}, "selfApproval": True}}})
    for _ in range(3):
        answer = await desk.call("/v2/computeunit", "PurchaseComputeUnit", EXAMPLES["purchase_units"])
        asked += re.findall("apr-[0-9a-f]{32}", answer.body["message"])
    await done("/v2/account", "SetGuardRails", {"limits": {"needsApproval": None}})
    project = await done("/v2/project", "CreateProject", {"name": "somebody"})
    # Some of it is paid for by now, and something was refused.
    now = await clock()
    await desk.advance((now + timedelta(minutes=65)).isoformat())
    refused = await desk.call("/v2/computeunit", "ResizeComputeUnit", {"instanceId": "unit-xxx", "count": 1})
    assert refused.code == "InvalidState"
    return {
        "unit-Fz8kMh6J": postpaid["instanceId"],
        "unit-Qw4rTy7U": prepaid["instanceId"],
        EXAMPLES["delete_service"]["serviceId"]: service["serviceId"],
        EXAMPLES["release_quota"]["instanceId"]: quota["instanceId"],
        EXAMPLES["describe_package"]["packageId"]: package["instance"]["packageId"],
        EXAMPLES["create_access_key"]["userId"]: user["userId"],
        EXAMPLES["suspend_account"]["accountId"]: account["accountId"],
        EXAMPLES["disable_access_key"]["accessKeyId"]: key["accessKeyId"],
        EXAMPLES["test_subscription"]["subscriptionId"]: hook["subscriptionId"],
        EXAMPLES["redeliver_event"]["eventId"]: event["id"],
        EXAMPLES["create_model"]["modelSetId"]: made["modelSetId"],
        EXAMPLES["delete_model"]["modelId"]: model["modelId"],
        EXAMPLES["delete_model_set"]["modelSetId"]: emptied["modelSetId"],
        EXAMPLES["delete_service_key"]["keyId"]: calling["keyId"],
        EXAMPLES["approve_purchase"]["approvalId"]: asked[0],
        EXAMPLES["reject_purchase"]["approvalId"]: asked[1],
        EXAMPLES["close_project"]["projectId"]: project["projectId"],
        EXAMPLES["describe_statement"]["month"]: f"{now:%Y-%m}",
        EXAMPLES["describe_costs"]["to"]: f"{now.replace(day=1) + timedelta(days=40):%Y-%m}-01 00:00:00",
        EXAMPLES["describe_service_metric"]["endTime"]: f"{now + timedelta(days=2):%Y-%m-%d} 00:00:00",
        EXAMPLES["describe_service_stats"]["startTime"]: f"{now - timedelta(days=1):%Y-%m-%d} 00:00:00",
        EXAMPLES["describe_service_stats"]["endTime"]: f"{now + timedelta(days=2):%Y-%m-%d} 00:00:00",
        EXAMPLES["advance_clock"]["to"]: (now + timedelta(hours=3)).isoformat(),
    }


def with_real_ones(body: Mapping[str, Any], real: Mapping[str, str]) -> Any:
    made_up = re.compile("|".join(re.escape(one) for one in sorted(real, key=len, reverse=True)))
    return json.loads(made_up.sub(lambda found: real[found[0]], json.dumps(body)))


def in_a_workable_order() -> list[str]:
    return sorted(OPERATIONS, key=lambda operation: record_of(OPERATIONS[operation]).example_stage)


@pytest.mark.slow
async def test_a_demo_service_takes_every_example_and_answers_as_the_document_says(tmp_path: Path) -> None:
    remembered: set[str] = set()
    unlike: list[str] = []

    async def scene() -> None:
        async with a_service(tmp_path, demo=True, environment=with_log_store()) as desk:
            real = await prepare(desk)
            for operation in in_a_workable_order():
                action = OPERATIONS[operation]
                body = with_real_ones(EXAMPLES[operation], real)
                answer = await desk.call(action.path, action.name, body, query=f"&clientToken={operation}")
                assert answer.status == 200, (operation, answer.body)
                success = described()["paths"][key_of(action)]["post"]["responses"]["200"]
                if action.follows or action.downloads:
                    assert answer.headers["content-type"].partition(";")[0] in success["content"]
                else:
                    check(resolved(success), answer.body)
                    found = differences(inspect.type_info(action.result), action.answer, answer.result)
                    unlike.extend(f"{operation}: {what}" for what in found if not record_of(action).example_differs)

    await scene()
    assert unlike == []
    with sqlite3.connect(tmp_path / "leasebook.db") as store:
        remembered |= {value for (value,) in store.execute("SELECT value FROM tokens")}
    store.close()
    writes = {action.operation for action in ACTIONS if action.writes}
    assert remembered == writes - FORGETFUL
    for action in ACTIONS:
        takes_a_token = "parameters" in described()["paths"][key_of(action)]["post"]
        assert takes_a_token is (action.operation in remembered)


async def test_an_error_looks_as_the_document_says(tmp_path: Path) -> None:
    async def asked(desk: Client, path: str, name: str, body: Any) -> Answer:
        answer = await desk.call(path, name, body)
        response = described()["paths"][key_of(TABLE[path, name])]["post"]["responses"][str(answer.status)]
        check(resolved(response), answer.body)
        return answer

    async def scene() -> None:
        async with a_service(tmp_path) as desk:
            lost = await asked(desk, "/v2/computeunit", "DescribeComputeUnit", {"instanceId": "unit-nowhere"})
            assert lost.code == "InstanceNotFound"
            sold_out = await asked(desk, "/v2/computeunit", "PurchaseComputeUnit", EXAMPLES["purchase_units"])
            assert sold_out.code == "InsufficientStock"
            bad = await asked(desk, "/v2/computeunit", "PurchaseComputeUnit", {})
            assert bad.code == "InappropriateJSON"

    await scene()
    # No error is documented that this service does not know.
    known = {error.code for error in ERRORS}
    for response in described()["components"]["responses"].values():
        assert set(resolved(response)["allOf"][1]["properties"]["code"]["enum"]) <= known
