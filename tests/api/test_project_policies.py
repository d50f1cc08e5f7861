"""Policies for projects: the user sees and changes what belongs to the projects, and cannot infer anything else."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from leasebook.contract.action import Action
from leasebook.contract.actions import ACTIONS
from leasebook.contract.nouns.resource import project_scope
from leasebook.contract.policies import FOR_PROJECTS
from leasebook.contract.routes.bearer import CREATE_TOKEN
from tests.actions.office import NOWHERE, Office
from tests.actions.record import FULL, MODEL_READ, OPERATE, OPERATOR, READ, SERVICE_READ, SUPPORT
from tests.actions.records import RECORDS, body_of, record_of
from tests.api.scene import (
    ACCOUNT,
    CHARGE,
    IAM,
    MODEL,
    NOTIFICATION,
    RESOURCES,
    SERVICE,
    UNITS,
    Caller,
    ServiceHarness,
    new_service,
    order,
)
from tests.api.test_neighbours import ABSENT, with_ids
from tests.harness import Answer

PROJECT: Final = "/v2/project"
SECRET: Final = "zeppelin"
"""A word in the name of everything that belongs to another project."""
FORMS: Final = {
    re.compile("^unit-"): "unit-00000000",
    re.compile("^tpm-"): "tpm-00000000",
    re.compile("^svco-"): "svco-000000000000",
    re.compile("^pkg-"): "pkg-000000000000",
    re.compile("^prj-"): "prj-000000000000",
}
VARYING: Final = frozenset({"requestId", "log_id", "message", "error_msg"})
SCOPED: Final = [action for action in ACTIONS if action.project == "scoped"]
EACH: Final = pytest.mark.parametrize("action", SCOPED, ids=lambda action: f"{action.path}-{action.name}")


def user_for(scene: ServiceHarness, root: Caller, projects: list[str], *policies: str) -> Caller:
    """Add a user with a key, who has the policies for the projects."""
    user = {"userId": root.do(IAM, "CreateUser", {"name": "user"})["userId"]}
    key = root.do(IAM, "CreateAccessKey", user)
    for policy in policies:
        assert root.do(IAM, "AttachPolicy", {**user, "policyName": policy, "projectIds": projects}) is True
    return scene.caller(key)


def id_of(root: Caller, user: Caller) -> str:
    """Return the id of the user whose key a caller has."""
    for one in root.do(IAM, "DescribeUsers", {"maxKeys": 100})["users"]:
        if any(key["accessKeyId"] == user.desk.access_key for key in one["accessKeys"]):
            return str(one["userId"])
    raise LookupError(user)


class Team:
    """An account with three projects: the default one, one with a user of its own, and one that is hidden from it."""

    def __init__(self, scene: ServiceHarness) -> None:
        self.scene = scene
        scene.sell(stock=100_000)
        scene.sell_quota(stock=100_000)
        self.root = scene.customer(funds="100000")
        self.own, self.hidden = (self.project(name) for name in ("atlas", SECRET))
        self.user = user_for(scene, self.root, [self.own], OPERATE)
        self.reader = user_for(scene, self.root, [self.own], READ)
        self.mine = {"OWN": self.buy(self.own), "MINE": self.service(self.own, "maps")}
        service = self.service(self.hidden, SECRET)
        made = self.root.do(MODEL, "CreateCustomModelSet", {"modelSetName": SECRET})
        quoted = self.root.do(UNITS, "QuotePurchase", {**order(), "hold": True})
        limit = {"limits": {"needsApproval": {"units": {"gpu-1": 50}}}}
        self.hidden_ids = {
            "UNIT": self.root.buy_replicas(service, 1),
            "SERVICE": service,
            "USER": id_of(self.root, self.root),
            "KEY": self.root.desk.access_key,
            "ACCOUNT": scene.operator.account_id(),
            "QUOTA": self.root.do(
                CHARGE,
                "PurchaseTPMResource",
                {
                    "model": "ernie-4.0-8k",
                    "purchaseCount": 1,
                    "billing": {"paymentTiming": "Postpaid"},
                    "projectId": self.hidden,
                    "name": SECRET,
                },
            )["instanceId"],
            "QUOTE": quoted["quoteId"],
            "PACKAGE": scene.grant(self.root, projectId=self.hidden, name=SECRET),
            "HOOK": self.root.do(NOTIFICATION, "CreateSubscription", NOWHERE)["subscriptionId"],
            "CALLING": self.root.do(SERVICE, "CreateServiceKey", {"name": SECRET})["keyId"],
            "SET": made["modelSetId"],
            "MODEL": self.root.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["talk"]}})["modelId"],
            "PROJECT": self.hidden,
        }
        self.root.do(ACCOUNT, "SetGuardRails", limit)
        self.root.refused(UNITS, "PurchaseComputeUnit", order(count=51))
        self.hidden_ids["APPROVAL"] = self.root.do(ACCOUNT, "DescribeApprovals")["approvals"][0]["approvalId"]
        self.office = Office(scene, self.root)
        self.root.do("/v2/tag", "RenameResource", {"resourceId": self.hidden_ids["UNIT"], "name": SECRET})

    def project(self, name: str) -> str:
        """Make a project; returns its id."""
        return str(self.root.do(PROJECT, "CreateProject", {"name": name})["projectId"])

    def buy(self, project_id: str, **more: Any) -> str:
        """Buy a unit in a project; returns the instance."""
        return str(self.root.do(UNITS, "PurchaseComputeUnit", {**order(**more), "projectId": project_id})["instanceId"])

    def service(self, project_id: str, name: str) -> str:
        """Create a service in a project; returns its id."""
        body = {**new_service(), "name": name, "urlSuffix": name, "projectId": project_id}
        return str(self.root.do(SERVICE, "CreateService", body)["serviceId"])

    def secrets(self) -> list[str]:
        """Return every text that no answer to the user may have."""
        hidden = (
            self.hidden_ids[word] for word in ("UNIT", "SERVICE", "QUOTA", "PACKAGE", "PROJECT", "CALLING", "SET")
        )
        return [SECRET, *hidden]


@pytest.fixture(scope="module")
def team(either_shared: ServiceHarness) -> Team:
    return Team(either_shared)


def same_but_for(answer: Answer, ids: dict[str, str]) -> Any:
    """Return an answer as it is compared: without what each answer has of its own, and with words in place of ids."""
    # A stream is the list of its events, and a file is its text.
    body = answer.body if isinstance(answer.body, dict) else {"events": answer.body}
    text = json.dumps({name: value for name, value in body.items() if name not in VARYING})
    message = str(body.get("message"))
    for word, real in ids.items():
        text, message = text.replace(real, word), message.replace(real, word)
    return answer.status, text, message


# --- the words -------------------------------------------------------------------------------------------


def test_each_operation_has_one_word_for_policies_of_projects() -> None:
    operations = {action.operation for action in (*ACTIONS, CREATE_TOKEN)}
    assert not project_scope.SCOPED & project_scope.ACCOUNT
    missing = operations - project_scope.SCOPED - project_scope.ACCOUNT
    assert missing == set(), "write its word into contract/nouns/resource/project_scope.py, and test what it shows"
    assert operations >= project_scope.SCOPED | project_scope.ACCOUNT
    assert project_scope.word_of("an operation without a word") == "account"


def test_a_policy_for_a_project_permits_the_scoped_actions_of_its_row_and_no_other(team: Team) -> None:
    users = {policy: user_for(team.scene, team.root, [team.own], policy) for policy in sorted(FOR_PROJECTS)}
    for action in ACTIONS:
        permitted = record_of(action).permitted
        for policy, user in users.items():
            answer = user.ask(action.path, action.name, [])
            may = policy in permitted and (action.project == "scoped" or "" in permitted)
            assert answer.code == ("InappropriateJSON" if may else "AccessDenied"), (action.name, policy)
            if policy in permitted and not may:
                assert f"{policy} for projects of it only" in answer.body["message"]


def test_a_policy_for_the_account_permits_the_rest_besides(team: Team) -> None:
    user = user_for(team.scene, team.root, [team.own], OPERATE)
    asked = {"userId": id_of(team.root, user), "policyName": SERVICE_READ}
    assert user.refused(UNITS, "DescribeComputeUnit", {"instanceId": team.hidden_ids["UNIT"]}) == "InstanceNotFound"
    assert team.root.do(IAM, "AttachPolicy", asked) is True
    assert user.do(UNITS, "DescribeComputeUnit", {"instanceId": team.hidden_ids["UNIT"]})
    assert user.do(ACCOUNT, "DescribePostings", {"maxKeys": 1})
    assert user.refused(UNITS, "ReleaseComputeUnit", {"instanceId": team.hidden_ids["UNIT"]}) == "InstanceNotFound"
    assert team.root.do(IAM, "DetachPolicy", asked) is True
    assert user.refused(UNITS, "DescribeComputeUnit", {"instanceId": team.hidden_ids["UNIT"]}) == "InstanceNotFound"
    assert user.refused(ACCOUNT, "DescribePostings", {"maxKeys": 1}) == "AccessDenied"


# --- every action on what belongs to another project -------------------------------------------------------


@EACH
def test_what_belongs_to_another_project_answers_as_if_it_were_not_there(team: Team, action: Action) -> None:
    record = RECORDS[action.operation]
    for body in (*record.foreign, *record.searches):
        seen = []
        for hidden in (team.hidden_ids, {**team.hidden_ids, **ABSENT}):
            ids = {**hidden, **team.mine}
            answer = team.user.ask(action.path, action.name, with_ids(body, ids))
            seen.append(same_but_for(answer, ids))
        assert seen[0] == seen[1], body


def renamed(body: Any) -> Any:
    """Return a body with ids of nothing in the place of its ids."""
    if isinstance(body, dict):
        return {name: renamed(value) for name, value in body.items()}
    if isinstance(body, list):
        return [renamed(value) for value in body]
    if isinstance(body, str):
        return next((absent for form, absent in FORMS.items() if form.match(body)), body)
    return body


@EACH
def test_what_the_account_has_elsewhere_answers_as_if_it_were_not_there(team: Team, action: Action) -> None:
    body = body_of(action, team.office)
    absent = renamed(body)
    answer = team.user.ask(action.path, action.name, body)
    assert not any(secret in json.dumps(answer.body) for secret in team.secrets())
    if absent == body:
        return
    # Whatever the body names was made in the default project, and so is hidden as well.
    other = team.user.ask(action.path, action.name, absent)
    named = dict(
        zip(re.findall('"([^"]+)"', json.dumps(absent)), re.findall('"([^"]+)"', json.dumps(body)), strict=True)
    )
    real = {word: value for word, value in named.items() if word != value}
    same = {word: word for word in real}
    assert answer.status == other.status
    assert same_but_for(answer, real) == same_but_for(other, same)


def test_lists_have_what_belongs_to_the_projects_and_nothing_else(team: Team) -> None:
    second = team.project("second")
    user = user_for(team.scene, team.root, [team.own, second, "default"], OPERATE)
    units = [team.buy(one) for one in (second, team.own, team.hidden, second, "default")]
    ids: list[str] = []
    page: dict[str, Any] = {"nextMarker": None}
    while ids == [] or page["isTruncated"]:
        page = user.do(UNITS, "DescribeComputeUnits", {"maxKeys": 2, "marker": page["nextMarker"]})
        ids += [one["instanceId"] for one in page["computeUnitInstanceList"]]
    whole = [one["instanceId"] for one in user.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]]
    every = [one["instanceId"] for one in team.root.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]]
    assert whole == ids == [one for one in every if one in whole]
    assert set(units) - set(ids) == {units[2]}
    assert team.hidden_ids["UNIT"] not in ids
    marked = {"maxKeys": 2, "marker": units[2]}
    assert user.refused(UNITS, "DescribeComputeUnits", marked) == "InvalidMarker"
    service = team.service(second, "globe")
    listed = [one["serviceId"] for one in user.do(SERVICE, "DescribeServices")["serviceList"]]
    assert {service, team.mine["MINE"]} <= set(listed)
    assert team.hidden_ids["SERVICE"] not in listed
    shown = {one["projectId"] for one in user.do(PROJECT, "DescribeProjects")["projects"]}
    assert shown == {"default", team.own, second}
    assert [one["projectId"] for one in team.user.do(PROJECT, "DescribeProjects")["projects"]] == [team.own]


def test_what_is_bought_and_made_comes_into_the_project(team: Team) -> None:
    bought = team.user.do(UNITS, "PurchaseComputeUnit", order())["instanceId"]
    shown = team.root.do(UNITS, "DescribeComputeUnit", {"instanceId": bought})["computeUnitInstance"]
    assert shown["projectId"] == team.own
    made = team.user.do(SERVICE, "CreateService", {**new_service(), "urlSuffix": "made"})["serviceId"]
    assert team.root.do(SERVICE, "DescribeService", {"serviceId": made})["projectId"] == team.own
    unit = team.user.buy_replicas(made, 1)
    assert (
        team.root.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})["computeUnitInstance"]["projectId"] == team.own
    )
    for other in ("default", team.hidden, ABSENT["PROJECT"]):
        answer = team.user.ask(UNITS, "PurchaseComputeUnit", {**order(), "projectId": other})
        assert (answer.status, answer.code) == (404, "ResourceNotFound")
        assert team.user.refused(SERVICE, "CreateService", {**new_service(), "projectId": other}) == "ResourceNotFound"
    second = user_for(team.scene, team.root, [team.own, "default"], OPERATE)
    answer = second.ask(UNITS, "PurchaseComputeUnit", order())
    assert (answer.code, team.own in answer.body["message"]) == ("InappropriateJSON", True)
    there = second.do(UNITS, "PurchaseComputeUnit", {**order(), "projectId": "default"})["instanceId"]
    assert "projectId" not in second.do(UNITS, "DescribeComputeUnit", {"instanceId": there})["computeUnitInstance"]
    assert second.do(PROJECT, "MoveResource", {"resourceId": there, "projectId": team.own})
    hidden = {"resourceId": there, "projectId": team.hidden}
    assert second.refused(PROJECT, "MoveResource", hidden) == "ResourceNotFound"
    assert team.user.do(UNITS, "ReleaseComputeUnit", {"instanceId": bought}) is True
    assert team.reader.refused(UNITS, "ReleaseComputeUnit", {"instanceId": unit}) == "AccessDenied"


def test_a_refusal_for_a_limit_or_the_balance_says_nothing_of_the_account(either_shared: ServiceHarness) -> None:
    root = either_shared.customer(funds="40")
    own = root.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    user = user_for(either_shared, root, [own], OPERATE)
    root.buy()
    answer = user.ask(UNITS, "PurchaseComputeUnit", order(months=1))
    assert (answer.code, "40" in answer.body["message"]) == ("InsufficientBalance", False)
    root.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 1}}})
    answer = user.ask(UNITS, "PurchaseComputeUnit", order())
    assert (answer.code, "DescribeGuardRails" in answer.body["message"]) == ("QuotaExceeded", True)
    assert "holds" not in answer.body["message"]
    root.do(ACCOUNT, "SetGuardRails", {"limits": {"units": None, "endRequired": True}})
    answer = user.ask(UNITS, "PurchaseComputeUnit", order())
    assert (answer.code, "endRequired" in answer.body["message"]) == ("QuotaExceeded", True)


def test_a_client_token_is_the_users_own(team: Team) -> None:
    token = "&clientToken=same"
    theirs = team.root.do(UNITS, "PurchaseComputeUnit", order(), query=token)
    mine = team.user.do(UNITS, "PurchaseComputeUnit", order(), query=token)
    assert mine != theirs
    assert team.user.do(UNITS, "PurchaseComputeUnit", order(), query=token) == mine
    answer = team.user.ask(UNITS, "PurchaseComputeUnit", order(count=2), query=token)
    assert (answer.code, "token 'same'" in answer.body["message"]) == ("IdempotentParameterMismatch", True)


def test_the_address_of_a_service_does_not_say_what_others_call_theirs(team: Team) -> None:
    made = team.user.do(SERVICE, "CreateService", {**new_service(), "urlSuffix": SECRET})["serviceId"]
    free = team.user.do(SERVICE, "CreateService", {**new_service(), "urlSuffix": "free-suffix"})["serviceId"]
    for one in (made, free):
        assert team.user.do(SERVICE, "DescribeService", {"serviceId": one})["url"].endswith(f"/services/{one}")
    for marker in (team.hidden_ids["SERVICE"], ABSENT["SERVICE"]):
        assert team.user.refused(SERVICE, "DescribeServices", {"maxKeys": 1, "marker": marker}) == "InvalidMarker"
    for suffix in (team.hidden_ids["SERVICE"], ABSENT["SERVICE"]):
        body = {**new_service(), "urlSuffix": suffix}
        assert team.user.field_refused(SERVICE, "CreateService", body) == "urlSuffix"


def test_what_is_known_of_the_account_elsewhere_shows_in_no_other_answer(team: Team) -> None:
    for caller, status in ((team.root, "Opened"), (team.user, "NotOpen")):
        (quota,) = caller.do(SERVICE, "DescribePresetServices")["serviceList"]
        assert quota["chargeStatus"] == status
    asked = {"resourceIds": [team.hidden_ids[word] for word in ("SET", "CALLING", "UNIT", "HOOK", "PACKAGE")]}
    team.root.do("/v2/tag", "TagResource", {"resourceId": team.hidden_ids["CALLING"], "tags": {"team": SECRET}})
    assert team.root.do("/v2/tag", "DescribeTags", asked)["resourceTags"]
    assert team.user.do("/v2/tag", "DescribeTags", asked)["resourceTags"] == []


def test_calls_are_summed_up_of_services_of_the_project(team: Team) -> None:
    hidden, mine = team.hidden_ids["SERVICE"], team.mine["MINE"]
    for service in (hidden, mine):
        team.root.do(SERVICE, "CountServiceCalls", {"serviceId": service, "appId": "app-1", "succeeded": 1})
    period = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
    whole = [one["serviceId"] for one in team.root.do(SERVICE, "DescribeServiceMetric", period)["serviceList"]]
    assert {hidden, mine} <= set(whole)
    for more in ({}, {"serviceId": [hidden, mine]}):
        (shown,) = team.user.do(SERVICE, "DescribeServiceMetric", {**period, **more})["serviceList"]
        assert (shown["serviceId"], shown["appList"][0]["metric"]["callTotal"]) == (mine, 1)
    assert team.user.do(SERVICE, "DescribeServiceMetric", {**period, "serviceId": [hidden]})["serviceList"] == []


# --- attaching -------------------------------------------------------------------------------------------


def test_policies_for_projects_are_attached_and_detached_by_project(team: Team) -> None:
    root, second = team.root, team.project("third")
    user = user_for(team.scene, root, [team.own])
    one = {"userId": id_of(root, user), "policyName": OPERATE}

    def shown() -> Any:
        (row,) = (
            row for row in root.do(IAM, "DescribeUsers", {"maxKeys": 100})["users"] if row["userId"] == one["userId"]
        )
        assert row["policies"] == []
        return row.get("projectPolicies")

    assert shown() is None
    assert user.refused(UNITS, "DescribeComputeUnits") == "AccessDenied"
    for _ in range(2):
        assert root.do(IAM, "AttachPolicy", {**one, "projectIds": [second]}) is True
    assert root.do(IAM, "AttachPolicy", {**one, "projectIds": [team.own, "default", team.own]}) is True
    assert shown() == [{"policyName": OPERATE, "projectIds": sorted(["default", team.own, second])}]
    assert user.do(UNITS, "DescribeComputeUnit", {"instanceId": team.mine["OWN"]})
    assert root.do(IAM, "DetachPolicy", {**one, "projectIds": [team.own]}) is True
    assert user.refused(UNITS, "DescribeComputeUnit", {"instanceId": team.mine["OWN"]}) == "InstanceNotFound"
    assert root.do(IAM, "DetachPolicy", one) is True
    assert shown() == [{"policyName": OPERATE, "projectIds": sorted(["default", second])}]
    for _ in range(2):
        assert root.do(IAM, "DetachPolicy", {**one, "projectIds": ["default", second]}) is True
    assert shown() is None
    assert user.refused(UNITS, "DescribeComputeUnits") == "AccessDenied"
    asked = {"action": "AttachPolicy", "maxKeys": 1}
    (entry,) = root.do(ACCOUNT, "DescribeAuditLog", asked)["entries"]
    assert all(project in json.dumps(entry) for project in ("default", team.own))


def test_only_policies_of_units_and_services_are_for_projects_and_only_of_the_account(team: Team) -> None:
    user = {"userId": id_of(team.root, team.user)}
    for policy in (MODEL_READ, OPERATOR, SUPPORT):
        asked = {**user, "policyName": policy, "projectIds": [team.own]}
        for caller, more in ((team.root, {}), (team.scene.operator, {"accountId": team.root.account_id()})):
            answer = caller.ask(IAM, "AttachPolicy", {**asked, **more})
            assert answer.code == "InappropriateJSON"
            assert all(one in answer.body["message"] for one in FOR_PROJECTS)
    foreign = team.scene.customer().do(PROJECT, "CreateProject", {"name": "theirs"})["projectId"]
    for project in (foreign, ABSENT["PROJECT"]):
        asked = {**user, "policyName": FULL, "projectIds": [project]}
        assert team.root.refused(IAM, "AttachPolicy", asked) == "ResourceNotFound"
    closed = team.project("short")
    user_for(team.scene, team.root, [closed], READ)
    team.root.do(PROJECT, "CloseProject", {"projectId": closed})
    asked = {**user, "policyName": FULL, "projectIds": [closed]}
    assert team.root.refused(IAM, "AttachPolicy", asked) == "InvalidState"
    assert team.root.do(IAM, "DetachPolicy", asked) is True


def test_a_supporter_with_a_policy_for_a_project_acts_across_accounts_and_at_home_in_the_project(team: Team) -> None:
    user = team.scene.user(team.root, SUPPORT)
    one = {"userId": id_of(team.root, user), "policyName": OPERATE, "projectIds": [team.own]}
    assert team.scene.operator.do(IAM, "AttachPolicy", {**one, "accountId": team.root.account_id()}) is True
    unit = team.buy(team.hidden)
    for body in ({"instanceId": unit}, {"instanceId": unit, "accountId": team.root.account_id()}):
        assert user.refused(UNITS, "ReleaseComputeUnit", body) == "InstanceNotFound"
    assert user.do(UNITS, "ReleaseComputeUnit", {"instanceId": team.buy(team.own)}) is True
    assert user.do(UNITS, "DescribeComputeUnit", {"instanceId": unit})
    other = team.scene.customer()
    theirs = {"instanceId": other.buy(), "accountId": other.account_id(), "reason": "It is not used."}
    assert user.do(UNITS, "ReleaseComputeUnit", theirs) is True


def test_an_approved_purchase_stays_in_the_projects_of_who_asked(team: Team) -> None:
    asked = {**order(count=60), "projectId": team.own}
    user = user_for(team.scene, team.root, [team.own], OPERATE)
    token = "&clientToken=large"
    refused = user.ask(UNITS, "PurchaseComputeUnit", {**asked, "computeUnitCount": 61})
    assert (refused.code, "DescribeApprovals" in refused.body["message"]) == ("ApprovalNeeded", False)
    assert user.refused(UNITS, "PurchaseComputeUnit", asked, query=token) == "ApprovalNeeded"
    waiting = [
        one
        for one in team.root.do(ACCOUNT, "DescribeApprovals")["approvals"]
        if one["askedBy"] == id_of(team.root, user) and one["computeUnitCount"] == 60
    ]
    approval = {"approvalId": waiting[0]["approvalId"]}
    change = {"userId": id_of(team.root, user), "policyName": OPERATE}
    team.root.do(IAM, "AttachPolicy", {**change, "projectIds": [team.hidden]})
    team.root.do(IAM, "DetachPolicy", {**change, "projectIds": [team.own]})
    assert team.root.refused(ACCOUNT, "ApprovePurchase", approval) == "ResourceNotFound"
    team.root.do(IAM, "DetachPolicy", {**change, "projectIds": [team.hidden]})
    assert team.root.refused(ACCOUNT, "ApprovePurchase", approval) == "InvalidState"
    team.root.do(IAM, "AttachPolicy", {**change, "projectIds": [team.own]})
    bought = team.root.do(ACCOUNT, "ApprovePurchase", approval)["instanceId"]
    assert user.do(UNITS, "PurchaseComputeUnit", asked, query=token)["instanceId"] == bought
    assert (
        team.root.do(UNITS, "DescribeComputeUnit", {"instanceId": bought})["computeUnitInstance"]["projectId"]
        == team.own
    )


def test_replicas_and_services_of_another_project_are_not_reached_by_way_of_the_own_one(team: Team) -> None:
    hidden = team.hidden_ids
    scaled = {"serviceId": team.mine["MINE"], "instanceId": hidden["UNIT"], "deploymentReplicasCount": 1}
    assert team.user.refused(SERVICE, "ScaleService", scaled) == "InstanceNotFound"
    scaled = {"serviceId": hidden["SERVICE"], "instanceId": team.mine["OWN"], "deploymentReplicasCount": 1}
    assert team.user.refused(SERVICE, "ScaleService", scaled) == "ServiceNotFound"
    asked = {"serviceId": hidden["SERVICE"], "billing": {"paymentTiming": "Postpaid"}, "replicasCount": 1}
    assert team.user.refused(RESOURCES, "PurchaseComputeUnit", asked) == "ServiceNotFound"
    tagged = {"resourceId": hidden["SET"], "tags": {"team": "vision"}}
    assert team.user.refused("/v2/tag", "TagResource", tagged) == "ResourceNotFound"
    assert team.root.do("/v2/tag", "TagResource", tagged)
