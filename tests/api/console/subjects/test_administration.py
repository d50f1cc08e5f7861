"""The forms of administration: each does what it says, and a refused one comes back with all that was typed."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from leasebook.contract.action import PROJECT
from leasebook.contract.policies import OPERATE, OPERATOR, READ, SUPPORT
from tests.api.console.browser import Browser, Shown
from tests.api.console.test_pages import signed_in
from tests.api.scene import ACCOUNT, CLOCK, EVENTS, IAM, NOTIFICATION, UNITS, Caller, ServiceHarness, order

TONIGHT = "2030-01-15T22:00:00+08:00"
ODD = """<b>'"&{{7*7}}"""
"""A name that would be seen if a page wrote it as it is."""


def press(browser: Browser, page: str, action: str = "", **fields: str) -> Shown:
    """Send a form of a page with these fields, and go where the answer leads."""
    shown = browser.get(page)
    assert shown.status == 200, shown.words()
    token = shown.form("/console/sign-out")
    answer = browser.post(action or page.partition("?")[0], token | fields)
    return browser.get(answer.location) if answer.status == 303 else answer


def surely(browser: Browser, page: str, **fields: str) -> Shown:
    """Press a button that ends something, and answer the question that follows with yes."""
    asked = press(browser, page, **fields)
    assert asked.words().count("No, leave it as it is") == 1, asked.words()
    answer = browser.post(page, asked.form(page))
    return browser.get(answer.location) if answer.status == 303 else answer


def kept(shown: Shown, name: str) -> str:
    """Return what a field of a page has in it."""
    found = re.search(rf'<input(?! type="hidden")[^>]*name="{name}"[^>]*?value="([^"]*)"', shown.text)
    assert found is not None, name
    return html.unescape(found[1])


def account_of(scene: ServiceHarness, name: str) -> Any:
    (found,) = scene.operator.do(IAM, "DescribeAccounts", {"nameContains": name})["accounts"]
    return found


def test_an_account_lives_its_whole_life(scene: ServiceHarness, house: Browser) -> None:
    once = "x" * 20
    made = press(house, "/console/admin/accounts", name="vision", zone="America/New_York", once=once)
    assert made.status == 200
    one = account_of(scene, "vision")
    home = f"/console/admin/accounts/{one['accountId']}"
    assert one["timeZone"] == "America/New_York"
    secret = made.words().partition("Secret key ")[2].split()[0]
    (user,) = scene.operator.do(IAM, "DescribeUsers", {"accountId": one["accountId"]})["users"]
    root = scene.caller({"accessKeyId": user["accessKeys"][0]["accessKeyId"], "secretAccessKey": secret})
    assert root.account_id() == one["accountId"]
    assert secret not in house.get(home).text

    assert "The money is on the balance." in press(house, home, act="top-up", amount="12.345678", once="y" * 20).words()
    assert root.balance() == "12.345678"
    press(house, home, act="rename", name=f"vision {ODD}")
    assert f"vision {ODD}" in house.get(home).words()
    assert ODD not in house.get("/console/admin/accounts").text
    suspended = press(house, home, act="suspend", reason="audit")
    assert "Suspended" in suspended.words()
    assert "audit" in suspended.words()
    assert root.refused(UNITS, "PurchaseComputeUnit", order()) == "AccountSuspended"
    press(house, home, act="resume")
    assert account_of(scene, "vision")["status"] == "Active"

    refused = surely(house, home, act="close")
    assert refused.status == 409
    assert "12.345678" in refused.words()
    assert "<details open>" in refused.text
    assert "The account is closed." in surely(house, home, act="close", pay_out="1").words()
    assert account_of(scene, "vision")["status"] == "Closed"
    assert not house.get(home).has_form(home)


def test_a_refused_form_of_an_account_keeps_what_was_typed(scene: ServiceHarness, house: Browser) -> None:
    page = "/console/admin/accounts"
    refused = press(house, page, name="kept-name", zone="Mars/Olympus", once="a" * 20)
    assert refused.status == 400
    assert "zone" in refused.words().lower()
    assert (kept(refused, "zone"), 'value="kept-name"' in refused.text) == ("Mars/Olympus", True)
    home = f"{page}/{scene.customer().account_id()}"
    for act, name, typed in (
        ("top-up", "amount", "1.2345678"),
        ("rename", "name", "n" * 5000),
        ("suspend", "reason", "r" * 5000),
    ):
        refused = press(house, home, act=act, **{name: typed})
        assert refused.status == 400, act
        assert 'role="alert"' in refused.text, act
        assert kept(refused, name) == typed, act
        others = {"amount": "", "name": "customer", "reason": ""}
        for other in others.keys() - {name}:
            assert kept(refused, other) == others[other], act


def test_a_user_is_made_permitted_and_deleted(owner: Caller, browser: Browser) -> None:
    page = "/console/admin/users"
    press(browser, page, act="create", name=ODD, once="u" * 20)
    press(browser, page, act="create", name=ODD, once="u" * 20)
    users = owner.do(IAM, "DescribeUsers")["users"]
    (user,) = (one for one in users if not one["isRoot"])
    assert (user["name"], ODD in browser.get(page).text, ODD in browser.get(page).words()) == (ODD, False, True)
    assert "Everything in the account, without a policy." in browser.get(page).words()
    assert "No policies: this user may do nothing" in browser.get(page).words()
    attached = press(browser, page, act="attach", user=user["userId"], policy=READ).words()
    assert "Read see everything in the account, its users included" in attached
    assert [one["policies"] for one in owner.do(IAM, "DescribeUsers")["users"] if not one["isRoot"]] == [[READ]]

    made = press(browser, page, act="new-key", user=user["userId"], name=ODD, once="k" * 20)
    key, secret = (made.words().partition(name)[2].split()[0] for name in ("Access key ", "Secret key "))
    assert secret not in browser.get(page).text
    assert key in browser.get(page).text
    caller = Caller(owner.runner, owner.desk.as_user(key, secret))
    assert caller.account_id() == owner.account_id()
    assert f"Disable the key {key}?" in press(browser, page, act="disable", key=key).words()
    assert caller.account_id() == owner.account_id(), "a question disables nothing"
    assert "The key is disabled." in surely(browser, page, act="disable", key=key).words()
    assert caller.refused(ACCOUNT, "DescribeAccount") == "InvalidAccessKeyId"
    press(browser, page, act="enable", key=key)
    assert caller.account_id() == owner.account_id()

    press(browser, page, act="detach", user=user["userId"], policy=READ)
    assert caller.refused(ACCOUNT, "DescribePostings") == "AccessDenied"
    assert f"Delete the user {ODD}?" in press(browser, page, act="delete", user=user["userId"], name=ODD).words()
    assert len(owner.do(IAM, "DescribeUsers")["users"]) == len(users)
    surely(browser, page, act="delete", user=user["userId"])
    assert len(owner.do(IAM, "DescribeUsers")["users"]) == len(users) - 1
    refused = press(browser, page, act="create", name="n" * 3000, once="v" * 20)
    assert (refused.status, kept(refused, "name")) == (400, "n" * 3000)


def test_policies_over_every_account_are_offered_to_operators_only(browser: Browser, house: Browser) -> None:
    assert f'<option value="{OPERATOR}"' not in browser.get("/console/admin/users").text
    press(house, "/console/admin/users", act="create", name="colleague", once="o" * 20)
    assert f'<option value="{SUPPORT}"' in house.get("/console/admin/users").text


def test_a_project_is_made_and_closed(scene: ServiceHarness, owner: Caller, browser: Browser) -> None:
    page = "/console/admin/projects"
    press(browser, page, act="create", name="atlas", description=ODD, once="p" * 20)
    found = owner.do(PROJECT, "DescribeProjects")["projects"]
    (made,) = (one for one in found if one["name"] == "atlas")
    assert (made["description"], ODD in browser.get(page).text) == (ODD, False)
    refused = press(browser, page, act="create", name="atlas", description="again", once="q" * 20)
    assert (refused.status, kept(refused, "name"), kept(refused, "description")) == (400, "atlas", "again")
    press(browser, page, act="rename", project=made["projectId"], name="borealis")
    assert f'href="/console/units?projectId={made["projectId"]}"' in browser.get(page).text
    member = owner.do(IAM, "CreateUser", {"name": "member"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": member, "policyName": OPERATE, "projectIds": [made["projectId"]]})
    assert "Operate only in the projects: borealis" in browser.get("/console/admin/users").words()
    own = Browser(scene)
    own.sign_in(member)
    assert "Policies Operate: borealis" in own.get("/console/account").words()
    surely(browser, page, act="close", project=made["projectId"])
    closed = owner.do(PROJECT, "DescribeProjects", {"status": "Closed"})["projects"]
    assert [(one["name"], one["status"]) for one in closed] == [("borealis", "Closed")]


def test_an_approval_buys_and_a_rejection_has_its_reason(scene: ServiceHarness, owner: Caller) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": {"units": {"gpu-1": 2}}}})
    buyer, browser = scene.user(owner, OPERATE), signed_in(scene, owner)
    for _ in range(2):
        assert buyer.refused(UNITS, "PurchaseComputeUnit", order(count=3)) == "ApprovalNeeded"
    page = "/console/admin/approvals"
    first, second = owner.do(ACCOUNT, "DescribeApprovals", {"status": "Open"})["approvals"]
    assert "bj gpu-1" in browser.get(page).words()
    press(browser, page, act="approve", approval=first["approvalId"])
    assert len(owner.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]) == 1
    refused = press(browser, page, act="reject", approval=second["approvalId"], reason="x" * 5000)
    assert refused.status == 400
    assert "x" * 5000 in refused.text
    press(browser, page, act="reject", approval=second["approvalId"], reason=ODD)
    (rejected,) = owner.do(ACCOUNT, "DescribeApprovals", {"status": "Rejected"})["approvals"]
    assert rejected["reason"] == ODD
    shown = browser.get(f"{page}?status=Rejected")
    assert (ODD in shown.text, ODD in shown.words()) == (False, True)
    assert press(browser, page, act="approve", approval=second["approvalId"]).status == 409


def test_an_offering_is_set_closed_reopened_and_removed(scene: ServiceHarness, house: Browser) -> None:
    page, named = "/console/admin/catalogue", {"region": "gz", "type": "xpu-x"}
    press(house, page, act="set", stock="7", minute="0.000001", month="3.5", **named)
    one = scene.operator.offering("gz", "xpu-x")
    assert (one["stockTotal"], one["pricePerMinute"], one["pricePerMonth"]) == (7, "0.000001", "3.50")
    press(house, page, act="set", minute="0.25", **named)
    one = scene.operator.offering("gz", "xpu-x")
    assert (one["stockTotal"], one["pricePerMinute"]) == (7, "0.25")
    assert "0.25" in house.get(f"{page}/prices?region=gz&type=xpu-x").words()
    surely(house, page, act="close", **named)
    assert "closed" in house.get(page).words()
    press(house, page, act="reopen", **named)
    surely(house, page, act="close", **named)
    surely(house, page, act="remove", **named)
    assert "xpu-x" not in house.get(page).words()


@pytest.mark.parametrize("stock", ["many", "9" * 5000, "-1", "٣", "1.5", "9" * 19])
def test_an_offering_that_is_refused_stays_in_the_form(house: Browser, stock: str) -> None:
    refused = press(house, "/console/admin/catalogue", act="set", region="gz", type="odd", minute="1", stock=stock)
    assert refused.status == 400
    assert [kept(refused, one) for one in ("region", "type", "minute", "stock")] == ["gz", "odd", "1", stock]


def test_a_subscription_is_made_paused_and_deleted(owner: Caller, browser: Browser) -> None:
    page = "/console/admin/subscriptions"
    fields = {"act": "create", "kind": "Webhook", "to": "https://hooks.test/x", "types": "unit.*, account.arrears"}
    made = press(browser, page, **fields, once="s" * 20)
    (one,) = owner.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"]
    secret = made.words().partition("never again. ")[2].split()[0]
    assert len(secret) > 20
    assert secret not in browser.get(page).text
    assert one["types"] == ["account.arrears", "unit.*"]
    named = {"subscription": one["subscriptionId"]}

    def status() -> str:
        return str(owner.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"][0]["status"])

    press(browser, page, act="pause", **named)
    assert status() == "Paused"
    press(browser, page, act="activate", **named)
    assert status() == "Active"
    press(browser, page, act="test", **named)
    deliveries = f"/console/admin/deliveries?subscription={one['subscriptionId']}"
    assert "Waiting" in browser.get(deliveries).words()
    assert press(browser, page, act="again", **named).status == 200
    refused = press(browser, deliveries, event="evt-none", **named)
    assert refused.status == 400
    assert "Waiting" in refused.words()
    surely(browser, page, act="delete", **named)
    assert owner.do(NOTIFICATION, "DescribeSubscriptions")["subscriptions"] == []
    refused = press(browser, page, act="create", kind="Email", to="no address", types=ODD, once="t" * 20)
    assert (refused.status, kept(refused, "to"), kept(refused, "types")) == (400, "no address", ODD)
    assert '<option value="Email" selected>' in refused.text


def test_the_audit_log_is_searched_by_each_field(owner: Caller, browser: Browser) -> None:
    unit, page = owner.buy(release=TONIGHT), "/console/admin/audit"
    owner.schedule(unit, "2030-01-15T23:00:00+08:00")
    me = next(one for one in owner.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    owner.refused(UNITS, "ReleaseComputeUnit", {"instanceId": "unit-none"})
    day = {"since": "2030-01-15T08:00", "until": "2031-01-01T00:00"}
    found = {
        "action=PurchaseComputeUnit": "PurchaseComputeUnit",
        "code=InstanceNotFound": "InstanceNotFound",
        f"unit={unit}": "AutoReleaseComputeUnit",
        f"user={me['userId']}": "PurchaseComputeUnit",
        f"key={me['accessKeys'][0]['accessKeyId']}": "PurchaseComputeUnit",
        "address=198.51.100.7": None,
        f"since={day['since']}&until={day['until']}": "PurchaseComputeUnit",
        "since=2031-01-01T00:00": None,
    }
    for query, seen in found.items():
        shown = browser.get(f"{page}?{query}")
        assert shown.status == 200, (query, shown.words())
        table = shown.words().partition("What was asked")[2]
        assert (seen or "Nothing was found") in table, query
    assert browser.get(f"{page}?since=then").status == 400


def test_times_are_typed_on_the_clocks_of_the_reader_s_account(scene: ServiceHarness) -> None:
    abroad = scene.customer("1000", zone="America/New_York")
    browser, unit = signed_in(scene, abroad, OPERATOR), abroad.buy()
    account = abroad.account_id()
    end = f"/console/admin/fleet/end?unit={unit}&account={account}"
    assert "on the clocks of America/New_York" in browser.get(end).words()
    fields = {"unit": unit, "account": account, "reason": "maintenance"}
    press(browser, end, at="2030-06-20T10:30", **fields)
    assert abroad.unit(unit)["releaseTime"] == "2030-06-20T22:30:00+08:00"
    assert kept(signed_in(scene, abroad).get(f"/console/units/{unit}"), "at") == "2030-06-20T10:30"
    # Eight in the morning in Shanghai is the evening of the 14th in New York.
    near = browser.get(
        "/console/admin/audit?since=2030-01-14T18:30&until=2030-01-14T23:59&action=AutoReleaseComputeUnit"
    )
    assert unit in near.text


def test_the_clock_is_moved_and_never_back(scene: ServiceHarness, house: Browser) -> None:
    page = "/console/admin/health"
    before = scene.now()
    press(house, page, "/console/admin/clock", to=(before.replace(microsecond=0)).isoformat()[:16])
    moved = before.replace(second=0, microsecond=0).isoformat()[:16]
    refused = press(house, page, "/console/admin/clock", to="2029-01-01T00:00")
    assert (refused.status, kept(refused, "to")) == (400, "2029-01-01T00:00")
    assert press(house, page, "/console/admin/clock", to="soon").status == 400
    assert scene.now().isoformat()[:16] >= moved
    later = before.replace(minute=0, second=0, microsecond=0, hour=23).isoformat()[:16]
    press(house, page, "/console/admin/clock", to=later)
    assert scene.operator.do(CLOCK, "DescribeClock")["now"][:16] == later


def test_health_shows_late_releases_by_how_late_they_were_and_the_servers(
    scene: ServiceHarness, house: Browser, owner: Caller
) -> None:
    page = "/console/admin/health"
    shown = house.get(page).words()
    assert "No release is overdue" in shown
    assert "answers you" in shown
    meter = scene.running.metrics
    for late in (0.02, 0.5, 200.0, 5000.0):
        meter.due_done("release", late)
    part = house.get(page, hx_request="true")
    assert "<html" not in part.text
    bars = re.findall(r"<dt>([^<]*)</dt><dd><svg.*?</svg><span>(\d+)</span>", part.text, re.DOTALL)
    counts = {name: int(count) for name, count in bars}
    assert next(iter(counts)) == "up to 0.1 s"
    assert min(counts["up to 0.1 s"], counts["up to 1 s"], counts["up to 5 minutes"], counts["longer"]) >= 1
    found = scene.operator.do(CLOCK, "DescribeDueWork")
    assert sum(counts.values()) == sum(one["releases"] for one in found["lateness"])
    owner.buy(release=(scene.now() + timedelta(minutes=9)).isoformat())
    assert re.search("Releases 0 . [1-9]", house.get(page).words())
    reader = signed_in(scene, owner)
    assert reader.get(page).status == 403


def test_health_names_the_server_whose_releases_it_counts_where_there_are_several(
    scene: ServiceHarness, house: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = scene.running.console
    assert console is not None
    peers = console.parts.context.work.peers
    look = peers.look
    alone = house.get("/console/admin/health").words()
    assert "Each server counts its own" in alone

    def crowd(workers: Any) -> Any:
        (me,) = look(workers)
        return [me, me._replace(worker=msgspec.structs.replace(me.worker, id="other", node="gpu-07"))]

    monkeypatch.setattr(peers, "look", crowd)
    several = house.get("/console/admin/health").words()
    assert re.search("Only the releases of .+ are counted here 1 other server or worker counts its own", several)
    assert "gpu-07" in several
    assert "counted here" not in alone


def test_an_operator_ends_a_unit_and_its_owner_sees_why(owner: Caller, house: Browser) -> None:
    unit, account = owner.buy(), owner.account_id()
    fleet = house.get(f"/console/admin/fleet?account={account}")
    assert f"unit={unit}" in fleet.text
    end = f"/console/admin/fleet/end?unit={unit}&account={account}"
    refused = press(house, end, unit=unit, account=account, reason="r" * 5000, at="")
    assert refused.status == 400
    assert kept(refused, "reason") == "r" * 5000
    late = press(house, end, unit=unit, account=account, reason="rack", at="2000-01-01T00:00")
    assert (late.status, kept(late, "at"), kept(late, "reason")) == (400, "2000-01-01T00:00", "rack")
    assert owner.unit(unit)["status"] == "Running"
    press(house, end, unit=unit, account=account, reason=ODD, at="")
    assert owner.unit(unit)["status"] == "Released"
    events = owner.do(EVENTS, "DescribeEvents", {"instanceId": unit})["events"]
    assert ODD in [one["data"].get("operatorReason") for one in events]
