"""The pages about money say what the books say, to the micro-unit, in every zone and over the year's end."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from leasebook.console.frame import kept
from leasebook.console.pages.money import forecasts
from leasebook.contract.action import PROJECT
from leasebook.contract.policies import FULL, OPERATOR, READ
from tests.api.conftest import open_up
from tests.api.console.browser import Browser, Shown
from tests.api.console.test_pages import MANY, signed_in
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness, a_scene

ODD = """<b>'"&{{7*7}}"""
AMOUNT = re.compile(r"[+\N{MINUS SIGN}]?[0-9][0-9,]*\.[0-9]{2,6}")


def figure(page: Shown, name: str) -> Decimal:
    """Return the amount after a name on a page."""
    found = AMOUNT.search(page.words().partition(f" {name} ")[2])
    assert found is not None, name
    return Decimal(found[0].replace(",", "").replace("\N{MINUS SIGN}", "-"))


def sums_of(scene: ServiceHarness, caller: Caller) -> Decimal:
    """Let a few hours pass, and return the sum of all postings of the account."""
    scene.sum_costs()
    wallet = f"wallet:{caller.account_id()}"
    return sum(
        (Decimal(one["amount"]) * (1 if one["credit"] == wallet else -1) for one in caller.postings()), Decimal(0)
    )


def hours_later(scene: ServiceHarness, hours: int) -> None:
    scene.advance((scene.now() + timedelta(hours=hours)).isoformat())


@pytest.mark.parametrize("zone", [None, "America/New_York", "Asia/Kathmandu"])
def test_the_statement_and_the_costs_equal_the_postings(scene: ServiceHarness, zone: str | None) -> None:
    scene.sell(unit_type="gpu-2", minute="0.000007", month="33.333333", stock=1000)
    owner = scene.customer("1000.000001", zone=zone)
    browser = signed_in(scene, owner)
    metered = owner.buy(type="gpu-2", count=3)
    owner.buy(type="gpu-2", count=2, months=1)
    hours_later(scene, 5)
    owner.release(metered)
    total = sums_of(scene, owner)
    statement = browser.get("/console/money/statement")
    assert figure(statement, "Closing balance") == total == Decimal(owner.balance())
    spent = Decimal("1000.000001") - total
    assert figure(statement, "Charged") == -spent
    lines = [Decimal(one.replace(",", "")) for one in re.findall(r"<strong>([0-9.,]+)</strong></td>", statement.text)]
    assert sum(lines) == spent
    costs = browser.get("/console/money/costs?by=type")
    assert '<html lang="en"' in costs.text
    assert figure(costs, "gpu-2") == spent
    month = scene.now().strftime("%Y-%m")
    asked = {"from": f"{month}-01 00:00:00", "to": "2031-01-01 00:00:00", "forecast": True}
    summed = owner.do(ACCOUNT, "DescribeCosts", asked)
    assert Decimal(summed["total"]["billed"]) == spent
    assert f"{spent:,.6f}".rstrip("0") in costs.words()
    # The chart has a column on the day of the charges, by the account's own clocks.
    chart = browser.get("/console/money").text
    assert chart.count('<rect class="c0"') == 1
    assert f"<title>{month}: " in chart


def test_a_column_is_on_the_day_of_the_account_where_times_are_written_in_utc(tmp_path: Path) -> None:
    with a_scene(tmp_path / "data", environment={**MANY, "LEASEBOOK_TIME_OUTPUT": "utc"}) as scene:
        open_up(scene)
        owner = scene.customer("1000")
        owner.buy(months=1)
        scene.sum_costs()
        browser = signed_in(scene, owner)
        assert "<title>2030-01-15: 100.00 CNY" in browser.get("/console/money/costs").text
        assert "<title>2030-01: 100.00 CNY" in browser.get("/console/money").text
        assert "2030-01-15: 100.00" in browser.get("/console").text


def test_each_month_of_the_year_s_end_and_of_other_years_opens(scene: ServiceHarness) -> None:
    browser = signed_in(scene, scene.customer("10", zone="America/New_York"))
    for month in ("2029-12", "2030-01", "2030-03", "2030-11", "1970-01", "1970-02", "9998-12", "9998-11", "9999-12"):
        for page in ("costs", "statement"):
            shown = browser.get(f"/console/money/{page}?month={month}")
            assert shown.status in (200, 400, 404), (page, month)
            assert shown.status == 200 or month > "2030-02" or month < "1971", (page, month, shown.words())
    before = browser.get("/console/money/statement?month=2029-12").text
    assert "month=2029-11" in before
    assert "month=2030-01" in before
    # No link leads to a month that has not begun.
    now = browser.get("/console/money/statement").text
    assert re.findall(r"statement\?month=([0-9-]+)", now) == ["2029-12"]


def test_a_top_up_is_noted_once_and_a_refused_one_keeps_its_amount(scene: ServiceHarness) -> None:
    owner = scene.customer(None)
    browser = signed_in(scene, owner, OPERATOR, FULL)
    page = browser.get("/console/money")
    fields = page.form("/console/money/top-up")
    refused = browser.post("/console/money/top-up", fields | {"amount": "1.23456789"})
    assert refused.status == 400
    assert 'value="1.23456789"' in refused.text
    assert 'role="alert"' in refused.text
    assert owner.balance() == "0.00"
    again = refused.form("/console/money/top-up")
    assert again["once"] == fields["once"]
    for _ in range(2):
        assert browser.post("/console/money/top-up", again | {"amount": "7.000001"}).status == 303
    assert owner.balance() == "7.000001"
    assert "+7.000001" in browser.get("/console/money").words()


def test_lists_are_read_to_their_end(scene: ServiceHarness, owner: Caller, browser: Browser) -> None:
    for _ in range(53):
        owner.buy(months=1)
    assert scene.now()
    for name, count in (("orders", 53), ("postings", 54)):
        page = browser.get(f"/console/money/{name}")
        following = re.search(r'href="([^"]*marker=[^"]*)"', page.text)
        assert following is not None
        rest = browser.get(following[1].replace("&amp;", "&"))
        assert page.text.count("<tr>") + rest.text.count("<tr>") - 2 == count
        assert "First page" in rest.words()
        other = "postings" if name == "orders" else "orders"
        foreign = browser.get(following[1].replace("&amp;", "&").replace(name, other))
        assert foreign.status == 400
    assert "Purchase" in browser.get("/console/money/orders?kind=Purchase").words()
    assert "No orders" in browser.get("/console/money/orders?kind=Renewal").words()


def test_names_are_text_and_never_marks(scene: ServiceHarness, owner: Caller, browser: Browser) -> None:
    project = owner.do(PROJECT, "CreateProject", {"name": ODD})["projectId"]
    unit = owner.buy(months=1)
    owner.do("/v2/tag", "RenameResource", {"resourceId": unit, "name": ODD})
    owner.do("/v2/tag", "TagResource", {"resourceId": unit, "tags": {"team": "<i>&"}})
    owner.do(PROJECT, "MoveResource", {"resourceId": unit, "projectId": project})
    owner.buy(months=1)
    scene.sum_costs()
    for page in ("", "/costs?by=project", "/costs?by=tag&tag=team", "/statement", "/orders", "/postings"):
        shown = browser.get(f"/console/money{page}")
        assert shown.status == 200, page
        assert "<b>'" not in shown.text, page
        assert "<i>&" not in shown.text, page
    assert ODD in browser.get("/console/money/orders").words()
    assert owner.do(UNITS, "DescribeComputeUnits")


def test_files_for_finops_tools_have_no_formulas(scene: ServiceHarness, owner: Caller, browser: Browser) -> None:
    unit = owner.buy(months=1)
    owner.do("/v2/tag", "RenameResource", {"resourceId": unit, "name": "=HYPERLINK(1)"})
    scene.sum_costs()
    month = scene.now().strftime("%Y-%m")
    file = browser.get(f"/console/money/export?month={month}")
    assert file.status == 200
    assert re.search(r"(^|,)\"?=HYPER", file.text, re.MULTILINE) is None
    for query in ("month=", "month=2030-13", "month=9999-12", f"month={month}&dataset=../x", "month=" + "9" * 5000):
        assert browser.get(f"/console/money/export?{query}").status == 400, query


def test_an_empty_page_says_what_will_be_there(scene: ServiceHarness) -> None:
    browser = signed_in(scene, scene.customer(None))
    for page, said in (
        ("", "No money has moved yet"), ("/costs", "Nothing was spent"), ("/statement", "Nothing was charged"),
        ("/orders", "No orders"), ("/postings", "No postings"),
    ):  # fmt: skip
        assert said in browser.get(f"/console/money{page}").words(), page


def test_a_large_account_loads_its_forecast_and_its_charts_after_the_page(
    scene: ServiceHarness, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.buy(count=2)
    hours_later(scene, 2)
    browser = signed_in(scene, owner)
    small = {
        address: browser.get(address).words() for address in ("/console", "/console/money", "/console/money/costs")
    }
    whole = re.search(r"By the end of the month: ([0-9.,]+) CNY", small["/console"])
    assert whole is not None
    monkeypatch.setattr(forecasts, "AT_ONCE", 0)
    loaded = set()
    for address in small:
        page = browser.get(address)
        assert "By the end of the month: " not in page.words()
        loaded |= {html.unescape(one) for one in re.findall(r'data-load="([^"]+)"', page.text)}
    parts = {one.partition("?")[0]: browser.get(one, hx_request="true") for one in loaded}
    assert {*parts} == {
        *("/console/money/forecast", "/console/money/days", "/console/money/costs/chart", "/console/money/advice"),
    }
    assert all(one.status == 200 and "<html" not in one.text for one in parts.values())
    assert f"By the end of the month: {whole[1]} CNY" in parts["/console/money/forecast"].words()
    assert "<rect" in parts["/console/money/days"].text
    assert "<rect" in parts["/console/money/costs/chart"].text
    assert whole[1] in browser.get("/console/money/forecast").words()
    assert whole[1] in browser.get("/console/money/costs?forecast=1").words()


def test_answers_that_are_kept_are_for_the_rights_that_their_reader_had(
    scene: ServiceHarness, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects = [owner.do(PROJECT, "CreateProject", {"name": name})["projectId"] for name in ("atlas", "borealis")]
    owner.do(PROJECT, "MoveResource", {"resourceId": owner.buy(count=2), "projectId": projects[0]})
    hours_later(scene, 2)
    reader = owner.do(IAM, "CreateUser", {"name": "reader"})["userId"]
    right = {"userId": reader, "policyName": READ}
    owner.do(IAM, "AttachPolicy", right | {"projectIds": projects})
    browser = Browser(scene)
    browser.sign_in(reader)
    monkeypatch.setattr(kept, "KEEP_FROM_S", 0.0)
    monkeypatch.setattr(kept, "KEEP_TIMES", 1e9)
    pages = ("/console/money/costs/chart", "/console/money/days")
    assert ["<rect" in browser.get(page).text for page in pages] == [True, True]
    forecast = browser.get("/console/money/forecast").words()
    owner.do(IAM, "DetachPolicy", right | {"projectIds": projects[:1]})
    assert ["<rect" in browser.get(page).text for page in pages] == [False, False]
    assert browser.get("/console/money/forecast").words() != forecast


def test_what_would_have_been_cheaper_by_the_month_is_made_prepaid_for_a_price_that_is_confirmed(
    scene: ServiceHarness,
) -> None:
    owner = scene.customer("100000")
    unit, gone = owner.buy(count=2), owner.buy()
    begin = scene.now()
    hours_later(scene, 5)
    owner.release(gone)
    # The month after that in which they ran.
    scene.advance((begin.replace(day=1, hour=12) + timedelta(days=32)).replace(day=2).isoformat())
    browser = signed_in(scene, owner)
    assert "/console/money/advice" in browser.get("/console/money").text
    assert "<html" not in browser.get("/console/money/advice", hx_request="true").text
    page = browser.get("/console/money/advice")
    assert "Prepaid would have been cheaper in" in page.words()
    forms = [one for one in (unit, gone) if page.has_form(f"/console/units/{one}/prepaid")]
    assert (forms, gone in page.text) == ([unit], True)
    sure = browser.send(page, f"/console/units/{unit}/prepaid")
    assert "Make it prepaid for 1 month?" in sure.words()
    assert "Charged now 200.00 CNY" in sure.words()
    before = owner.unit(unit)["paymentTiming"]
    page = browser.send(sure, f"/console/units/{unit}/prepaid")
    assert (before, owner.unit(unit)["paymentTiming"]) == ("Postpaid", "Prepaid")
    assert not browser.get("/console/money/advice").has_form(f"/console/units/{unit}/prepaid")
    reader = signed_in(scene, owner, READ).get("/console/money/advice")
    assert ("Prepaid would have been cheaper in" in reader.words(), "/prepaid" in reader.text) == (True, False)
