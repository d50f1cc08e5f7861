"""Costs, events, explanations and service keys of users with policies for projects: of their projects' minutes only."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any, Final

import pytest

from tests.actions.record import BILLING_READ, OPERATE, READ
from tests.api.console.browser import Browser
from tests.api.scene import ACCOUNT, EVENTS, SERVICE, UNITS, Caller, ServiceHarness, new_service, order
from tests.api.test_following_accounts import Following
from tests.api.test_project_policies import PROJECT, SECRET, id_of, user_for

TAG: Final = "/v2/tag"
SPAN: Final = {"from": "2030-01-15 00:00:00", "to": "2030-02-15 00:00:00"}
DIMENSIONS: Final = ("project", "user", "type", "region", "service", "kind", "tag:team")


class Movers:
    """An account whose instances are in two projects and move between them while the meters run.

    ``own`` is the project of the user. ``left`` left it at 11:00, ``came`` came into it then, ``visited`` was in it
    from 11:00 to 14:00, ``term`` is paid in advance and left it. ``hidden`` and ``mine`` stay where they are.
    """

    def __init__(self, scene: ServiceHarness) -> None:
        self.scene = scene
        scene.sell(stock=100)
        self.root = scene.customer(funds="100000")
        self.own, self.hidden_project = (self._project(name) for name in ("atlas", SECRET))
        self.user = user_for(scene, self.root, [self.own], OPERATE)
        self.mine, self.left = self.buy(self.own), self.buy(self.own)
        self.came, self.visited, self.hidden = (self.buy(self.hidden_project) for _ in range(3))
        self.term = self.buy(self.own, months=2, autoRenew=True)
        self.service = self.add_service(self.own, "maps")
        self.moving_service = self.add_service(self.hidden_project, "nomads")
        self.root.do(TAG, "RenameResource", {"resourceId": self.hidden, "name": SECRET})
        self.root.do(TAG, "RenameResource", {"resourceId": self.came, "name": "nomad"})
        later = {"instanceId": self.came, "releaseTime": "2030-01-01 00:00:00"}
        self.root.refused(UNITS, "AutoReleaseComputeUnit", later)
        scene.advance("2030-01-15 11:00:00")
        self.move(self.hidden_project, self.left, self.term)
        self.move(self.own, self.came, self.visited, self.moving_service)
        self.root.do(TAG, "RenameResource", {"resourceId": self.came, "name": "guest"})
        self.root.do(TAG, "TagResource", {"resourceId": self.left, "tags": {"team": SECRET}})
        scene.advance("2030-01-15 14:00:00")
        self.root.refused(UNITS, "AutoReleaseComputeUnit", later)
        self.move(self.hidden_project, self.visited)
        for unit in (self.mine, self.left, self.came, self.visited):
            plan = {"instanceId": unit, "releaseTime": "2030-01-15 15:30:00"}
            self.root.do(UNITS, "AutoReleaseComputeUnit", plan)
        self.edge = self.root.do(EVENTS, "DescribeEvents", {"maxKeys": 1})["events"][0]["id"]
        scene.advance("2030-01-15 17:00:00")

    def _project(self, name: str) -> str:
        return str(self.root.do(PROJECT, "CreateProject", {"name": name})["projectId"])

    def add_service(self, project_id: str, name: str) -> str:
        body = {**new_service(), "name": name, "urlSuffix": name, "projectId": project_id}
        return str(self.root.do(SERVICE, "CreateService", body)["serviceId"])

    def buy(self, project_id: str, **more: Any) -> str:
        """Buy a unit in a project; returns the instance."""
        return str(self.root.do(UNITS, "PurchaseComputeUnit", {**order(**more), "projectId": project_id})["instanceId"])

    def move(self, project_id: str, *things: str) -> None:
        """Put things into a project."""
        for one in things:
            assert self.root.do(PROJECT, "MoveResource", {"resourceId": one, "projectId": project_id})

    def check_silent(self, answer: Any) -> None:
        """Fail where an answer has a word of the other project."""
        text = json.dumps(answer)
        assert [one for one in (SECRET, self.hidden_project, self.hidden) if one in text] == []


@pytest.fixture(scope="module")
def house(either_shared: ServiceHarness) -> Movers:
    return Movers(either_shared)


# --- costs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("summed", [False, True])
def test_costs_are_those_of_the_projects_minutes_by_whatever_they_are_grouped(house: Movers, *, summed: bool) -> None:
    if summed:
        house.scene.sum_costs()
    for granularity in ("total", "month", "day", "hour"):
        for names in ((), *((one,) for one in DIMENSIONS), DIMENSIONS):
            asked: dict[str, Any] = {**SPAN, "granularity": granularity, "groupBy": [*names], "forecast": True}
            asked["maxKeys"] = 1000
            if granularity == "hour":
                asked["to"] = "2030-01-16 00:00:00"
            of_root = house.root.do(ACCOUNT, "DescribeCosts", {**asked, "filter": {"project": house.own}})
            shown = house.user.do(ACCOUNT, "DescribeCosts", asked)
            house.check_silent(shown)
            assert shown == of_root, (granularity, names)
            for more in ([house.own, house.hidden_project], [house.own, None]):
                again = house.user.do(ACCOUNT, "DescribeCosts", {**asked, "filter": {"project": more}})
                assert again == shown
            for nothing in (house.hidden_project, "default", None, [house.hidden_project, "prj-000000000000"]):
                none = house.user.do(ACCOUNT, "DescribeCosts", {**asked, "filter": {"project": nothing}})
                assert (none["total"]["forecastBilled"], none["costs"]) == ("0.00", [])
    # mine 8:00-15:30, left and came three hours and four and a half, visited three; and the whole term.
    billed = Decimal("0.5") * 60 * (Decimal("7.5") + 3 + Decimal("4.5") + 3) + 200
    assert Decimal(house.user.do(ACCOUNT, "DescribeCosts", SPAN)["total"]["billed"]) == billed


def test_pages_of_costs_have_the_rows_of_the_projects_and_no_marker_of_another_list(house: Movers) -> None:
    asked = {**SPAN, "to": "2030-01-16 00:00:00", "granularity": "hour", "groupBy": ["user", "project"], "maxKeys": 3}
    pages = house.user.pages(ACCOUNT, "DescribeCosts", asked)
    whole = house.user.do(ACCOUNT, "DescribeCosts", {**asked, "maxKeys": 1000})
    assert [row for page in pages for row in page["costs"]] == whole["costs"]
    assert {json.dumps(page["total"]) for page in pages} == {json.dumps(whole["total"])}
    marker = house.root.do(ACCOUNT, "DescribeCosts", asked)["nextMarker"]
    assert house.user.refused(ACCOUNT, "DescribeCosts", {**asked, "marker": marker}) == "InvalidMarker"


def test_costs_of_two_projects_are_the_sum_of_both_and_an_account_named_is_the_own_one(house: Movers) -> None:
    both = user_for(house.scene, house.root, [house.own, house.hidden_project], READ)
    default = user_for(house.scene, house.root, ["default"], READ)
    totals = [one.do(ACCOUNT, "DescribeCosts", SPAN)["total"] for one in (both, house.root, default)]
    assert totals[0] == totals[1]
    assert totals[2] == {"billed": "0.00", "amortised": "0.00"}
    own = {**SPAN, "accountId": house.root.account_id()}
    assert house.user.do(ACCOUNT, "DescribeCosts", own) == house.user.do(ACCOUNT, "DescribeCosts", SPAN)
    for other in (house.scene.operator.account_id(), "*", [house.root.account_id(), "0" * 32]):
        assert house.user.refused(ACCOUNT, "DescribeCosts", {**SPAN, "accountId": other}) == "AccessDenied"


def rows_of(caller: Caller, **asked: Any) -> list[dict[str, str]]:
    """Export two months; returns the rows."""
    text = caller.do(ACCOUNT, "ExportCosts", {"month": "2030-01", "lastMonth": "2030-02", "version": "1.4", **asked})
    return list(csv.DictReader(io.StringIO(str(text))))


def test_an_export_has_the_rows_of_the_projects_and_nothing_of_what_an_instance_is_elsewhere_now(house: Movers) -> None:
    shown, every = rows_of(house.user), rows_of(house.root)
    house.check_silent(shown)
    assert {row["SubAccountId"] for row in shown} == {house.own}
    own = [row for row in every if row["SubAccountId"] == house.own]
    # A term of an instance that is elsewhere now does not say how much of it is used there.
    here = [row["ResourceId"] in (house.mine, house.came) for row in own]
    assert [row for row in shown if row["ResourceId"] in (house.mine, house.came)] == [
        row for row, is_here in zip(own, here, strict=True) if is_here
    ]
    for column in ("BilledCost", "EffectiveCost"):
        sums = [Counter[str](), Counter[str]()]
        for rows, found in zip((shown, own), sums, strict=True):
            for row in rows:
                found[row["ResourceId"]] += int(Decimal(row[column]) * 10**6)
        assert sums[0] == sums[1]
    elsewhere = [row for row in shown if row["ResourceId"] not in (house.mine, house.came)]
    assert {row["ResourceId"] for row in elsewhere} == {house.left, house.visited, house.term}
    assert {(row["ResourceName"], row["Tags"], row["CapacityReservationStatus"]) for row in elsewhere} == {("", "", "")}


def test_each_dataset_of_an_export_keeps_to_the_projects(house: Movers) -> None:
    invoice = rows_of(house.user, dataset="InvoiceDetail")
    billed = sum(Decimal(row["BilledCost"]) for row in invoice)
    assert billed == Decimal(house.user.do(ACCOUNT, "DescribeCosts", SPAN)["total"]["billed"])
    (term,) = rows_of(house.user, dataset="ContractCommitment")
    assert (term["ContractId"], Decimal(term["ContractCommitmentCost"])) == (house.term, Decimal(200))
    assert len(rows_of(house.root, dataset="ContractCommitment")) == 1
    other = user_for(house.scene, house.root, [house.hidden_project], READ)
    assert rows_of(other, dataset="ContractCommitment") == []
    assert rows_of(house.user, dataset="BillingPeriod") == rows_of(house.root, dataset="BillingPeriod")
    billed_elsewhere = sum(Decimal(row["BilledCost"]) for row in rows_of(other, dataset="InvoiceDetail"))
    total = Decimal(house.root.do(ACCOUNT, "DescribeCosts", SPAN)["total"]["billed"])
    assert billed + billed_elsewhere == total


# --- events ----------------------------------------------------------------------------------------------


def events_seen(caller: Caller, **asked: Any) -> list[Any]:
    """Return events, oldest first."""
    found: list[Any] = []
    for page in caller.pages(EVENTS, "DescribeEvents", {"oldestFirst": True, "maxKeys": 1000, **asked}):
        found += page["events"]
    return found


def subject_of(event: Any) -> str:
    """Return what an event is about."""
    data = event["data"]
    return str(event.get("subject") or data.get("serviceId") or data.get("resourceId") or event["type"])


def expected(house: Movers) -> list[Any]:
    """Return the account's events that belong to the user's project, by when each thing was in it."""
    came_at, went_at = "2030-01-15T11:00:00", "2030-01-15T14:00:00"
    movers = (house.left, house.term, house.came, house.visited, house.moving_service)
    found = []
    for event in events_seen(house.root):
        thing, at = subject_of(event), event["time"]
        inside = {
            house.mine: True,
            house.service: True,
            house.left: at < came_at,
            house.term: at < came_at,
            house.came: at >= came_at,
            house.moving_service: at >= came_at,
            house.visited: came_at <= at < went_at,
        }
        if inside.get(thing, False) or (event["type"] == "resource.moved" and thing in movers):
            found.append(event)
    return found


def test_events_are_those_of_things_while_they_were_in_the_projects(house: Movers) -> None:
    seen, wanted = events_seen(house.user), expected(house)
    house.check_silent(seen)
    assert [event["id"] for event in seen] == [event["id"] for event in wanted]
    assert {event["type"] for event in seen} >= {"unit.bought", "unit.released", "resource.moved", "resource.tagged"}
    for event, of_root in zip(seen, wanted, strict=True):
        if event["type"] == "resource.moved":
            named = {name: event["data"][name] for name in ("projectId", "formerProjectId") if name in event["data"]}
            assert list(named.values()) == [house.own]
        elif event["type"] == "unit.releasing" and event["subject"] == house.came:
            assert "charged" in of_root["data"]
            assert "charged" not in event["data"]
        else:
            # The links of a reminder are for its buyer. An instance that is elsewhere now has no name here.
            shown = {name: value for name, value in of_root["data"].items() if name not in ("instanceName", "links")}
            assert {name: value for name, value in event["data"].items() if name != "instanceName"} == shown
    assert events_seen(house.user, oldestFirst=False) == seen[::-1]


def test_pages_and_filters_of_events_hide_the_same(house: Movers) -> None:
    seen = events_seen(house.user)
    for size in (1, 2, 5):
        pages = house.user.pages(EVENTS, "DescribeEvents", {"oldestFirst": True, "maxKeys": size})
        assert [len(page["events"]) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert [event for page in pages for event in page["events"]] == seen
    for unit in (house.mine, house.left, house.came, house.visited):
        assert events_seen(house.user, instanceId=unit) == [event for event in seen if event.get("subject") == unit]
    assert events_seen(house.user, instanceId=house.hidden) == []
    some = ["unit.bought", "resource.moved", "iam.userCreated"]
    assert house.user.refused(EVENTS, "DescribeEvents", {"types": some}) == "AccessDenied"
    assert events_seen(house.user, types=some[:2]) == [event for event in seen if event["type"] in some]
    for kind in ("account.tagPolicyChanged", "approval.asked", "subscription.paused"):
        assert events_seen(house.user, types=[kind]) == []
    asked = {"oldestFirst": True, "maxKeys": 1}
    marker = house.root.do(EVENTS, "DescribeEvents", asked)["nextMarker"]
    hidden = next(event for event in events_seen(house.root) if event.get("subject") == house.hidden)
    assert house.user.refused(EVENTS, "DescribeEvents", {**asked, "marker": marker}) == "InvalidMarker"
    absent = house.user.ask(EVENTS, "FollowEvents", {"after": "999-0"})
    answer = house.user.ask(EVENTS, "FollowEvents", {"after": hidden["id"]})
    assert answer.body["message"] == absent.body["message"].replace("999-0", hidden["id"])


def test_who_follows_gets_what_happens_in_the_projects_and_loses_it_with_the_right(house: Movers) -> None:
    follower = user_for(house.scene, house.root, [house.own], READ)
    stream = Following(
        follower, after=next(one["id"] for one in events_seen(house.user) if one["type"] == "resource.moved")
    )
    seen = events_seen(house.user)
    begun = [event["id"] for event in seen].index(json.loads(stream.body)["after"]) + 1

    async def meanwhile(stream: Following) -> None:
        desk = house.root.desk
        await stream.until(lambda: len(stream.events) == len(seen) - begun)
        for project in (house.hidden_project, house.own, house.hidden_project, house.own):
            bought = (await desk.call(UNITS, "PurchaseComputeUnit", {**order(), "projectId": project})).result
            if project == house.own:
                await stream.until(partial(stream.tells_of, bought["instanceId"]))

    house.scene.play(lambda: stream.read(meanwhile))
    assert stream.events[: len(seen) - begun] == seen[begun:]
    house.check_silent(stream.events)
    assert stream.ids == [event["id"] for event in events_seen(house.user)][begun:]
    detached = {"userId": id_of(house.root, follower), "policyName": READ, "projectIds": [house.own]}
    ended = Following(follower)

    async def take_away(ended: Following) -> None:
        await ended.until(lambda: len(ended.received) > 1)
        (await house.root.desk.call("/v2/iam", "DetachPolicy", detached)).result  # noqa: B018 - fails for a refusal
        await ended.until(lambda: ended.received[-1] == b"")

    house.scene.play(lambda: ended.read(take_away))
    assert follower.refused(EVENTS, "DescribeEvents") == "AccessDenied"


# --- explanations ----------------------------------------------------------------------------------------


def test_an_instance_is_explained_by_its_minutes_in_the_projects(house: Movers) -> None:
    for unit in (house.left, house.visited, house.hidden, house.term):
        assert house.user.refused(UNITS, "ExplainComputeUnit", {"instanceId": unit}) == "InstanceNotFound"
    of_root = house.root.do(UNITS, "ExplainComputeUnit", {"instanceId": house.came})
    shown = house.user.do(UNITS, "ExplainComputeUnit", {"instanceId": house.came})
    house.check_silent(shown)
    assert (Decimal(of_root["cost"]), Decimal(shown["cost"])) == (Decimal(225), Decimal(135))
    assert "135.00" in shown["text"]
    assert "225" not in shown["text"]
    assert len(of_root["attempts"]) == 2
    assert [(one["code"], one.get("message")) for one in shown["attempts"]] == [("InappropriateJSON", None)]
    assert [one["id"] for one in shown["events"]] == [
        one["id"] for one in events_seen(house.user, instanceId=house.came, oldestFirst=False)
    ]
    mine = house.user.do(UNITS, "ExplainComputeUnit", {"instanceId": house.mine})
    assert mine == house.root.do(UNITS, "ExplainComputeUnit", {"instanceId": house.mine})


def test_an_explanation_says_nothing_of_the_balance_and_the_limits(either: ServiceHarness) -> None:
    root = either.customer(funds="350")
    own = root.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    user = user_for(either, root, [own], READ)
    bought = {**order(months=1, autoRenew=True), "projectId": own}
    unit = root.do(UNITS, "PurchaseComputeUnit", bought)["instanceId"]
    assert "2 in a row as things stand" in root.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    texts = [user.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})]
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "1000", "accountId": root.account_id()})
    root.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": "1"}})
    assert "a limit does not allow it" in root.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    texts.append(user.do(UNITS, "ExplainComputeUnit", {"instanceId": unit}))
    root.do(ACCOUNT, "SetGuardRails", {"limits": {"spend": None}})
    assert texts[0] == texts[1]
    assert "Its renewal by 1 month is tried at 2030-02-" in texts[0]["text"]
    assert "see whether its balance and its limits allow that" in texts[0]["text"]
    assert texts[0]["endsBy"] == "expiry"
    postpaid = root.do(UNITS, "PurchaseComputeUnit", {**order(), "projectId": own})["instanceId"]
    either.advance("2030-01-20 08:00:00")
    assert "in debt since" in root.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    for one in (unit, postpaid):
        assert "in debt since" not in user.do(UNITS, "ExplainComputeUnit", {"instanceId": one})["text"]
    either.operator.do("/v2/iam", "SuspendAccount", {"accountId": root.account_id(), "reason": SECRET})
    text = user.do(UNITS, "ExplainComputeUnit", {"instanceId": unit})["text"]
    assert "Its account is suspended, so it is neither resized nor renewed." in text
    assert SECRET not in text


def test_a_reader_of_every_accounts_bills_is_not_confined_by_a_policy_for_a_project(house: Movers) -> None:
    user = house.scene.user(house.root, BILLING_READ)
    house.scene.operator.do(
        "/v2/iam",
        "AttachPolicy",
        {
            "userId": id_of(house.root, user),
            "policyName": READ,
            "projectIds": [house.own],
            "accountId": house.root.account_id(),
        },
    )
    assert user.do(ACCOUNT, "DescribeCosts", SPAN) == house.root.do(ACCOUNT, "DescribeCosts", SPAN)


# --- service keys ----------------------------------------------------------------------------------------


def test_service_keys_are_those_that_open_a_service_of_the_projects(house: Movers) -> None:
    root, user = house.root, house.user
    everywhere = root.do(SERVICE, "CreateServiceKey", {"name": SECRET})["keyId"]
    other = house.add_service(house.hidden_project, f"{SECRET}-2")
    hidden = root.do(SERVICE, "CreateServiceKey", {"name": SECRET, "serviceId": other})["keyId"]
    shown = [root.do(SERVICE, "CreateServiceKey", {"name": "shop", "serviceId": house.service})["keyId"]]
    made = user.do(SERVICE, "CreateServiceKey", {"name": "own", "serviceId": house.service, "tags": {"team": "maps"}})
    shown.append(made["keyId"])
    for body, code in (({}, "AccessDenied"), ({"serviceId": other}, "ServiceNotFound")):
        assert user.refused(SERVICE, "CreateServiceKey", {"name": "shop", **body}) == code
    listed = user.do(SERVICE, "DescribeServiceKeys")["keyList"]
    house.check_silent(listed)
    assert [one["keyId"] for one in listed] == shown
    assert listed[1]["tags"] == {"team": "maps"}
    assert "orphanReason" not in listed[1]
    every = root.do(SERVICE, "DescribeServiceKeys")["keyList"]
    assert [one for one in every if one["keyId"] in shown] == listed
    assert {everywhere, hidden} <= {one["keyId"] for one in every}
    pages = user.pages(SERVICE, "DescribeServiceKeys", {"maxKeys": 1})
    assert [one["keyId"] for page in pages for one in page["keyList"]] == shown
    assert user.refused(SERVICE, "DescribeServiceKeys", {"serviceId": other}) == "ServiceNotFound"
    absent = user.ask(SERVICE, "DeleteServiceKey", {"keyId": "key-000000000000"})
    for key in (everywhere, hidden):
        answer = user.ask(SERVICE, "DeleteServiceKey", {"keyId": key})
        assert answer.body["message"] == absent.body["message"].replace("key-000000000000", key)
    # The service moves away: its keys go with it, and the user answers for the own one no longer.
    house.move(house.hidden_project, house.service)
    assert user.do(SERVICE, "DescribeServiceKeys")["keyList"] == []
    assert user.refused(SERVICE, "DeleteServiceKey", {"keyId": shown[1]}) == "ResourceNotFound"
    reasons = {one["keyId"]: one.get("orphanReason") for one in root.do(SERVICE, "DescribeServiceKeys")["keyList"]}
    assert [reasons[key] for key in shown] == [None, "MakerMayNot"]
    house.move(house.own, house.service)
    reader = user_for(house.scene, root, [house.own], READ)
    assert [one["keyId"] for one in reader.do(SERVICE, "DescribeServiceKeys")["keyList"]] == shown
    assert reader.refused(SERVICE, "DeleteServiceKey", {"keyId": shown[0]}) == "AccessDenied"
    for key in shown:
        assert user.do(SERVICE, "DeleteServiceKey", {"keyId": key}) is True
    assert user.do(SERVICE, "DescribeServiceKeys")["keyList"] == []


# --- the console -----------------------------------------------------------------------------------------


def test_the_console_of_a_user_of_a_project_shows_what_the_actions_do(house: Movers) -> None:
    browser = Browser(house.scene)
    browser.sign_in(id_of(house.root, house.user))
    menu = re.findall(r'href="(/console/[a-z-]+)"', browser.get("/console").text)
    units = [f"/console/units/{unit}" for unit in (house.mine, house.came, house.left)]
    pages = {"/console", "/console/money/costs", f"/console/services/{house.service}", *units, *menu}
    for page in sorted(pages):
        shown = browser.get(page)
        if page == "/console/money":
            # The balance is the account's. In its place are the costs of the projects.
            assert shown.location == "/console/money/costs"
            shown = browser.get(shown.location)
        assert shown.status == (404 if house.left in page else 200), (page, shown.status)
        house.check_silent(shown.text)
