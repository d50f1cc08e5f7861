"""The whole family of actions, played by all four official clients: one story, and what must come of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conformance import family
from tests.conformance.programs import Program, ProgramAnswer
from tests.conformance.server import ConformanceServer
from tests.conformance.test_every_client import RAISED
from tests.conformance.toolchains import Toolchain

pytestmark = pytest.mark.conformance

Story = Mapping[str, ProgramAnswer]


@pytest.fixture(scope="module", params=["python", "node", "go", "java"])
def client(
    request: pytest.FixtureRequest, server: ConformanceServer, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    """Each official client in turn."""
    toolchain: Toolchain = request.getfixturevalue(f"{request.param}_client")
    return Program(toolchain, server.base_url, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def story(client: Program, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The answer to each step of the story."""
    return client.run("play", str(family.write(tmp_path_factory.mktemp("story") / "steps.json")))


def unit(story: Story, step: str) -> Any:
    """The instance that a step showed."""
    return story[step].result["computeUnitInstance"]


def quota(story: Story, step: str) -> Any:
    """The only instance of quota that a step showed."""
    (found,) = story[step].result["instances"]
    return found


def test_every_step_is_answered_as_it_is_meant_to_be(story: Story) -> None:
    assert list(story) == [step.name for step in family.story()]
    wrong = {name: answer.error for name, answer in story.items() if answer.ok is (name in family.REFUSED)}
    assert wrong == {}
    assert all(answer.request_id for answer in story.values() if answer.ok)


def test_refusals_can_be_distinguished(client: Program, story: Story) -> None:
    for name, (code, number) in family.REFUSED.items():
        assert story[name].kind == RAISED[client.name]
        sign = f"code: {number}," if client.name == "go" else code
        assert sign in story[name].error
    assert "param[count]" in story["no-size"].error
    assert "param[deploymentReplicasCount]" in story["scaled-too-far"].error
    assert "param[quoteId]" in story["quoted-again"].error


@pytest.mark.parametrize(
    "step",
    [
        "rule",
        "rule-by-mistake",
        "rule-deleted",
        "tpm-resized",
        "tpm-resized-to-nothing-else",
        "tpm-scheduled",
        "tpm-cleared",
        "tpm-released",
        "scaled",
        "modified",
        "counted",
        "taken-off",
        "released",
        "deleted",
        "sold-deleted",
    ],
)
def test_what_is_just_done_is_answered_with_true(story: Story, step: str) -> None:
    assert story[step].result is True


def test_an_instance_has_the_size_that_it_was_given_last(story: Story) -> None:
    instance = story["bought"].result["instanceId"]
    for step, total in (("grown", 6), ("shrunk", 5)):
        assert set(story[step].result) == {"instanceId", "orderId"}
        assert story[step].result["instanceId"] == instance
        after = {"grown": "after-growing", "shrunk": "after-shrinking"}[step]
        assert (unit(story, after)["totalComputeUnits"], unit(story, after)["status"]) == (total, "Running")


def test_a_term_is_renewed_by_a_month_and_then_to_a_day(story: Story) -> None:
    first, second = (
        datetime.fromisoformat(story[step].result["expiredTime"]) for step in ("renewed", "renewed-to-a-day")
    )
    assert second.day == 20
    assert timedelta(0) < second - first <= timedelta(days=31)
    assert unit(story, "after-renewing")["expiredTime"] == story["renewed-to-a-day"].result["expiredTime"]


def test_a_rule_is_made_by_its_own_name_and_by_the_python_clients(story: Story) -> None:
    prepaid = story["prepaid"].result["instanceId"]
    (rule,) = story["rules"].result["rules"]
    assert (rule["instanceId"], rule["instanceType"], rule["autoRenewTime"]) == (prepaid, "ComputingUnit", 3)
    listed = {one["instanceId"]: one["autoRenewTime"] for one in story["rules-by-mistake"].result["rules"]}
    assert listed[prepaid] == 2
    assert story["rules-left"].result["rules"] == []


def test_billing_changes_at_once_or_at_the_end_of_the_term(story: Story) -> None:
    assert (unit(story, "while-changing")["status"], unit(story, "while-changing")["paymentTiming"]) == (
        "BillingChanging",
        "Prepaid",
    )
    turned = unit(story, "after-turning")
    assert (turned["status"], turned["paymentTiming"], turned["duration"]) == ("Running", "Prepaid", 2)


def test_a_quote_shows_every_verdict_and_its_price_is_paid(story: Story) -> None:
    held, refused = story["quote"].result, story["quote-refused"].result
    assert held["passed"] is True
    assert {verdict["passed"] for verdict in held["verdicts"]} == {True}
    assert Decimal(held["amount"]) == 2 * Decimal(held["pricePerUnit"])
    assert refused["passed"] is False
    codes = {verdict["rule"]: verdict.get("code") for verdict in refused["verdicts"]}
    assert codes == {
        "permission": None,
        "end": None,
        "units": None,
        "spend": None,
        "releaseTime": None,
        "stock": "InsufficientStock",
        "price": None,
        "balance": "InsufficientBalance",
        "approval": None,
        "tags": None,
    }
    assert story["quoted"].result["instanceId"] in story["quoted-again"].error


def test_quota_lives_as_long_as_it_is_wanted(story: Story) -> None:
    mine = story["tpm"].result["instanceId"]
    assert mine in [one["instanceId"] for one in story["tpm-listed"].result["instances"]]
    shown = quota(story, "tpm-shown")
    assert (shown["model"], shown["tpm"], shown["rpm"]) == (family.MODEL, 30_000, 99)
    assert datetime.fromisoformat(shown["releaseTime"]) == datetime.fromisoformat("2030-01-15T09:30:00+08:00")
    assert "releaseTime" not in quota(story, "tpm-after-clearing")
    assert quota(story, "tpm-gone")["status"] == "Stopped"


def test_the_models_that_quota_is_sold_of_are_preset_services(story: Story) -> None:
    all_of_them = {one["model"] for one in story["presets"].result["serviceList"]}
    assert {family.MODEL, family.OTHER_MODEL} <= all_of_them
    opened = story["presets-opened"].result["serviceList"]
    assert family.MODEL in {one["model"] for one in opened}
    assert {one["chargeStatus"] for one in opened} == {"Opened"}


def test_services_share_an_instance(story: Story) -> None:
    placed, sold = story["placed"].result["serviceId"], story["sold"].result["serviceId"]
    assert "instanceId" not in story["placed"].result
    assert story["sold"].result["instanceId"].startswith("unit-")
    usage = {one["serviceId"]: one["usedComputeUnits"] for one in story["shared"].result["serviceUsageList"]}
    assert usage == {placed: 2, sold: 2}
    assert unit(story, "shared")["usedComputeUnits"] == 4
    left = {one["serviceId"]: one["usedComputeUnits"] for one in story["no-more-shared"].result["serviceUsageList"]}
    assert left == {placed: 2}


def test_a_service_is_off_and_on_and_found_by_that(story: Story) -> None:
    placed, sold = story["placed"].result["serviceId"], story["sold"].result["serviceId"]
    assert story["off"].result["operation"] is True
    assert "postpaid" in story["off"].result["message"]
    assert story["while-off"].result["runStatus"] == "Stopped"
    assert [one["serviceId"] for one in story["services-off"].result["serviceList"]] == [placed]
    assert [one["serviceId"] for one in story["services-on"].result["serviceList"]] == [sold]
    shown = story["while-on"].result
    assert (shown["runStatus"], shown["modelId"], shown["description"]) == (
        "Serving",
        "amv-2",
        family.new_service("")["description"],
    )
    assert story["idle"].result["runStatus"] == "New"


def test_calls_are_summed_up_and_come_off_the_package(story: Story) -> None:
    (service,) = story["metric"].result["serviceList"]
    (app,) = service["appList"]
    assert (app["appId"], app["metric"]["tokensTotal"], app["metric"]["callTotal"]) == ("story", 50, 3)
    assert [app for one in story["metric-of-nobody"].result["serviceList"] for app in one["appList"]] == []
    granted = story["package"].result["instance"]["packageId"]
    shown = story["package-shown"].result["instance"]
    assert (shown["packageId"], shown["used"], shown["status"]) == (granted, 0.05, "Exhausted")
    assert granted in [one["packageId"] for one in story["packages"].result["instances"]]


def test_the_statement_adds_up_and_has_what_the_postings_say(story: Story) -> None:
    prepaid = story["prepaid"].result["instanceId"]
    kinds = [order["kind"] for order in story["orders"].result["orders"]]
    assert kinds == ["Conversion", "Renewal", "Renewal", "Purchase"]
    renewals = [posting["amount"] for posting in reversed(story["postings"].result["postings"])]
    statement = story["statement"].result
    assert statement["isTruncated"] is False
    total = sum(Decimal(one["amount"]) for one in statement["instances"])
    assert total == Decimal(statement["charged"])
    (billed,) = (one for one in statement["instances"] if one["instanceId"] == prepaid)
    assert [line["kind"] for line in billed["lines"]] == ["Purchase", "Renewal", "Renewal"]
    assert [line["amount"] for line in billed["lines"][1:]] == renewals


def test_what_was_released_is_gone(story: Story) -> None:
    assert unit(story, "after-release")["status"] == "Released"
    assert unit(story, "after-release")["usedComputeUnits"] == 0


def test_the_python_clients_own_functions_do_what_their_users_mean(
    python_client: Toolchain, server: ConformanceServer, tmp_path: Path
) -> None:
    answers = Program(python_client, server.base_url, tmp_path).run("own-functions")
    assert {name: answer.error for name, answer in answers.items() if not answer.ok} == {}
    mine = answers["tpm"].result["instanceId"]
    assert mine in [one["instanceId"] for one in answers["tpm-of-model"].result["instances"]]
    assert (quota(answers, "tpm-info")["count"], quota(answers, "tpm-after-scheduling")["count"]) == (2, 3)
    assert quota(answers, "tpm-after-scheduling")["releaseTime"].startswith("2030-01-15T09:30:00")
    # None for a time means that there is to be none, and None for a number that it is to stay as it is.
    assert "releaseTime" not in quota(answers, "tpm-after-clearing")
    assert quota(answers, "tpm-after-stopping")["status"] == "Stopped"
    true = ("tpm-resized", "tpm-not-resized", "tpm-scheduled", "tpm-cleared", "tpm-stopped", "modified", "stopped")
    assert {name: answers[name].result for name in true} == dict.fromkeys(true, True)

    created = answers["created"].result["serviceId"]
    detail = answers["detail"].result
    assert (detail["runStatus"], detail["payType"]) == ("Serving", "Prepay")
    assert detail["resourceConfig"] == {"type": "GPU-I-2", "replicasCount": 1, "qps": 0.5}
    assert [one["serviceId"] for one in answers["found"].result["serviceList"]] == [created]
    assert answers["not-found"].result["serviceList"] == []
    assert {one["chargeType"] for one in answers["presets"].result["serviceList"]} == {"TPM"}
    assert answers["presets-free"].result["serviceList"] == []
    for metric in ("metric", "metric-of-app"):  # with both it sends the app only
        (service,) = answers[metric].result["serviceList"]
        assert (service["serviceId"], service["appList"][0]["metric"]["succeedCallTotal"]) == (created, 3)

    assert answers["resized"].result["instanceId"] == answers["more"].result["instanceId"]
    assert unit(answers, "after-resizing")["totalComputeUnits"] == 3
    (rule,) = answers["rules"].result["rules"]
    assert (rule["autoRenewTime"], rule["status"]) == (1, "Running")
