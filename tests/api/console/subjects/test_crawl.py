"""Every page as every role: none fails, none shows another account's things, none leads where its reader may not go."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from starlette.routing import Route

from leasebook.console.pages.table import PAGES
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
        if link.startswith("/console") and link != STREAM and look(browser, link, role).status >= 400:
            refused.append((link, "from", address))
    assert not refused, f"{role}: {refused}"


def look(browser: Browser, address: str, role: str) -> Any:
    """Open a page, which does not fail."""
    page = browser.get(address)
    assert page.status < 500, (role, address, page.status)
    assert "Traceback" not in page.text, (role, address)
    assert len(page.text) < 61_440 or "/export" in address, (role, address)
    return page
