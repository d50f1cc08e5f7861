"""The console by the keyboard alone: every control is reached, in order and visibly, and no control keeps the focus."""

from __future__ import annotations

import re

import pytest

from leasebook.client.sync_client import Client
from tests.api.console.chromium import ConsoleServer
from tests.api.console.subjects import test_looks
from tests.api.console.test_journeys import Begin
from tests.depth import some

pytestmark = pytest.mark.slow
begin, served, tenant = test_looks.begin, test_looks.served, test_looks.tenant

PAGES = {
    "overview": "/console/",
    "buy": "/console/buy",
    "units": "/console/units",
    "limits": "/console/admin/limits",
    "subscriptions": "/console/admin/subscriptions",
    "fleet": "/console/admin/fleet",
    "costs": "/console/money/costs?by=type",
    "account": "/console/account",
}
CONTROLS = """() => {
    const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
    const groups = new Set();
    window.controls = [...all].filter(one => {
        if (one.disabled || one.type === "hidden" || one.tabIndex < 0 || !one.checkVisibility()) return false;
        if (one.type !== "radio") return true;
        // The keys of arrows lead from one button of a group to the next.
        const isNew = !groups.has(one.name);
        groups.add(one.name);
        return isNew;
    });
    return window.controls.map(one => one.outerHTML.slice(0, 160));
}"""
FOCUSED = """() => {
    const one = document.activeElement;
    const radio = one.type === "radio" ? one.name : null;
    const place = window.controls.findIndex(each => each === one || (radio && each.name === radio));
    const shapes = [one, one.parentElement].map(each => getComputedStyle(each));
    // The browser marks the part of a time that has the focus.
    const hasParts = /^(date|datetime-local|month|time)$/.test(one.type);
    const isSeen = hasParts || shapes.some(each => each.outlineStyle !== "none" && parseFloat(each.outlineWidth) > 0);
    return [place, isSeen];
}"""


@pytest.mark.parametrize("width", some([360, 1280], 1))
def test_each_control_is_reached_in_order_and_shows_that_it_has_the_focus(
    begin: Begin, tenant: Client, width: int
) -> None:
    assert tenant
    with begin("keyboard", width=width) as journey:
        journey.sign_in()
        for name, path in PAGES.items():
            journey.open(path)
            journey.page.wait_for_load_state("networkidle")
            journey.fits(name)
            controls = journey.page.evaluate(CONTROLS)
            assert len(controls) > 9, name
            places: list[int] = []
            for _ in range(2 * len(controls)):
                journey.page.keyboard.press("Tab")
                place, is_seen = journey.page.evaluate(FOCUSED)
                assert is_seen, (name, controls[place])
                places.append(place)
                if len({*places}) == len(controls):
                    break
            missed = [controls[place] for place in range(len(controls)) if place not in places]
            assert (name, missed, places) == (name, [], sorted(places))


def test_a_unit_is_bought_and_released_with_keys_alone(begin: Begin, served: ConsoleServer) -> None:
    with begin("keys") as journey:
        journey.sign_in()
        page, keys = journey.page, journey.page.keyboard

        def to(selector: str) -> None:
            for _ in range(200):
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
                keys.press("Tab")
            pytest.fail(f"{selector} is not reached")

        journey.open("/console/buy")
        to("[name=offering]")
        keys.type("gpu-1")
        to("[name=count]")
        keys.press("Control+A")
        with page.expect_response("**/buy/quote"):
            keys.type("2")
        to("[name=name]")
        keys.type("by-keys")
        # The answer to a change leaves the focus where it is.
        assert page.evaluate("document.activeElement.name") == "name"
        keys.press("Enter")
        page.locator("input[name=quote]").wait_for(state="attached")
        to("main form button")
        keys.press("Enter")
        page.wait_for_url(re.compile("/console/units/unit-"))
        unit_id = str(page.url).partition("?")[0].rpartition("/")[2]
        assert page.locator("h1").inner_text().startswith("by-keys")
        to("button.danger")
        keys.press("Enter")
        page.locator("h1", has_text="Release").wait_for()
        to("main button.danger")
        keys.press("Enter")
        page.locator(".state", has_text=re.compile("Releas")).first.wait_for()
        assert served.client.describe_unit(instance_id=unit_id).compute_unit_instance.status in (
            "Releasing",
            "Released",
        )
