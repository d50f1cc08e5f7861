"""Every page as every role: none fails, none shows another account's things, none leads where its reader may not go."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from starlette.routing import Route

from leasebook.console.pages.table import PAGES
from leasebook.console.routes import PageRoute
from leasebook.contract.action import NOTIFICATION
from leasebook.contract.policies import FULL, OPERATE, OPERATOR, SUPPORT
from tests.api.console.browser import Browser
from tests.api.console.test_pages import ROLES, newcomer, signed_in
from tests.api.scene import Caller, ServiceHarness

ODD = """<b>'"&{{7*7}}"""
LINK = re.compile(r'(?:href|data-live)="(/[^"#]*)"')
DEED = re.compile(r'<form method="post" action="(/[^"]*)"')
OWN = ("/console/look", "/console/buy/quote", "/console/sign-out", "/console/account", "/console/sign-in")
"""The forms that change nothing, or only something of the reader's own."""
STREAM = "/console/live"
"""It never ends."""


def addresses(owner: Caller) -> list[str]:
    """Return the addresses of all pages, with things of the owner's account in them."""
    known = {"unit": owner.buy(), "account_id": owner.account_id()}
    found = []
    for route in PAGES:
        assert isinstance(route, Route)
        if "GET" in (route.methods or ()) and route.path != STREAM:
            path = re.sub(r"\{(\w+)(:\w+)?\}", lambda name: known.get(name[1], "none"), route.path)
            found.append(path)
    return found


@pytest.fixture(scope="module")
def crowded(scene: ServiceHarness) -> Caller:
    """The root of an account in which there is something on every page."""
    owner = scene.customer("100000")
    owner.buy(months=1)
    owner.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://hooks.test/x", "types": []})
    return owner


@pytest.mark.parametrize("role", ROLES)
def test_every_page_answers_every_role_and_leads_nowhere_forbidden(
    scene: ServiceHarness, crowded: Caller, role: str
) -> None:
    policies: Any = ROLES[role]
    browser = signed_in(scene, crowded, *policies) if policies else newcomer(scene, crowded)
    stranger = scene.customer("1000")
    unit = stranger.buy()
    is_across = {OPERATOR, SUPPORT} & {*policies} or "Fleet" in "".join(policies)
    refused: list[tuple[str, ...]] = []
    links: dict[str, str] = {}
    for address in addresses(crowded):
        page = look(browser, address, role)
        if page.status < 400 and not is_across:
            assert unit not in page.text, (role, address)
        if page.status < 400 and not {FULL, OPERATE, OPERATOR, SUPPORT} & {*policies}:
            deeds = {one.partition("?")[0] for one in DEED.findall(page.text)} - {*OWN}
            assert deeds == set(), (role, address)
        if page.status < 400:
            links |= {html.unescape(one): address for one in LINK.findall(page.text) if "/static/" not in one}
    for link, address in links.items():
        if link.startswith("/console") and link.partition("?")[0] != STREAM and look(browser, link, role).status >= 400:
            refused.append((link, "from", address))
    assert not refused, f"{role}: {refused}"


def test_the_address_of_every_form_opens_the_page_of_the_form(scene: ServiceHarness, crowded: Caller) -> None:
    browser = signed_in(scene, scene.operator)
    known = {"unit": crowded.buy(), "account_id": crowded.account_id()}
    console = scene.running.console
    assert console is not None
    routes = [one for one in console._app.routes if isinstance(one, PageRoute)]
    forms = {one.path for one in routes if not one.is_page} - {one.path for one in routes if one.is_page}
    assert {"/console/admin/clock", "/console/money/top-up", "/console/units/{unit}/keep"} <= forms
    for path in forms:
        address = re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], "none"), path)
        answer = browser.get(address)
        page = browser.get(answer.location) if answer.status == 303 else answer
        assert "There is no page at this address" not in page.words(), (path, answer.status)
        assert answer.status == 303, path
    for path, leads in LEADS.items():
        assert browser.get(path).location == leads, path


LEADS = {
    "/console/admin/clock": "/console/admin/health",
    "/console/money/top-up": "/console/money",
    "/console/units/change": "/console/units",
    "/console/units/unit-1/release-at": "/console/units/unit-1",
    "/console/sign-in/code": "/console/sign-in",
    "/console/account/second-factor/begin": "/console/account",
    "/console/look": "/console",
}


@pytest.mark.parametrize("path", ["/console/admin/clock", "/console/money/top-up"])
def test_the_language_is_changed_beside_a_refused_form(scene: ServiceHarness, path: str) -> None:
    browser = signed_in(scene, scene.operator)
    token = browser.get("/console").form("/console/sign-out")
    refused = browser.post(path, token | {"to": "soon", "amount": "much"})
    assert refused.status == 400
    page = browser.send(refused, "/console/look", {"language": "zh"})
    page = browser.get(page.location) if page.status == 303 else page
    assert (page.status, '<html lang="zh-CN"' in page.text) == (200, True)
    assert f'action="{path}"' in page.text


def look(browser: Browser, address: str, role: str) -> Any:
    """Open a page, which does not fail."""
    page = browser.get(address)
    assert page.status < 500, (role, address, page.status)
    assert "Traceback" not in page.text, (role, address)
    assert len(page.text) < 61_440 or "/export" in address, (role, address)
    return page
