"""Journeys of people with a real browser. Each page on the way is looked at by axe; a deep run keeps its picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.console import chromium
from tests.api.console.chromium import CHROMIUM, ConsoleServer, Journey
from tests.api.console.test_openid import settings_for
from tests.console import identity_provider
from tests.console.identity_provider import IdentityProvider
from tests.ports import free_port

pytestmark = pytest.mark.slow
Begin = Callable[..., AbstractContextManager[Journey]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleServer]:
    chromium.needed()
    with chromium.served(tmp_path_factory.mktemp("journeys")) as one:
        yield one


@pytest.fixture(scope="module")
def begin(served: ConsoleServer) -> Iterator[Begin]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox is not to be had as root.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        @contextmanager
        def begun(
            name: str, *others: str, at: ConsoleServer = served, width: int = 1280, **options: Any
        ) -> Iterator[Journey]:
            chosen = {"locale": "en-GB", "color_scheme": "light", "timezone_id": "Europe/Berlin", **options}
            context = browser.new_context(viewport={"width": width, "height": 800}, **chosen)
            try:
                yield Journey(context, at, name, *others)
            finally:
                context.close()

        yield begun
        browser.close()


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ConsoleServer, IdentityProvider]]:
    """A server whose people sign in with an identity provider."""
    chromium.needed()
    port = free_port()
    public = f"http://127.0.0.1:{port}"
    with identity_provider.running(f"{public}/console/openid/callback") as provider:
        settings = settings_for(provider) | {"LEASEBOOK_PUBLIC_URL": public}
        with chromium.served(tmp_path_factory.mktemp("organisation"), port, settings) as one:
            yield one, provider


SENDS_TWICE = """(selector) => [0, 1].map(() => document.querySelector(selector).dispatchEvent(
    new SubmitEvent("submit", { bubbles: true, cancelable: true })))"""


def buy(journey: Journey, name: str) -> str:
    """Buy two units until tonight; returns the address of their page."""
    page = journey.page
    journey.open("/console/buy")
    page.select_option("[name=offering]", "bj/gpu-1")
    with page.expect_response("**/buy/quote"):
        page.fill("[name=count]", "2")
    with page.expect_response("**/buy/quote"):
        page.check("[name=choice][value=tonight]")
    page.locator("#quote time").first.wait_for()
    page.fill("[name=name]", name)
    journey.seen("buy")
    page.locator("form#buy button:not(.second)").click()
    page.locator("input[name=quote]").wait_for(state="attached")
    journey.seen("confirm")
    page.locator("main form button").click()
    page.wait_for_url(re.compile("/console/units/unit-"))
    return str(page.url).partition("?")[0]


def test_a_unit_is_bought_with_a_quote_and_its_release_fires(begin: Begin, served: ConsoleServer) -> None:
    with begin("buying") as journey:
        journey.sign_in()
        page = journey.page
        journey.open("/console/buy")
        page.select_option("[name=offering]", "bj/gpu-1")
        page.fill("[name=count]", "20000")
        page.locator("#quote li", has=page.locator(".dot.bad")).filter(has_text="gpu-1").first.wait_for()
        assert "free" in page.locator("#quote .verdicts").inner_text()
        journey.seen("insufficient")
        home = buy(journey, "evening-run")
        journey.seen("unit")
        # Of a double click one form is sent, as its answer may be shown only once: recovery codes are.
        assert page.evaluate(SENDS_TWICE, "form[action$='/sign-out']") == [True, False]
        page.locator("button[name=hours][value='2h']").click()
        page.wait_for_url("**?done=kept")
        end = datetime.fromisoformat(page.locator("[data-left]").first.get_attribute("data-left"))
        served.client.advance_clock(to=(end + timedelta(minutes=1)).isoformat())
        page.goto(home)
        page.locator(".state", has_text="Released").wait_for()
        journey.seen("released")


def test_units_are_found_as_one_types_and_released_together(begin: Begin, served: ConsoleServer) -> None:
    for number in range(3):
        served.buy("gpu-2", f"batch-{number}")
    with begin("together", color_scheme="dark") as journey:
        journey.sign_in()
        journey.open("/console/units")
        page = journey.page
        page.locator("tbody tr").nth(3).wait_for()
        with page.expect_response("**/units?*"):
            page.fill("[name=q]", "batch-")
        page.locator("h2", has_text="3 units").wait_for()
        assert "q=batch-" in page.url
        page.check("[data-selects]")
        page.locator("summary", has_text="End").click()
        journey.seen("selected")
        page.locator("button[value=release]").click()
        page.locator("h1", has_text="Release 3 units now?").wait_for()
        journey.seen("sure")
        page.locator("button.danger").click()
        page.locator("h1", has_text="3 units were changed").wait_for()


def test_a_service_is_created_and_its_answer_is_written_as_it_comes(begin: Begin, served: ConsoleServer) -> None:
    served.buy("cpu", "for-models")
    with begin("service") as journey:
        journey.sign_in()
        page = journey.page
        journey.open("/console/services/new")
        page.select_option("[name=model]", label="completion V1")
        with page.expect_response("**/services/new/check"):
            page.fill("[name=name]", "Talking")
        page.locator("#check code", has_text="/services/talking").wait_for()
        unit = page.locator("[name=instance] option", has_text="for-models").get_attribute("value")
        with page.expect_response("**/services/new/check"):
            page.select_option("[name=instance]", value=unit)
        journey.seen("new")
        page.locator("form#new button", has_text="Create it").click()
        page.wait_for_url("**/services/svco-*")
        page.locator("p", has_text="1 healthy").wait_for()
        page.fill("[name=say]", "What is a lease?")
        page.locator("form[data-stream] button", has_text="Ask").click()
        page.locator("[data-note]", has_text="First words after").wait_for()
        assert page.locator("[data-answer]").inner_text()
        journey.seen("tried")
        page.locator("tbody a", has_text="for-models").click()
        page.locator("details[open] pre.lines", has_text="listening on").wait_for()
        journey.seen("lines")


def test_the_overview_follows_what_happens(begin: Begin, served: ConsoleServer) -> None:
    with begin("overview") as journey:
        page = journey.page

        def between(route: Any) -> None:
            """Buy after the page was made, and before the stream of events begins."""
            served.buy("gpu-3", "in-between")
            route.continue_()

        page.route("**/console/live*", between, times=1)
        journey.sign_in()
        page.locator("h2", has_text="Latest events").wait_for()
        page.locator(".story a", has_text="in-between").first.wait_for()
        served.buy("gpu-3", "just-now")
        page.locator(".story a", has_text="just-now").first.wait_for()
        journey.seen("overview")


FITS = """(charts) => charts.map((chart) => {
    const card = chart.closest(".card").getBoundingClientRect();
    const texts = [...chart.parentElement.querySelectorAll("text")].filter((one) => one.getClientRects().length);
    const boxes = texts.map((one) => one.getBoundingClientRect());
    const over = boxes.filter((one) => one.left < card.left || one.right > card.right).length;
    const names = [...chart.querySelectorAll("text")].filter((one) => one.getClientRects().length)
        .map((one) => one.getBoundingClientRect());
    const crowded = names.filter((one, place) => place && one.left < names[place - 1].right).length;
    return [texts.length > 4, Math.min(...boxes.map((one) => one.height)) > 11, over, crowded];
})"""


def test_a_phone_in_chinese_and_dark(begin: Begin, served: ConsoleServer) -> None:
    served.buy("gpu-2", "on-the-phone")
    served.client.advance_clock(to=(served.client.describe_clock().now + timedelta(hours=2)).isoformat())
    with begin("phone", width=360, locale="zh-CN", color_scheme="dark", has_touch=True) as journey:
        journey.sign_in()
        journey.seen("overview")
        for name, path in (("units", "/console/units"), ("buy", "/console/buy"), ("landing", "/")):
            journey.open(path)
            journey.seen(name)
        for name, path in (("money", "/console/money"), ("costs", "/console/money/costs?by=type")):
            journey.open(path)
            journey.page.locator("svg.columns").first.wait_for()
            # A chart is whole and can be read without scrolling sideways.
            assert journey.page.locator("svg.columns").evaluate_all(FITS) == [[True, True, 0, 0]]
            assert journey.page.locator(".scroll svg").count() == 0
            journey.seen(name)
            journey.page.emulate_media(color_scheme="light")
            journey.seen(f"{name}-light")
            journey.page.emulate_media(color_scheme="dark")
        journey.open("/console/units")
        journey.page.locator("tbody a").first.click()
        journey.page.wait_for_url("**/units/unit-*")
        journey.seen("unit")


def test_a_reader_sees_everything_and_no_button(begin: Begin, served: ConsoleServer) -> None:
    user = served.client.create_user(name="reader")
    served.client.attach_policy(user_id=user.user_id, policy_name="QianfanReadAccessPolicy")
    with begin("reader", locale="zh-CN") as journey:
        journey.sign_in("--user", user.user_id)
        journey.open("/console/units")
        assert journey.page.locator("main button.danger, main [name=deed]").count() == 0
        journey.seen("units")


def test_people_of_an_organisation_sign_in_and_have_the_rights_of_their_groups(
    begin: Begin, organisation: tuple[ConsoleServer, IdentityProvider]
) -> None:
    served, provider = organisation
    served.buy("gpu-1", "of-the-house")
    for person, groups in (("newcomer", []), ("reader", ["readers"])):
        provider.person(sub=person, name=f"Li {person}", groups=groups)
        with begin(f"openid-{person}", provider.issuer, at=served) as journey:
            page = journey.page
            # A page that was asked for is the one to which signing in leads back.
            journey.open("/console/units")
            journey.seen("sign-in")
            with page.expect_response(lambda answer: "/console/openid/callback" in answer.url):
                page.locator("a.button").first.click()
            page.wait_for_url("**/console/units")
            if not groups:
                page.locator("[role=alert]").wait_for()
                journey.errors[:] = [one for one in journey.errors if "status of 403" not in one]
                journey.seen("refused")
                assert "of-the-house" not in page.content()
                journey.open("/console")
                page.locator("strong", has_text="You have no rights yet").wait_for()
                assert page.locator("header nav a").all_inner_texts() == ["Overview", "Administration", "API"]
            else:
                page.locator("td", has_text="of-the-house").first.wait_for()
                assert page.locator("main button.danger, main [name=deed]").count() == 0
            assert page.locator("a.who").inner_text() == f"Li {person}"
            journey.seen("in")
            page.locator("header button", has_text="Sign out").click()
            page.locator("h1", has_text="You are signed out").wait_for()
            journey.seen("out")
            journey.open("/console/units")
            page.wait_for_url("**/console/sign-in?*")


def test_without_a_script_a_unit_is_bought(begin: Begin) -> None:
    with begin("no-script", java_script_enabled=False) as journey:
        journey.sign_in()
        journey.open("/console/buy")
        page = journey.page
        page.fill("[name=name]", "no-script")
        page.check("[name=choice][value='2h']")
        page.locator("noscript button").click()
        page.locator("#quote time").wait_for()
        page.locator("form#buy button:not(.second)").click()
        page.locator("main form button").click()
        page.wait_for_url(re.compile("/console/units/unit-"))
        assert "no-script" in page.locator("h1").inner_text()
