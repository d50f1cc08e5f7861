"""The calendar of coming ends: its readers, its contents, and the end of its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leasebook.console.calendar import ical, pages
from leasebook.console.calendar.kept import KEPT_MAX, Contents, Kept, KeptCalendars
from leasebook.contract.action import TAG
from leasebook.contract.policies import READ
from leasebook.domain.values.calendar import Instant
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser, Shown
from tests.api.console.test_pages import newcomer, signed_in
from tests.api.scene import ACCOUNT, IAM, ServiceHarness
from tests.copies import STORES
from tests.depth import few

TONIGHT = "2030-01-15T22:00:00+08:00"


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    many = {"LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "20"}
    with a_copy(request, tmp_path_factory.mktemp("calendar") / "data", environment=many) as made:
        made.sell(stock=1_000_000)
        yield made
        assert check_store(made.where).findings == []


@pytest.fixture
def request_of_store(request: pytest.FixtureRequest) -> pytest.FixtureRequest:
    """The request of a test for its store."""
    return request


def address(browser: Browser) -> str:
    """Return the path of the calendar that the page of the user shows."""
    (found,) = re.findall(r"http://leasebook\.test(/console/calendar/[^<]+)", browser.get("/console/account").text)
    return str(found)


def unfolded(shown: Shown) -> list[str]:
    """Return the lines of a calendar; each was folded as the format asks."""
    assert shown.headers["content-type"] == ical.MEDIA_TYPE
    assert shown.text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in shown.text.split("\r\n"))
    assert "\n" not in shown.text.replace("\r\n", "")
    return shown.text.replace("\r\n ", "").split("\r\n")


def test_releases_and_expiries_are_in_it_and_follow_what_happens(scene: ServiceHarness) -> None:
    owner = scene.customer("100000")
    browser = signed_in(scene, owner)
    unit, term = owner.buy(count=2, release=TONIGHT), owner.buy(months=1)
    owner.buy()
    owner.do(
        TAG,
        "RenameResource",
        {"resourceId": unit, "name": "evals; of, the \\ night " + "\N{CJK UNIFIED IDEOGRAPH-7B97}" * 20},
    )
    stranger = scene.customer("1000").buy(release=TONIGHT)
    at = address(browser)
    lines = unfolded(Browser(scene).get(at))
    assert lines.count("BEGIN:VEVENT") == 2
    assert stranger not in "".join(lines)
    assert [line for line in lines if line.startswith(("UID", "DTSTART"))] == [
        f"UID:{unit}.end@leasebook",
        "DTSTART:20300115T140000Z",
        f"UID:{term}.end@leasebook",
        "DTSTART:20300215T000000Z",
    ]
    assert f"URL:http://leasebook.test/console/units/{unit}" in lines
    named = "evals\\; of\\, the \\\\ night " + "\N{CJK UNIFIED IDEOGRAPH-7B97}" * 20
    assert f"SUMMARY:{named} is released" in lines
    assert f"DESCRIPTION:2 \N{MULTIPLICATION SIGN} gpu-1\\, bj\\n{unit}" in lines
    assert f"SUMMARY:The term of {term} ends" in lines
    owner.schedule(unit, "2030-01-20T00:00:00+08:00")
    moved = unfolded(Browser(scene).get(at))
    assert f"UID:{unit}.end@leasebook" in moved
    assert "DTSTART:20300119T160000Z" in moved
    owner.release(unit)
    assert unfolded(Browser(scene).get(f"{at}?language=zh")).count("BEGIN:VEVENT") == 1
    assert f"SUMMARY:{term} 的期限结束" in unfolded(Browser(scene).get(f"{at}?language=zh"))


def test_a_new_address_ends_the_one_before_and_a_forged_one_opens_nothing(scene: ServiceHarness) -> None:
    owner = scene.customer("100000")
    browser = signed_in(scene, owner)
    seen = [address(browser)]
    assert address(browser) == seen[0]
    for _ in range(6):
        browser.send(browser.get("/console/account"), "/console/account/calendar")
        seen.append(address(browser))
    assert len({*seen}) == 7
    assert [Browser(scene).get(one).status for one in seen] == [404] * 6 + [200]
    # The signature covers the user and the number.
    good = seen[-1]
    other = address(signed_in(scene, scene.customer("1000")))
    for forged in (
        good.replace(".6.", ".7."),
        good.replace(".6.", ".5."),
        other.split(".")[0] + ".0." + good.split(".6.")[1],
    ):
        assert forged != good
        assert Browser(scene).get(forged).status == 404
    # It signs no one in, and a session's cookie opens no calendar.
    assert Browser(scene).get("/console/in/" + good.split("/")[-1].removesuffix(".ics")).status == 410
    cookie = browser.cookies["leasebook_session"]
    assert Browser(scene).get(f"/console/calendar/{cookie}.ics").status == 404
    # New addresses are bounded, a minute at a time.
    token = browser.get("/console").form("/console/sign-out")
    answers = [browser.post("/console/account/calendar", token).status for _ in range(15)]
    assert (answers[0], answers[-1]) == (303, 429)


def test_many_units_are_read_no_further_than_the_calendar_goes(
    scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "ENTRIES_MAX", 5)
    owner = scene.customer("1000000")
    for _ in range(few(30, 1200)):
        owner.buy()
    units = [owner.buy(release=f"2030-01-{30 - day}T12:00:00+08:00") for day in range(8)]
    at = address(signed_in(scene, owner))
    lines = unfolded(Browser(scene).get(at))
    # The first five ends, the soonest first, of an account with many more units.
    soonest = [f"UID:{unit}.end@leasebook" for unit in reversed(units)]
    assert [line for line in lines if line.startswith("UID:")] == soonest[:5]
    owner.release(units[-1])
    assert [line for line in unfolded(Browser(scene).get(at)) if line.startswith("UID:")] == soonest[1:6]


@pytest.mark.parametrize("request_of_store", STORES, indirect=True)
def test_a_calendar_is_made_again_only_when_something_has_happened_or_an_end_has_passed(
    request_of_store: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Of its own: it moves the clock.
    with a_copy(request_of_store, tmp_path / "data") as scene:
        scene.sell(stock=1_000_000)
        owner = scene.customer("100000")
        unit, later = owner.buy(release=TONIGHT), owner.buy(release="2030-01-17T12:00:00+08:00")
        browser = signed_in(scene, owner)
        at = address(browser)

        def reads() -> int:
            found = scene.operator.do(
                ACCOUNT,
                "DescribeAuditLog",
                {"accountId": owner.account_id(), "action": "DescribeComputeUnits", "maxKeys": 100},
            )
            return len(found["entries"])

        first = Browser(scene).get(at)
        assert reads() == 1
        tag = first.headers["etag"]
        again = Browser(scene).get(at)
        assert (again.text, again.headers["etag"], reads()) == (first.text, tag, 1)
        assert again.headers["last-modified"] == first.headers["last-modified"]
        same = Browser(scene).get(at, if_none_match=tag)
        assert (same.status, same.text, same.headers["etag"]) == (304, "", tag)
        assert Browser(scene).get(at, if_none_match='"another"').status == 200
        # Something that has nothing to do with ends: it is made again, and is the same to its reader.
        owner.buy()
        assert Browser(scene).get(at, if_none_match=tag).status == 304
        assert reads() == 2
        owner.do(TAG, "RenameResource", {"resourceId": unit, "name": "tonight"})
        renamed = Browser(scene).get(at, if_none_match=tag)
        assert (renamed.status, "SUMMARY:tonight is released" in renamed.text) == (200, True)
        # An end that passes is an event as well; without the event its time alone is enough.
        scene.advance("2030-01-16T12:00:00+08:00")
        passed = Browser(scene).get(at, if_none_match=renamed.headers["etag"])
        assert (passed.status, unit in passed.text, later in passed.text) == (200, False, True)


def test_a_kept_calendar_is_that_of_its_reader_and_of_nobody_else() -> None:
    kept, contents = KeptCalendars(), Contents("rights", "en", "http://x", 1)
    kept.keep("a", Kept(contents, Instant(10), Instant(20), "text", "tag"))
    assert kept.find("a", contents, Instant(19)) is not None
    assert kept.find("b", contents, Instant(19)) is None
    assert kept.find("a", contents, Instant(20)) is None
    for changed in ({"rights": "others"}, {"language": "zh"}, {"origin": "http://y"}, {"event": 2}):
        assert kept.find("a", contents._replace(**changed), Instant(19)) is None, changed
    for number in range(KEPT_MAX):
        kept.keep(str(number), Kept(contents, Instant(10), None, "text", "tag"))
    assert kept.find("a", contents, Instant(19)) is None
    assert kept.find("0", contents, Instant(10**18)) is not None


def test_rights_that_end_end_the_calendar(scene: ServiceHarness) -> None:
    owner = scene.customer("100000")
    owner.buy(release=TONIGHT)
    reader = signed_in(scene, owner, READ)
    at = address(reader)
    assert unfolded(Browser(scene).get(at)).count("BEGIN:VEVENT") == 1
    user = next(one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"] if one["name"] == "someone")
    account = owner.account_id()
    scene.operator.do(IAM, "DetachPolicy", {"userId": user, "policyName": READ, "accountId": account})
    refused = Browser(scene).get(at)
    assert (refused.status, "BEGIN:VEVENT" in refused.text) == (403, False)
    assert "/console/calendar/" not in reader.get("/console/account").text
    scene.operator.do(IAM, "AttachPolicy", {"userId": user, "policyName": READ, "accountId": account})
    assert Browser(scene).get(at).status == 200
    owner.do(IAM, "DeleteUser", {"userId": user})
    assert Browser(scene).get(at).status == 404
    assert "/console/calendar/" not in newcomer(scene, owner).get("/console/account").text


def test_lines_are_folded_between_characters_and_texts_escaped() -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    name = "é" * 100 + "\r\nBEGIN:VEVENT\x00;"
    entry = ical.Entry(uid="a", at=at, summary=name, description="", url="http://x/\r\ny", category="c")
    text = ical.calendar(name, [entry], at)
    assert text.count("\r\nBEGIN:VEVENT\r\n") == 1
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    whole = text.replace("\r\n ", "").split("\r\n")
    assert "SUMMARY:" + "é" * 100 + "\\nBEGIN:VEVENT\\;" in whole
    assert "URL:http://x/y" in whole
