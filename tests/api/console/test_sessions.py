"""Signing in and out of the console: links that work once, sessions that end, and forms that only their page sends."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from leasebook.console.routes import SESSION_COOKIE
from leasebook.contract.policies import READ
from leasebook.domain.values.calendar import SECOND_US
from leasebook.ports.clock import wall_us
from leasebook.server.composition import Service
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser
from tests.api.scene import ACCOUNT, IAM, Caller, ServiceHarness
from tests.copies import STORES

HOUR_S = 3600


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    with a_copy(request, tmp_path_factory.mktemp("console") / "data", environment=MANY) as made:
        yield made


MANY = {"LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000"}


def user_of(caller: Caller) -> str:
    """Return the id of the caller's user, the root of its account."""
    return next(str(user["userId"]) for user in caller.do(IAM, "DescribeUsers")["users"] if user["isRoot"])


def shift(service: Service, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let the machine's clock be that much later for sessions."""
    assert service.console is not None
    monkeypatch.setattr(service.console.sessions, "_now_us", lambda: wall_us() + seconds * SECOND_US)


def test_a_link_signs_in_once_and_looking_at_it_uses_nothing_up(scene: ServiceHarness) -> None:
    caller = scene.customer()
    assert scene.running.console is not None
    link = scene.running.console.link(user_of(caller))
    browser = Browser(scene)
    for _ in range(2):
        assert browser.get(link).status == 200
    page = browser.use(link)
    assert (page.status, page.location) == (303, "/console/")
    assert browser.get("/console").status == 200
    again = Browser(scene).use(link)
    assert again.status == 410
    assert "was used before" in again.text
    assert check_store(scene.where).findings == []


def test_a_link_ends_and_a_changed_one_is_none(scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = scene.customer()
    assert scene.running.console is not None
    link = scene.running.console.link(user_of(caller))
    assert Browser(scene).use(link[:-2] + "xx").status == 410
    shift(scene.running, monkeypatch, 601)
    assert "has ended" in Browser(scene).use(link).text


def test_a_session_ends_without_calls_and_in_all(scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(scene)
    browser.sign_in(user_of(scene.customer()))
    for hours in range(12):
        shift(scene.running, monkeypatch, hours * HOUR_S - 60 * hours)
        assert browser.get("/console").status == 200, hours
    shift(scene.running, monkeypatch, 12 * HOUR_S)
    assert browser.get("/console").status == 303

    idle = Browser(scene)
    shift(scene.running, monkeypatch, 0)
    idle.sign_in(user_of(scene.customer()))
    shift(scene.running, monkeypatch, HOUR_S + 1)
    assert idle.get("/console").status == 303


def test_an_ended_session_stays_ended_for_a_copy_of_its_cookie(scene: ServiceHarness) -> None:
    browser = Browser(scene)
    browser.sign_in(user_of(scene.customer()))
    cookie = browser.cookies[SESSION_COOKIE]
    page = browser.get("/console")
    assert browser.post("/console/sign-out", page.form("/console/sign-out")).location == "/console/sign-in"
    assert SESSION_COOKIE not in browser.cookies
    browser.cookies[SESSION_COOKIE] = cookie
    ended = browser.get("/console/units?type=cpu")
    assert (ended.status, ended.location) == (303, "/console/sign-in?next=%2Funits%3Ftype%3Dcpu&ended=1")
    assert "Your session has ended." in browser.get(ended.location).words()
    assert check_store(scene.where).findings == []


def test_the_session_of_a_deleted_user_ends_at_once(scene: ServiceHarness) -> None:
    owner = scene.customer()
    user = owner.do(IAM, "CreateUser", {"name": "guest"})["userId"]
    browser = Browser(scene)
    browser.sign_in(user)
    assert browser.get("/console").status == 200
    owner.do(IAM, "DeleteUser", {"userId": user})
    assert browser.get("/console").status == 303


def test_a_right_that_is_withdrawn_is_gone_from_the_next_page(scene: ServiceHarness) -> None:
    owner = scene.customer()
    user = owner.do(IAM, "CreateUser", {"name": "reader"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": user, "policyName": READ})
    browser = Browser(scene)
    browser.sign_in(user)
    assert "Units" in browser.get("/console").words()
    owner.do(IAM, "DetachPolicy", {"userId": user, "policyName": READ})
    assert "Units" not in browser.get("/console").words()


def test_a_form_of_another_session_or_site_is_refused(scene: ServiceHarness) -> None:
    mine, theirs = Browser(scene), Browser(scene)
    for browser in (mine, theirs):
        browser.sign_in(user_of(scene.customer()))
    stolen = theirs.get("/console").form("/console/sign-out")
    assert mine.post("/console/sign-out", stolen).status == 403
    assert mine.post("/console/sign-out", {}).status == 403
    own = mine.get("/console").form("/console/sign-out")
    assert mine.post("/console/sign-out", own, sec_fetch_site="cross-site").status == 403
    assert mine.get("/console").status == 200


def test_a_forged_or_changed_cookie_is_no_session(scene: ServiceHarness) -> None:
    browser = Browser(scene)
    browser.sign_in(user_of(scene.customer()))
    cookie = browser.cookies[SESSION_COOKIE]
    other = user_of(scene.customer())
    kind, _, *rest = cookie.split(".")
    for forged in (cookie[:-1], ".".join((kind, other, *rest)), "", "se1.a.b.c"):
        browser.cookies[SESSION_COOKIE] = forged
        assert browser.get("/console").status == 303, forged


def test_the_cookie_and_the_headers_are_strict(scene: ServiceHarness) -> None:
    assert scene.running.console is not None
    browser = Browser(scene)
    link = scene.running.console.link(user_of(scene.customer()))
    signed = browser.post(link, browser.get(link).form(link))
    assert re.search(rf"{SESSION_COOKIE}=[^;]+; HttpOnly; Path=/; SameSite=lax", signed.headers["set-cookie"])
    page = browser.get("/console")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|<script>|\son\w+=|https?://(?!leasebook)", page.text)


def test_actions_at_the_console_are_in_the_audit_log_under_the_users_name(scene: ServiceHarness) -> None:
    caller = scene.customer()
    user = user_of(caller)
    browser = Browser(scene)
    browser.sign_in(user)
    entries = caller.do(ACCOUNT, "DescribeAuditLog", {"userId": user})["entries"]
    signed = next(entry for entry in entries if entry["action"] == "SignIn")
    assert (signed["userId"], signed["address"], signed["code"]) == (user, "192.0.2.1", "OK")


def test_too_many_attempts_from_an_address_are_refused_for_a_minute(scene: ServiceHarness) -> None:
    browser = Browser(scene, address="192.0.2.77")
    attempts = scene.running.console.parts.attempts  # type: ignore[union-attr]
    before = attempts._most
    attempts._most = 3
    try:
        answers = [browser.get("/console/in/none").status for _ in range(4)]
        assert answers == [410, 410, 410, 429]
        assert Browser(scene, address="192.0.2.78").get("/console/in/none").status == 410
    finally:
        attempts._most = before


def test_the_page_at_the_root_is_for_browsers_and_the_json_for_programs(scene: ServiceHarness) -> None:
    browser = Browser(scene)
    assert "/openapi.json" in browser.get("/").text
    answer = browser.get("/", accept="*/*")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json; charset=utf-8")


def test_language_and_colours_are_chosen_and_kept(scene: ServiceHarness) -> None:
    browser = Browser(scene, language="zh-CN,zh;q=0.9")
    page = browser.get("/console/sign-in")
    assert 'lang="zh-CN"' in page.text
    page = browser.send(page, "/console/look", {"language": "en"})
    assert '<html lang="en"' in page.text
    page = browser.send(page, "/console/look", {"theme": "dark"})
    assert 'data-theme="dark"' in page.text
    fields = page.form("/console/look") | {"theme": "light", "back": "//elsewhere.example/console"}
    assert browser.post("/console/look", fields).location == "/console/"
