"""The pages, without a browser: their contents, their forms, and the bounds of each role."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from leasebook.console.pages.overview import pages as overview
from leasebook.contract.action import PROJECT, TAG
from leasebook.contract.policies import BILLING_READ, FLEET_READ, FULL, OPERATE, OPERATOR, READ, SERVICE_READ, SUPPORT
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser, Shown
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness
from tests.copies import STORES

MANY = {"LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000"}
TONIGHT = "2030-01-15T22:00:00+08:00"


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    with a_copy(request, tmp_path_factory.mktemp("pages") / "data", environment=MANY) as made:
        made.sell(stock=1_000_000)
        yield made
        assert check_store(made.where).findings == []


@pytest.fixture
def owner(scene: ServiceHarness) -> Caller:
    """The root of an account of its own."""
    return scene.customer("100000")


@pytest.fixture
def browser(scene: ServiceHarness, owner: Caller) -> Browser:
    """That person's browser, signed in."""
    return signed_in(scene, owner)


def signed_in(scene: ServiceHarness, caller: Caller, *policies: str) -> Browser:
    """Sign in as the root of the caller's account, or as a new user of it with these policies."""
    browser = Browser(scene)
    if policies:
        user = caller.do(IAM, "CreateUser", {"name": "someone"})["userId"]
        account = caller.account_id()
        for policy in policies:
            scene.operator.do(IAM, "AttachPolicy", {"userId": user, "policyName": policy, "accountId": account})
    else:
        user = next(one["userId"] for one in caller.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    browser.sign_in(user)
    return browser


def buy_form(page: Shown, **fields: str) -> dict[str, str]:
    """Return the form of a purchase, filled in."""
    filled = {"offering": "bj/gpu-1", "count": "2", "timing": "Postpaid", "choice": "tonight", "name": "evals"}
    return page.form("/console/buy/confirm") | filled | fields


@pytest.mark.both_stores
def test_a_purchase_is_quoted_confirmed_and_made_once(scene: ServiceHarness, browser: Browser, owner: Caller) -> None:
    page = browser.get("/console/buy")
    part = browser.post("/console/buy/quote", buy_form(page), hx_request="true")
    assert "<html" not in part.text
    # 2 units at 0.5 a minute.
    assert "1,440.00" in part.words()
    assert 'datetime="2030-01-15T14:00:00Z"' in part.text
    minutes = math.ceil((datetime.fromisoformat(TONIGHT) - scene.now()) / timedelta(minutes=1))
    assert f"Until then it costs {minutes:,}.00 CNY at most" in part.words()
    whole = browser.post("/console/buy/quote", buy_form(page))
    assert "1,440.00" in whole.words()
    confirm = browser.post("/console/buy/confirm", buy_form(page, tags="team=vision, stage=test"))
    assert "Buy 2 units?" in confirm.words()
    fields = confirm.form("/console/buy")
    bought = [browser.post("/console/buy", fields).location for _ in range(2)]
    assert bought[0] == bought[1]
    (unit,) = owner.do(UNITS, "DescribeComputeUnits")["computeUnitInstanceList"]
    assert (unit["name"], unit["totalComputeUnits"], unit["releaseTime"]) == ("evals", 2, TONIGHT)
    assert unit["tags"] == {"team": "vision", "stage": "test"}
    assert "evals" in browser.get(bought[0]).words()


def test_a_purchase_that_would_be_refused_says_why_and_keeps_the_form(browser: Browser) -> None:
    page = browser.get("/console/buy")
    refused = browser.post("/console/buy/confirm", buy_form(page, count="2000000", name="too-many"))
    assert refused.status == 409
    assert "free" in refused.words()
    assert 'value="too-many"' in refused.text
    browser.language = "zh-CN"
    refused = browser.post("/console/buy/confirm", buy_form(page, count="90000", name="too-many"))
    assert "请为账户充值，或减少数量。" in refused.words()  # noqa: RUF001 - Chinese
    assert "Top up" not in refused.words()
    browser.language = "en"
    for fields in ({"count": "1.5"}, {"count": ""}, {"offering": ""}, {"choice": "at", "at": "soon"}):
        assert "Choose" in (words := browser.post("/console/buy/quote", buy_form(page, **fields)).words()) or (
            "whole number" in words
        ), fields


def test_a_unit_is_kept_longer_moved_cleared_and_released(browser: Browser, owner: Caller) -> None:
    unit = owner.buy(release=TONIGHT)
    home = f"/console/units/{unit}"
    page = browser.get(home)
    assert "It is released at 2030-01-15 22:00 ." in page.words()
    assert re.search(r"\dT\d\d:|[0-9a-f]{32}", page.words()) is None
    page = browser.send(page, f"{home}/keep", {"hours": "2h"})
    assert "It is kept longer." in page.words()
    assert owner.unit(unit)["releaseTime"] == "2030-01-16T00:00:00+08:00"
    page = browser.send(page, f"{home}/release-at", choice="at", at="2030-01-20T10:30")
    assert owner.unit(unit)["releaseTime"] == "2030-01-20T10:30:00+08:00"
    page = browser.send(page, f"{home}/release-at", choice="none")
    assert "releaseTime" not in owner.unit(unit)
    assert browser.send(page, f"{home}/release-at", choice="at", at="then").status == 400
    sure = browser.send(page, f"{home}/release")
    assert "Release this unit now?" in sure.words()
    assert owner.unit(unit)["status"] == "Running"
    page = browser.send(sure, f"{home}/release")
    assert owner.unit(unit)["status"] == "Released"
    assert "its units are free again" in page.words()
    assert not page.has_form(f"{home}/release")


def test_a_form_that_is_sent_twice_keeps_a_unit_once_and_an_old_one_brings_nothing_forward(
    browser: Browser, owner: Caller
) -> None:
    unit = owner.buy(release=TONIGHT)
    home = f"/console/units/{unit}"
    page = browser.get(home)
    fields = page.form(f"{home}/keep")
    assert [browser.post(f"{home}/keep", fields | {"hours": "2h"}).status for _ in range(2)] == [303, 303]
    assert owner.unit(unit)["releaseTime"] == "2030-01-16T00:00:00+08:00"
    owner.schedule(unit, "2030-01-20 10:00:00")
    browser.send(page, f"{home}/keep", {"hours": "8h"}, once="another")
    assert owner.unit(unit)["releaseTime"] == "2030-01-20T10:00:00+08:00"
    for odd in ("then", "2030-01-20T10:00", "9999-12-31T23:59:59+00:00"):
        assert browser.send(page, f"{home}/keep", {"hours": "2h"}, once=odd, counted_from=odd).status in (200, 400)


def test_the_field_of_a_release_time_has_it_on_the_clocks_that_it_names(scene: ServiceHarness) -> None:
    owner = scene.customer("100000", zone="America/New_York")
    unit = owner.buy(release=TONIGHT)
    home = f"/console/units/{unit}"
    browser = signed_in(scene, owner)
    page = browser.get(home)
    assert 'value="2030-01-15T09:00"' in page.text
    browser.send(page, f"{home}/release-at", choice="at", at="2030-01-15T09:00")
    assert owner.unit(unit)["releaseTime"] == TONIGHT
    # A purchase that was refused shows its form with a time that a browser can read.
    confirm = browser.post(
        "/console/buy/confirm", buy_form(browser.get("/console/buy"), choice="at", at="2030-01-15T20:30")
    )
    refused = browser.post("/console/buy", confirm.form("/console/buy") | {"quote": "unknown"})
    assert (refused.status >= 400, 'value="2030-01-15T20:30"' in refused.text) == (True, True)


def test_a_price_that_changes_before_the_last_click_is_confirmed_again(scene: ServiceHarness, owner: Caller) -> None:
    browser = signed_in(scene, owner)
    scene.sell(unit_type="gpu-9", minute="0.5", month="100", stock=10)
    unit = owner.buy(type="gpu-9")
    home = f"/console/units/{unit}"
    sure = browser.send(browser.get(home), f"{home}/prepaid", months="3")
    scene.sell(unit_type="gpu-9", minute="0.5", month="101", stock=10)
    again = browser.send(sure, f"{home}/prepaid")
    assert again.status == 409
    assert "The price has changed since you saw it." in again.words()
    assert "Charged now 303.00 CNY" in again.words()
    assert owner.unit(unit)["paymentTiming"] == "Postpaid"
    fields = again.form(f"{home}/prepaid")
    assert browser.post(f"{home}/prepaid", fields).status == 303
    scene.sell(unit_type="gpu-9", minute="0.5", month="102", stock=10)
    # Sent twice, it has its answer again.
    assert browser.post(f"{home}/prepaid", fields).status == 303
    assert [one["amount"] for one in owner.postings() if one["kind"] == "Conversion"] == ["303.00"]


def test_a_unit_is_made_prepaid(browser: Browser, owner: Caller) -> None:
    unit = owner.buy()
    home = f"/console/units/{unit}"
    sure = browser.send(browser.get(home), f"{home}/prepaid", months="3")
    assert "Make it prepaid for 3 months?" in sure.words()
    assert "Charged now 300.00 CNY" in sure.words()
    assert owner.unit(unit)["paymentTiming"] == "Postpaid"
    page = browser.send(sure, f"{home}/prepaid")
    assert "It is prepaid now." in page.words()
    assert owner.unit(unit)["paymentTiming"] == "Prepaid"
    assert owner.unit(unit)["duration"] == 3


def test_units_are_filtered_searched_sorted_and_paged(browser: Browser, owner: Caller, scene: ServiceHarness) -> None:
    for number in range(3):
        unit = owner.buy(count=number + 1, release=f"2030-02-0{3 - number}T00:00:00+08:00")
        owner.do(TAG, "RenameResource", {"resourceId": unit, "name": f"unit-number-{number}"})
        owner.do(TAG, "TagResource", {"resourceId": unit, "tags": {"team": f"t{number}"}})
    for _ in range(50):
        owner.buy()

    def names(address: str) -> list[str]:
        return re.findall(r"unit-number-\d", "".join(browser.get(address).text.split("<tbody>")[1:]))[::2]

    assert names("/console/units") == ["unit-number-2", "unit-number-1", "unit-number-0"]
    assert names("/console/units?sort=name&down=1")[-1:] == []
    assert names("/console/units?sort=name") == ["unit-number-0", "unit-number-1", "unit-number-2"]
    assert names("/console/units?q=number-1 gpu") == ["unit-number-1"]
    assert names("/console/units?tag=team%3Dt2") == ["unit-number-2"]
    assert "53 units" in browser.get("/console/units").words()
    assert "Page 2 of 2" in browser.get("/console/units?page=2").words()
    assert "No unit fits" in browser.get("/console/units?status=Stopped").words()
    buyer = scene.user(owner, OPERATE)
    mine = buyer.buy()
    users = {one["isRoot"]: one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"]}
    found = browser.get(f"/console/units?userId={users[False]}")
    assert ("1 unit" in found.words(), mine in found.text) == (True, True)
    assert "53 units" in browser.get(f"/console/units?userId={users[True]}").words()
    assert f'<option value="{users[False]}"' in browser.get("/console/units").text
    assert "<html" not in browser.get("/console/units?q=1", hx_request="true").text


def test_many_units_are_changed_at_once_and_each_refusal_is_shown(browser: Browser, owner: Caller) -> None:
    units = [owner.buy() for _ in range(3)]
    prepaid = owner.buy(months=1)
    page = browser.get("/console/units")
    fields = page.form("/console/units/change")
    changed = browser.post("/console/units/change", fields | {"unit": units, "deed": "set", "choice": "tonight"})
    assert "3 units were changed" in changed.words()
    assert {owner.unit(unit)["releaseTime"] for unit in units} == {TONIGHT}
    mixed = browser.post("/console/units/change", fields | {"unit": [units[0], prepaid], "deed": "clear"})
    assert (mixed.status, mixed.words().count("1 unit was ")) == (409, 2)
    assert "They have no release time any more: they cost until they are released by hand." in mixed.words()
    browser.post("/console/units/change", fields | {"unit": units, "deed": "tag", "tags": "team=x"})
    assert owner.unit(units[2])["tags"] == {"team": "x"}
    sure = browser.post("/console/units/change", fields | {"unit": units, "deed": "release"})
    assert "Release 3 units now?" in sure.words()
    assert owner.unit(units[0])["status"] == "Running"
    browser.post("/console/units/change", sure.form("/console/units/change") | {"unit": units})
    assert {owner.unit(unit)["status"] for unit in units} == {"Released"}
    assert browser.post("/console/units/change", fields | {"deed": "release"}).location == "/console/units?none=1"


def test_the_csv_has_what_the_filters_find_and_no_formulas(browser: Browser, owner: Caller) -> None:
    unit = owner.buy(count=3)
    owner.do(TAG, "RenameResource", {"resourceId": unit, "name": "=1+1"})
    owner.buy()
    found = browser.get("/console/units.csv?q=%3D1")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    head, line = found.text.splitlines()
    assert head.startswith("\ufeffinstanceId,name,status")
    assert line.startswith(f"{unit},'=1+1,Running,gpu-1,bj,3,0,Postpaid")


def test_the_overview_shows_spending_holdings_ends_and_events(browser: Browser, owner: Caller) -> None:
    owner.do(ACCOUNT, "SetGuardRails", {"limits": {"budget": "1000"}})
    unit = owner.buy(count=2, months=1)
    owner.buy(count=3, release=TONIGHT)
    project = owner.do(PROJECT, "CreateProject", {"name": "atlas"})["projectId"]
    owner.do(PROJECT, "MoveResource", {"resourceId": unit, "projectId": project})
    page = browser.get("/console")
    words = page.words()
    assert "200.00 CNY" in words
    assert "of a budget of 1,000.00 CNY" in words
    assert "5 units, 0 used" in words
    assert "atlas: 2" in words
    assert page.text.count("<circle") == 1
    assert f"/console/units/{unit}" in page.text
    assert "<html" not in browser.get("/console", hx_request="true").text


def test_the_overview_of_many_units_has_the_first_ends_and_those_that_need_a_look(
    fresh: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = fresh.customer("1000000")
    first, stopped = owner.buy(), owner.buy(months=1)
    fresh.advance("2030-02-16T08:00:00+08:00")
    ends = [owner.buy(release=f"2030-02-{day}T08:00:00+08:00") for day in (20, 18, 19)]
    browser = signed_in(fresh, owner)
    whole = browser.get("/console")
    assert (whole.text.count("<circle"), "3 within 30 days" in whole.words()) == (3, True)
    # As if the account had more units than a page of the list has, and more ends than are drawn.
    monkeypatch.setattr(overview, "AT_ONCE", 1)
    monkeypatch.setattr(overview, "ENDS_DRAWN", 2)
    page = browser.get("/console")
    assert (page.text.count("<circle"), "more than 2 within 30 days" in page.words()) == (2, True)
    units = set(re.findall(r"/console/units/(unit-[^\"?]+)", page.text.partition("Latest events")[0]))
    assert units == {ends[1], ends[2], stopped}
    assert first not in units


ROLES = {
    "nobody yet": (),
    "reader": (READ,),
    "service reader": (SERVICE_READ,),
    "buyer": (OPERATE,),
    "manager": (FULL,),
    "fleet reader": (FLEET_READ,),
    "billing reader": (BILLING_READ,),
    "support": (SUPPORT,),
    "operator": (OPERATOR,),
}
PAGES = ("/console", "/console/units", "/console/buy", "/console/sign-in", "/console/none", "/")
DEEDS = re.compile(r'action="(/console/(?!look|sign-out|sign-in)[^"]+)"|href="(/console/buy)')


def test_every_page_answers_every_role_and_offers_nothing_that_is_refused(scene: ServiceHarness, owner: Caller) -> None:
    unit, stranger = owner.buy(release=TONIGHT), scene.customer("1000").buy()
    addresses = (*PAGES, f"/console/units/{unit}", f"/console/units/{stranger}", "/console/units.csv")
    for role, policies in ROLES.items():
        browser = signed_in(scene, owner, *policies) if policies else newcomer(scene, owner)
        for address in addresses:
            page = browser.get(address)
            at = role, address, page.status
            assert page.status < 500, at
            assert page.status >= 400 or stranger not in page.text, at
            assert "Traceback" not in page.text, at
            assert len(page.text) < 61_440, at
            if not {OPERATE, FULL} & {*policies}:
                deeds = {one or other for one, other in DEEDS.findall(page.text)}
                assert {one for one in deeds if not one.endswith(("/units", "/quote"))} == set(), at
        # A deed that no page offers is refused all the same.
        token = browser.get("/console").form("/console/sign-out")
        if not {OPERATE, FULL} & {*policies}:
            answer = browser.post(f"/console/units/{unit}/release", token | {"sure": "1"})
            assert answer.status in (400, 403), role
    assert owner.unit(unit)["status"] == "Running"


def newcomer(scene: ServiceHarness, owner: Caller) -> Browser:
    """Sign in as a user who has no policy."""
    browser = Browser(scene)
    browser.sign_in(owner.do(IAM, "CreateUser", {"name": "newcomer"})["userId"])
    return browser


def test_a_missing_page_has_the_menu_and_the_language_is_changed_there(browser: Browser) -> None:
    page = browser.get("/console/none")
    assert (page.status, "There is no page at this address." in page.words()) == (404, True)
    assert 'href="/console/units"' in page.text
    page = browser.send(page, "/console/look", {"language": "zh"})
    assert (page.status, '<html lang="zh-CN"' in page.text) == (404, True)
