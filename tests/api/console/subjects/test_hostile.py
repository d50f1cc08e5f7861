"""Attempts at the pages of money and administration: other accounts' ids, forged forms, and values from nowhere."""

from __future__ import annotations

import re

import pytest
from starlette.routing import Route

from leasebook.console.pages.table import PAGES
from leasebook.contract.action import NOTIFICATION, PROJECT
from leasebook.contract.policies import READ
from tests.api.console.browser import Browser
from tests.api.console.test_pages import signed_in
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness, order
from tests.depth import some

HUGE = "9" * 5000
ODD_VALUES = (
    "",
    "%00",
    HUGE,
    "-1",
    "..%2F..%2Fetc",
    "%F0%9F%92%A9",
    "%FF%FE",
    "%3Cscript%3E",
    "2030-01-01T00:00",
    "%ED%A0%80",
    "0000-00-00T99:99",
    "0001-01-01T00:00",
    "9999-12-31T23:59",
    "true",
    "[]",
    "%7B%7B7*7%7D%7D",
)
ODD_FIELDS = (
    "\0",
    "",
    HUGE,
    "\ud800".encode("utf-16", "surrogatepass").decode("latin-1"),
    "9999-12-31T23:59",
    "{",
)
QUERY = (
    "month",
    "by",
    "tag",
    "marker",
    "kind",
    "unit",
    "account",
    "type",
    "status",
    "region",
    "name",
    "state",
    "subscription",
    "action",
    "code",
    "user",
    "key",
    "address",
    "since",
    "until",
    "model",
    "dataset",
)
FIELDS = (
    "amount",
    "once",
    "user",
    "name",
    "policy",
    "key",
    "reason",
    "project",
    "description",
    "limits",
    "approval",
    "region",
    "type",
    "stock",
    "minute",
    "month",
    "to",
    "subscription",
    "event",
    "kind",
    "types",
    "unit",
    "account",
    "at",
    "zone",
    "model",
    "whom",
    "tag",
    "rule",
    "row",
    "was",
    "value",
    "remove",
)
ACTS = (
    "add",
    "change",
    "create",
    "delete",
    "rename",
    "attach",
    "detach",
    "disable",
    "enable",
    "new-key",
    "suspend",
    "close",
    "top-up",
    "set",
    "reopen",
    "remove",
    "test",
    "pause",
    "again",
    "approve",
    "reject",
    "none",
)


def routes(method: str) -> list[str]:
    """Return the paths of money and administration."""
    found = [one.path for one in PAGES if isinstance(one, Route) and method in (one.methods or ())]
    return [one for one in found if one.startswith(("/console/money", "/console/admin"))]


def test_no_value_of_a_query_breaks_a_page(house: Browser, scene: ServiceHarness) -> None:
    home = scene.operator.account_id()
    for path in routes("GET"):
        address = path.replace("{account_id}", home)
        for value in some(ODD_VALUES, 8):
            page = house.get(f"{address}?" + "&".join(f"{name}={value}" for name in QUERY))
            assert page.status < 500, (path, value)
            assert "<script>" not in page.text.replace("<script src", ""), (path, value)
        for name in QUERY:
            assert house.get(f"{address}?{name}={HUGE}").status < 500, (path, name)


@pytest.mark.parametrize("path", routes("POST"))
def test_no_value_of_a_form_breaks_a_page(scene: ServiceHarness, browser: Browser, path: str) -> None:
    token = browser.get("/console/admin").form("/console/sign-out")
    address = path.replace("{account_id}", "none")
    for value in some(ODD_FIELDS, 3):
        for act in ACTS:
            page = browser.post(address, token | dict.fromkeys(FIELDS, value) | {"act": act})
            assert page.status < 500, (path, value, act, page.words())
    assert browser.post(address, token | {"name": "x" * 300_000}).status == 413
    assert scene.now()


def test_forms_of_another_session_and_of_none_are_refused(scene: ServiceHarness, owner: Caller) -> None:
    mine, theirs = signed_in(scene, owner), signed_in(scene, scene.customer())
    stolen = theirs.get("/console/admin").form("/console/sign-out")
    anonymous = Browser(scene)
    for path in routes("POST"):
        address = path.replace("{account_id}", owner.account_id())
        for fields in ({}, stolen, {"form_token": "x"}):
            assert mine.post(address, fields | {"act": "create", "name": "forged"}).status == 403, path
        own = mine.get("/console/admin").form("/console/sign-out")
        assert mine.post(address, own | {"act": "create"}, sec_fetch_site="cross-site").status == 403, path
        answer = anonymous.post(address, stolen)
        assert (answer.status, answer.location) == (303, "/console/sign-in"), path
        # Opened as a page, it is its page, leads to it, or is refused; nothing is done.
        assert mine.get(address).status in (200, 303, 400, 403, 404), path
    assert "forged" not in str(owner.do(IAM, "DescribeUsers")) + str(owner.do(PROJECT, "DescribeProjects"))


def holdings(owner: Caller) -> str:
    """The holdings of an account as text, without the times at which its keys were used."""
    found = [
        owner.do(*one)
        for one in (
            (IAM, "DescribeUsers"),
            (PROJECT, "DescribeProjects"),
            (NOTIFICATION, "DescribeSubscriptions"),
            (ACCOUNT, "DescribeApprovals"),
            (ACCOUNT, "DescribeAccount"),
        )
    ]
    return re.sub(r"'lastUsedTime': '[^']*'", "", str(found))


def test_ids_of_another_account_are_those_of_nothing(scene: ServiceHarness, browser: Browser) -> None:
    victim = scene.customer("500")
    unit, account = victim.buy(months=1), victim.account_id()
    root = victim.do(IAM, "DescribeUsers")["users"][0]
    subscription = victim.do(
        NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://hooks.test/v", "types": []}
    )["subscriptionId"]
    project = victim.do(PROJECT, "CreateProject", {"name": "secret-plan"})["projectId"]
    victim.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": {"units": {"gpu-1": 2}}}})
    victim.refused(UNITS, "PurchaseComputeUnit", order(count=3))
    (asked,) = victim.do(ACCOUNT, "DescribeApprovals", {"status": "Open"})["approvals"]
    before = holdings(victim)
    for address in (
        f"/admin/accounts/{account}",
        f"/admin/fleet?account={account}",
        f"/admin/fleet/end?unit={unit}&account={account}",
        f"/money/orders?unit={unit}",
        f"/money/postings?unit={unit}",
        f"/admin/audit?user={root['userId']}",
        f"/admin/audit?unit={unit}",
        f"/admin/deliveries?subscription={subscription}",
        f"/units/{unit}",
    ):
        page = browser.get(f"/console{address}")
        assert page.status < 500, address
        assert page.status >= 400 or "customer" not in page.words().partition("Sign out")[2], address
        for secret in ("hooks.test", "secret-plan", "500.00", "400.00"):
            assert secret not in page.text, address
    token = browser.get("/console/admin").form("/console/sign-out")
    key = root["accessKeys"][0]["accessKeyId"]
    named = {
        "user": root["userId"],
        "key": key,
        "project": project,
        "subscription": subscription,
        "unit": unit,
        "account": account,
        "approval": asked["approvalId"],
        "policy": READ,
        "name": "taken",
        "reason": "taken",
        "amount": "1",
        "event": "x",
        "limits": "{",
        "to": "2040-01-01T00:00",
    }
    for path in routes("POST"):
        if path == "/console/money/top-up":
            continue
        for act in ACTS:
            if act != "create":
                page = browser.post(path.replace("{account_id}", account), token | named | {"act": act})
                assert page.status >= 400 or act == "none" or "secret" not in page.text, (path, act)
    after = holdings(victim)
    assert after == before
    assert victim.unit(unit)["status"] == "Running"


@pytest.mark.parametrize(
    "to",
    ["//evil.test/x", "https://evil.test", "/\\evil.test", "\\\\evil.test", "/%09/evil.test", "javascript:alert(1)"],
)
def test_no_form_sends_its_reader_to_another_host(scene: ServiceHarness, house: Browser, to: str) -> None:
    token = house.get("/console/admin").form("/console/sign-out")
    unit = scene.customer().buy()
    account = scene.operator.account_id()
    for path, fields in (
        ("/console/look", {"back": to, "theme": "dark"}),
        ("/console/admin/fleet/end", {"back": to, "unit": unit, "account": account, "reason": "x"}),
        ("/console/admin/deliveries", {"subscription": to, "event": to}),
        ("/console/admin/users", {"act": "none", "back": to}),
    ):
        answer = house.post(path, token | fields)
        if answer.status == 303:
            assert re.match(r"/console(?![^/?])", answer.location), (path, answer.location)


def test_a_reader_s_forged_deed_changes_nothing(scene: ServiceHarness, owner: Caller) -> None:
    reader = signed_in(scene, owner, READ)
    token = reader.get("/console").form("/console/sign-out")
    before = owner.do(ACCOUNT, "DescribeAccount"), owner.do(PROJECT, "DescribeProjects")
    for path in routes("POST"):
        address = path.replace("{account_id}", owner.account_id())
        fields = {"act": "create", "name": "forged", "amount": "5", "limits": "{}", "to": "2040-01-01T00:00"}
        answer = reader.post(address, token | fields | {"kind": "Webhook"})
        assert answer.status in (400, 403, 404) or answer.location == address, (path, answer.status)
    assert (owner.do(ACCOUNT, "DescribeAccount"), owner.do(PROJECT, "DescribeProjects")) == before
