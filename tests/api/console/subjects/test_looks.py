"""The pages of money, administration and the reference in a real browser, looked at by axe in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from leasebook.client.shapes.instance import Billing, ComputeUnitConfig
from leasebook.client.sync_client import Client
from leasebook.contract.errors import SIGNATURE_DOES_NOT_MATCH
from leasebook.testing.raw import call
from tests.api.console import test_journeys
from tests.api.console.chromium import KEY, SECRET, ConsoleServer, Journey
from tests.depth import some

pytestmark = pytest.mark.slow
begin, served = test_journeys.begin, test_journeys.served

PAGES = {
    "money": "/console/money",
    "costs": "/console/money/costs?by=type",
    "statement": "/console/money/statement",
    "orders": "/console/money/orders",
    "postings": "/console/money/postings",
    "admin": "/console/admin",
    "fleet": "/console/admin/fleet",
    "accounts": "/console/admin/accounts",
    "users": "/console/admin/users",
    "projects": "/console/admin/projects",
    "limits": "/console/admin/limits",
    "approvals": "/console/admin/approvals",
    "catalogue": "/console/admin/catalogue",
    "health": "/console/admin/health",
    "subscriptions": "/console/admin/subscriptions",
    "audit": "/console/admin/audit",
    "account": "/console/account",
}


@pytest.fixture(scope="module")
def tenant(served: ConsoleServer) -> Iterator[Client]:
    """The client of an account that has bought a unit, some hours ago."""
    made = served.client.create_account(name="vision")
    served.client.top_up(account_id=made.account_id, amount=Decimal(500))
    client = Client(served.url, made.access_key_id, made.secret_access_key)
    client.purchase_units(
        billing=Billing(payment_timing="Postpaid"),
        compute_unit_config=ComputeUnitConfig(region="bj", type="gpu-1"),
        compute_unit_count=2,
        name="left-running",
    )
    now = served.client.describe_clock().now
    client.purchase_units(
        billing=Billing(payment_timing="Postpaid", release_time=now + timedelta(hours=3, minutes=50)),
        compute_unit_config=ComputeUnitConfig(region="bj", type="gpu-1"),
        compute_unit_count=1,
        name="soon-over",
    )
    served.client.advance_clock(to=(now + timedelta(hours=3)).isoformat())
    own = {
        "units": {"gpu-1": 1000, "*": 9000},
        "budget": "90000",
        "budgetWarnPercent": [50, 90],
        "extendBy": "managers",
    }
    call(served.client, "/v2/account", "SetGuardRails", {"limits": own | {"userUnits": {"*": {"gpu-1": 900}}}})
    call(served.client, "/v2/notification", "CreateSubscription", {"kind": "Webhook", "url": "https://hooks.invalid/x"})
    with client:
        yield client


@pytest.mark.parametrize("locale", some(["en-GB", "zh-CN"], 1))
def test_each_page_is_sound_in_both_languages(begin: Any, tenant: Client, locale: str) -> None:
    assert tenant
    with begin(f"subjects-{locale[:2]}", locale=locale) as journey:
        journey.sign_in()
        for name, path in some(list(PAGES.items()), 9):
            journey.open(path)
            journey.seen(name)
        for name, path in {**reminded(tenant), "nothing": "/links/none"}.items():
            journey.open(path)
            journey.errors[:] = [one for one in journey.errors if "status of 404" not in one]
            journey.seen(f"link-{name}")


def test_limits_are_changed_in_their_rows(begin: Any, tenant: Client) -> None:
    assert tenant
    with begin("limits") as journey:
        journey.sign_in()
        page = journey.page
        journey.open("/console/admin/limits")
        field = page.get_by_label("Units of gpu-1, at most").first
        field.fill("many")
        page.get_by_role("button", name="Set these").first.click()
        page.locator("[aria-invalid]").wait_for()
        journey.errors[:] = [one for one in journey.errors if "status of 400" not in one]
        journey.seen("refused")
        assert page.get_by_label("Units of gpu-1, at most").first.input_value() == "many"
        page.get_by_label("Units of gpu-1, at most").first.fill("1001")
        page.get_by_role("button", name="Set these").first.click()
        page.get_by_text("What was changed").wait_for()
        journey.seen("changed")


def reminded(tenant: Client) -> dict[str, str]:
    """Return the links of the last reminder."""
    (event, *_) = tenant.describe_events(types=["unit.reminder"]).events
    links: dict[str, str] = event.data["links"]
    return links


def test_an_operator_ends_a_unit_and_the_statement_equals_the_postings(begin: Any, tenant: Client) -> None:
    with begin("ending") as journey:
        journey.sign_in()
        page = journey.page
        journey.open("/console/admin/fleet")
        page.locator("tr", has_text="left-running").locator("a.danger").click()
        page.fill("[name=reason]", "no traffic for a week")
        journey.seen("reason")
        page.locator("main button.danger").click()
        page.wait_for_url("**/admin/fleet?done=unit-ended")
        journey.open("/console/admin/fleet?status=Released")
        page.locator("tr", has_text="left-running").wait_for()
        journey.seen("ended")
    user = tenant.describe_users().users[0].user_id
    with begin("statement") as journey:
        journey.sign_in("--user", user)
        journey.open("/console/money/statement")
        wallet = f"wallet:{tenant.describe_account().account_id}"
        postings = tenant.describe_postings(max_keys=1000).postings
        total = sum((Decimal(one.amount) * (1 if one.credit == wallet else -1) for one in postings), Decimal(0))
        shown = journey.page.locator("dd strong").first.inner_text().split()[0]
        assert Decimal(shown.replace(",", "")) == total
        assert total < 500
        journey.seen("equal")


def test_the_reference_signs_its_calls_and_keeps_no_key(begin: Any) -> None:
    with begin("reference") as journey:
        page = journey.page
        journey.open("/console/reference")
        tried(journey, KEY, SECRET, 200)
        assert SECRET not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert SECRET not in page.url
        tried(journey, KEY, SECRET + "x", SIGNATURE_DOES_NOT_MATCH.status)
        journey.errors[:] = [one for one in journey.errors if "status of 4" not in one]
        assert journey.errors == []


def tried(journey: Journey, key: str, secret: str, status: int) -> None:
    """Call DescribeOfferings from the page of the reference; the answer has that status."""
    page = journey.page
    page.fill("#access-key", key)
    page.fill("#secret-key", secret)
    section = page.locator('.opblock-tag[data-tag="/v2/catalog"]')
    section.wait_for()
    if section.get_attribute("data-is-open") != "true":
        section.click()
    block = page.locator('.opblock[id$="-catalog_DescribeOfferings"]')
    block.wait_for()
    if "is-open" not in (block.get_attribute("class") or ""):
        block.locator(".opblock-summary").click()
    block.locator("button.execute").wait_for()
    with page.expect_response(lambda one: "DescribeOfferings" in one.url) as answer:
        block.locator("button.execute").click()
    assert answer.value.status == status
    sent = answer.value.request.headers
    assert sent["authorization"].startswith(f"bce-auth-v1/{key}/")
    assert secret not in str(sent) + str(answer.value.request.post_data)
    assert "cookie" not in sent
