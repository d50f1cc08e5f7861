"""A link that was used is used for ever, and a renewal costs what its page said."""

from __future__ import annotations

import pytest

from leasebook.store.verify.check import check_store
from tests.api.scene import CATALOG, ServiceHarness
from tests.api.test_links import (
    EXPIRES,
    RELEASED,
    RENEWED,
    Sheet,
    about_to_be_released,
    about_to_expire,
    ask,
    pressed,
    shown,
)


@pytest.mark.both_stores
def test_a_used_link_stays_used_though_its_deadline_comes_back(either: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(either)
    assert pressed(either, links["keep"])[0] == 200
    customer.schedule(unit, RELEASED)
    assert customer.unit(unit)["releaseTime"] == RELEASED
    for link in links.values():
        status, page = shown(either, link)
        assert (status, page.has_button) == (410, False)
        assert "A link of this reminder was used at 2030-01-17 08:00 (Asia/Shanghai), and each works once." in page.text
        assert pressed(either, link, "ab")[0] == 410
    assert customer.unit(unit)["releaseTime"] == RELEASED
    if either.where.url is None:
        assert check_store(either.where).findings == []


def test_a_link_that_was_not_used_holds_again_when_its_deadline_does(fresh: ServiceHarness) -> None:
    # There is no second reminder of the same deadline, so this link is the only one.
    customer, unit, links = about_to_be_released(fresh)
    customer.schedule(unit, "2030-01-20T08:00:00+08:00")
    assert shown(fresh, links["keep"])[0] == 410
    customer.schedule(unit, RELEASED)
    assert pressed(fresh, links["keep"])[0] == 200


def test_the_button_charges_what_the_page_said_or_asks_again(either: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(either, "1000")
    page = shown(either, link)[1]
    assert page.sends.endswith("&amount=100000000")
    offering = {"region": "bj", "type": "gpu-1"}
    either.operator.do(CATALOG, "SetOffering", {**offering, "pricePerMonth": "120"})
    for sends in (page.sends, page.attempt or "", f"attempt={page.attempt}&amount=1", "attempt=ab&amount=0120000000x"):
        answer = ask(either, link, sends)
        again = Sheet(answer.body)
        assert (answer.status, again.has_button) == (409, True)
        assert "It costs 120.00 CNY now" in again.text
        assert "Nothing was charged." in again.text
        assert (customer.unit(unit)["expiredTime"], customer.balance()) == (EXPIRES, "900.00")
    assert "It costs 120.00 CNY now instead of 100.00 CNY." in Sheet(ask(either, link, page.sends).body).text
    assert ask(either, link, again.sends).status == 200
    assert (customer.unit(unit)["expiredTime"], customer.balance()) == (RENEWED, "780.00")
