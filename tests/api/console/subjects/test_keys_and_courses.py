"""The keys of a service on its page, and the page of subscriptions: how their deliveries go, and their projects."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from leasebook.contract.action import PROJECT
from leasebook.contract.policies import FULL, OPERATE, READ
from tests.api.console.browser import Browser
from tests.api.console.subjects.test_administration import ODD, press
from tests.api.console.test_pages import signed_in
from tests.api.console.test_services import counted
from tests.api.scene import CLOCK, IAM, NOTIFICATION, SERVICE, Caller, ServiceHarness
from tests.outbox.receivers import until

PAGE = "/console/admin/subscriptions"


@pytest.mark.mostly_embedded
def test_a_key_is_made_shown_once_and_deleted(owner: Caller, browser: Browser) -> None:
    service, other = counted(owner), counted(owner, "other")
    home = f"/console/services/{service}"
    assert "No key opens it yet." in browser.get(home).words()
    made = press(browser, home, f"{home}/keys", name=ODD, opens="this", once="k" * 20)
    assert made.status == 200, made.words()
    key = made.words().partition(" Key ")[2].split()[0]
    assert re.fullmatch(r"lsk-\S{40,}", key)
    again = press(browser, home, f"{home}/keys", name=ODD, opens="this", once="k" * 20)
    assert key in again.words(), "the form that is sent twice shows the same key"
    press(browser, home, f"{home}/keys", name="wide", opens="all", once="l" * 20)
    owner.do(SERVICE, "CreateServiceKey", {"name": "elsewhere", "serviceId": other})
    shown = browser.get(home)
    assert (key in shown.text, ODD in shown.text, ODD in shown.words()) == (False, False, True)
    assert ("elsewhere" in shown.words(), "every service of the account" in shown.words()) == (False, True)
    rows = {one["name"]: one["keyId"] for one in owner.do(SERVICE, "DescribeServiceKeys")["keyList"]}
    asked = press(browser, home, f"{home}/keys/delete", key=rows[ODD], name=ODD)
    assert f"Delete the key {ODD}?" in asked.words()
    assert len(owner.do(SERVICE, "DescribeServiceKeys")["keyList"]) == 3, "a question deletes nothing"
    done = browser.post(f"{home}/keys/delete", asked.form(f"{home}/keys/delete"))
    assert "The key is deleted." in browser.get(done.location).words()
    assert rows[ODD] not in browser.get(home).text
    refused = press(browser, home, f"{home}/keys/delete", key=rows[ODD], sure="1")
    assert (refused.status, "There is no service key" in refused.words()) == (404, True)
    refused = press(browser, home, f"{home}/keys", name="n" * 65, opens="all", once="m" * 20)
    assert refused.status == 400
    assert f'value="{"n" * 65}"' in refused.text
    assert '<option value="all" selected>' in refused.text


@pytest.mark.mostly_embedded
def test_keys_are_shown_to_readers_of_keys_with_those_that_no_user_answers_for(
    scene: ServiceHarness, owner: Caller
) -> None:
    service = counted(owner)
    home = f"/console/services/{service}"
    maker = owner.do(IAM, "CreateUser", {"name": "maker"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": maker, "policyName": OPERATE})
    own = Browser(scene)
    own.sign_in(maker)
    assert press(own, home, f"{home}/keys", name="shop", once="s" * 20).status == 200
    assert "no active access key; it still works" in own.get(home).words()
    owner.do(IAM, "DetachPolicy", {"userId": maker, "policyName": OPERATE})
    reader = signed_in(scene, owner, READ)
    shown = reader.get(home)
    assert "Opens nothing: its maker may not make keys any more" in shown.words()
    assert (shown.has_form(f"{home}/keys"), shown.has_form(f"{home}/keys/delete")) == (False, False)
    token = shown.form("/console/sign-out")
    for address, fields in ((f"{home}/keys", {"name": "forged"}), (f"{home}/keys/delete", {"key": "x", "sure": "1"})):
        assert reader.post(address, token | fields).status == 403
        assert reader.post(address, fields).status == 403
    owner.do(IAM, "DeleteUser", {"userId": maker})
    chinese = Browser(scene, language="zh-CN")
    chinese.sign_in(owner.do(IAM, "DescribeUsers")["users"][0]["userId"])
    words = chinese.get(home).words()
    assert "已被删除" in words
    assert not re.search(r"Opens|Make a key|Keys for|its maker", words), words


@pytest.mark.mostly_embedded
def test_a_user_with_a_policy_for_projects_makes_keys_for_a_service_of_these(
    scene: ServiceHarness, owner: Caller
) -> None:
    project = owner.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    service = counted(owner, projectId=project)
    member = owner.do(IAM, "CreateUser", {"name": "member"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": member, "policyName": OPERATE, "projectIds": [project]})
    own, home = Browser(scene), f"/console/services/{service}"
    own.sign_in(member)
    shown = own.get(home)
    assert (shown.has_form(f"{home}/keys"), 'name="opens"' in shown.text) == (True, False)
    assert press(own, home, f"{home}/keys", name="shop", once="s" * 20).status == 200
    (key,) = owner.do(SERVICE, "DescribeServiceKeys")["keyList"]
    assert key["serviceId"] == service


def test_a_subscription_says_that_its_deliveries_fail(scene: ServiceHarness, owner: Caller, browser: Browser) -> None:
    made = {"kind": "Webhook", "url": "https://hooks.invalid/x", "types": ["unit.bought"]}
    hook = owner.do(NOTIFICATION, "CreateSubscription", made)["subscriptionId"]
    quiet = owner.do(NOTIFICATION, "CreateSubscription", made | {"url": "https://hooks.invalid/quiet"})
    page = f"/console/admin/deliveries?subscription={hook}"
    assert "Failing since" not in browser.get(PAGE).words()
    owner.do(NOTIFICATION, "TestSubscription", {"subscriptionId": hook})

    def waiting() -> Any:
        (found,) = owner.do(NOTIFICATION, "DescribeDeliveries", {"subscriptionId": hook})["deliveries"]
        return found

    async def is_(state: str) -> bool:
        asked = {"subscriptionId": hook, "state": state}
        (found,) = (await owner.desk.call(NOTIFICATION, "DescribeDeliveries", asked)).result["deliveries"] or ({},)
        return bool(found) and (state == "GivenUp" or "failure" in found)

    scene.runner.run(until("it failed", lambda: is_("Waiting")))
    for address in (PAGE, page):
        words = browser.get(address).words()
        assert words.count("Deliveries fail") == 1, address
        assert "Failing since" in words, address
        assert "Next attempt" in words, address
    assert " Active" in browser.get(PAGE).words(), "the quiet one is Active"
    chinese = Browser(scene, language="zh-CN")
    chinese.sign_in(owner.do(IAM, "DescribeUsers")["users"][0]["userId"])
    assert "投递失败" in chinese.get(PAGE).words()
    began = datetime.fromisoformat(scene.operator.do(CLOCK, "DescribeClock")["now"])
    scene.operator.do(CLOCK, "AdvanceClock", {"to": (began + timedelta(hours=80)).isoformat()})
    scene.runner.run(until("it is given up", lambda: is_("GivenUp")))
    assert waiting()["state"] == "GivenUp"
    for address in (PAGE, page):
        words = browser.get(address).words()
        assert "Deliveries fail" not in words
        assert "Given up 1" in words, (address, words)
    assert quiet["status"] == "Active"


def test_a_subscription_is_for_projects_that_are_chosen_by_name(
    scene: ServiceHarness, owner: Caller, browser: Browser
) -> None:
    ids = [owner.do(PROJECT, "CreateProject", {"name": one})["projectId"] for one in ("atlas", "borealis", "closed")]
    owner.do(PROJECT, "CloseProject", {"projectId": ids.pop()})
    shown = browser.get(PAGE)
    assert sorted(re.findall(r'name="project" value="([^"]*)"', shown.text)) == sorted(["default", *ids])
    fields = {"act": "create", "kind": "Webhook", "types": "unit.*", "once": "p" * 20}
    token = shown.form("/console/sign-out")
    refused = browser.post(PAGE, token | fields | {"to": "no address", "project": [ids[1]]})
    assert refused.status == 400
    assert re.findall(r'name="project" value="([^"]*)" checked', refused.text) == [ids[1]]
    assert browser.post(PAGE, token | fields | {"to": "https://hooks.test/p", "project": ids}).status == 200
    (one,) = owner.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"]
    assert sorted(one["projectIds"]) == sorted(ids)
    assert re.search(r"Projects (atlas, borealis|borealis, atlas)", browser.get(PAGE).words())
    member = owner.do(IAM, "CreateUser", {"name": "member"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": member, "policyName": FULL, "projectIds": [ids[0]]})
    own = Browser(scene)
    own.sign_in(member)
    shown = own.get(PAGE)
    assert re.findall(r'name="project" value="([^"]*)"', shown.text) == [ids[0]]
