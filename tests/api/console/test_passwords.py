"""Signing in by a password: set by its user or a manager, and the end of sessions that began by an earlier one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher

from leasebook.api.audit_record import CallRecord
from leasebook.console.frame.words import POLICIES
from leasebook.console.session.pages import FRESH_S
from leasebook.contract.policies import OF_THE_HOUSE, READ
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser, Shown
from tests.api.scene import IAM, Caller, ServiceHarness
from tests.copies import STORES
from tests.depth import some

MANY = {"LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000"}
PASSWORD = "correct horse battery"
LOGINS = (f"person-{number}" for number in range(1000))


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    with a_copy(request, tmp_path_factory.mktemp("passwords") / "data", environment=MANY) as made:
        # The real cost of a hash is a tenth of a second, and a test needs many.
        made.running.console.parts.passwords._hasher = PasswordHasher(time_cost=2, memory_cost=4096)  # type: ignore[union-attr]
        yield made
        assert check_store(made.where).findings == []


def root_browser(scene: ServiceHarness, owner: Caller) -> Browser:
    browser = Browser(scene)
    browser.sign_in(next(one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"] if one["isRoot"]))
    return browser


def put(
    browser: Browser, login: str, password: str = PASSWORD, *, user: str = "", again: str | None = None, now: str = ""
) -> Shown:
    """Set a login name and a password; ``now`` is the present one."""
    page = browser.get(f"/console/account?user={user}")
    assert ('name="present"' in page.text) == bool(now)
    fields = {"login": login, "password": password, "again": password if again is None else again, "present": now}
    return browser.post("/console/account", page.form("/console/account") | fields)


def enter(scene: ServiceHarness, login: str, password: str = PASSWORD, *, address: str = "192.0.2.1") -> Browser:
    browser = Browser(scene, address=address)
    page = browser.get("/console/sign-in")
    browser.post("/console/sign-in", page.form("/console/sign-in") | {"login": login, "password": password})
    return browser


def is_in(browser: Browser) -> bool:
    return browser.get("/console").status == 200


@pytest.mark.both_stores
def test_a_password_signs_in_and_another_one_does_not(scene: ServiceHarness) -> None:
    login = next(LOGINS)
    assert put(root_browser(scene, scene.customer()), login).status == 303
    assert is_in(enter(scene, f" {login.upper()} "))
    assert not is_in(enter(scene, login, PASSWORD + "!"))
    assert not is_in(enter(scene, "unknown-person"))
    assert not is_in(enter(scene, "", ""))
    for wanted, leads in (("/units?type=cpu", "/console/units?type=cpu"), ("//elsewhere.example", "/console/")):
        browser = Browser(scene)
        fields = browser.get(f"/console/sign-in?{urlencode({'next': wanted})}").form("/console/sign-in")
        answer = browser.post("/console/sign-in", fields | {"login": login, "password": PASSWORD})
        assert (answer.status, answer.location) == (303, leads), wanted


def test_a_new_password_ends_the_sessions_of_the_former_one_and_not_the_present(scene: ServiceHarness) -> None:
    """Also those that began in the same second."""
    login = next(LOGINS)
    put(root_browser(scene, scene.customer()), login)
    here, elsewhere = enter(scene, login), enter(scene, login)
    assert put(here, next(LOGINS), PASSWORD + "2", now=PASSWORD).status == 303
    assert is_in(here)
    assert not is_in(elsewhere)
    assert not is_in(enter(scene, login, PASSWORD + "2"))


def test_the_own_password_is_changed_with_the_present_one_only(
    scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, taken = next(LOGINS), "another person's choice"
    owner = scene.customer()
    by_link = root_browser(scene, owner)
    put(by_link, login)
    found_open = enter(scene, login)
    for wrong in ("wrong password", PASSWORD + "!"):
        refused = put(found_open, login, taken, now=wrong)
        assert (refused.status, "not your present password" in refused.words()) == (400, True)
    form = found_open.get("/console/account").form("/console/account")
    fields = form | {"login": login, "password": taken, "again": taken}
    for more in ({}, {"present": ""}, {"user": ""}):
        assert found_open.post("/console/account", fields | more).status == 400
    # A link of the operator is the way back for a person who has forgotten it, and only for some minutes.
    sessions = scene.running.console.sessions  # type: ignore[union-attr]
    monkeypatch.setattr(sessions, "_now_us", lambda now=sessions._now_us: now() + FRESH_S * 1_000_000)
    assert put(by_link, login, taken, now="wrong password").status == 400
    monkeypatch.undo()
    assert not is_in(enter(scene, login, taken))
    assert put(by_link, login, taken).status == 303
    assert is_in(enter(scene, login, taken))


def test_guesses_at_the_present_password_count_with_those_of_signing_in(scene: ServiceHarness) -> None:
    login = next(LOGINS)
    put(root_browser(scene, scene.customer()), login)
    browser = enter(scene, login)
    attempts = scene.running.console.parts.attempts  # type: ignore[union-attr]
    attempts._tried.clear()
    before, attempts._most = attempts._most, 3
    try:
        answers = [put(browser, login, now="wrong password").status for _ in range(3)]
        assert answers == [400] * 3
        assert put(browser, login, PASSWORD + "2", now=PASSWORD).status == 429
        assert not is_in(enter(scene, login, address="198.51.100.9"))
    finally:
        attempts._most = before
    attempts._tried.clear()
    assert is_in(enter(scene, login))


def test_a_password_that_is_changed_while_it_is_verified_does_not_sign_in(
    scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, login = scene.customer(), next(LOGINS)
    put(root_browser(scene, owner), login)
    passwords = scene.running.console.parts.passwords  # type: ignore[union-attr]
    computed = passwords._computed

    async def slowly(work: Any, *given: str) -> Any:
        done = await computed(work, *given)
        if work == passwords._fits:
            with snapshot(scene.where) as ask:
                row = ask.password(login)
                user = ask.user(row.user_id)  # type: ignore[union-attr]
            assert user is not None
            record = CallRecord("request", "127.0.0.1", "/console", "SetPassword")
            await passwords.set(user, user, login, PASSWORD + "2", record)
        return done

    monkeypatch.setattr(passwords, "_computed", slowly)
    browser = enter(scene, login)
    monkeypatch.undo()
    assert not is_in(browser)
    assert is_in(enter(scene, login, PASSWORD + "2"))


def test_a_manager_sets_the_password_of_a_user_and_others_do_not(scene: ServiceHarness) -> None:
    owner = scene.customer()
    user = owner.do(IAM, "CreateUser", {"name": "guest"})["userId"]
    owner.do(IAM, "AttachPolicy", {"userId": user, "policyName": READ})
    login = next(LOGINS)
    assert put(root_browser(scene, owner), login, user=user).status == 303
    guest = enter(scene, login)
    assert "guest" in guest.get("/console/account").words()
    root = next(one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    for other in (root, scene.customer().do(IAM, "DescribeUsers")["users"][0]["userId"]):
        assert guest.get(f"/console/account?user={other}").status == 404
        own = guest.get("/console/account").form("/console/account")
        fields = own | {"user": other, "login": next(LOGINS), "password": PASSWORD, "again": PASSWORD}
        assert guest.post("/console/account", fields).status == 404
    owner.do(IAM, "DeleteUser", {"userId": user})
    assert not is_in(enter(scene, login))


@pytest.mark.parametrize("policy", sorted(OF_THE_HOUSE))
def test_only_an_operator_sets_the_password_of_a_user_with_a_policy_over_every_account(
    scene: ServiceHarness, policy: str
) -> None:
    owner, login = scene.customer(), next(LOGINS)
    account = owner.do("/v2/account", "DescribeAccount")["accountId"]
    user = owner.do(IAM, "CreateUser", {"name": "of the house"})["userId"]
    scene.operator.do(IAM, "AttachPolicy", {"userId": user, "policyName": policy, "accountId": account})
    manager = root_browser(scene, owner)
    refused = put(manager, login, user=user)
    assert refused.status == 403
    assert f"The user holds {POLICIES[policy][0]}" in refused.text
    assert not is_in(enter(scene, login))
    # The user's own password is the user's own.
    of_the_house = Browser(scene)
    of_the_house.sign_in(user)
    assert put(of_the_house, login).status == 303
    assert put(manager, login, PASSWORD + "2", user=user).status == 403
    assert is_in(enter(scene, login))
    # Without the policy it is an ordinary user again.
    scene.operator.do(IAM, "DetachPolicy", {"userId": user, "policyName": policy, "accountId": account})
    assert put(manager, login, PASSWORD + "2", user=user).status == 303


@pytest.mark.parametrize("policy", some(sorted(OF_THE_HOUSE), 1))
def test_a_password_that_a_manager_may_know_opens_no_policy_over_every_account(
    scene: ServiceHarness, policy: str
) -> None:
    owner, login = scene.customer(), next(LOGINS)
    account = owner.do("/v2/account", "DescribeAccount")["accountId"]
    user = owner.do(IAM, "CreateUser", {"name": "promoted"})["userId"]
    assert put(root_browser(scene, owner), login, user=user).status == 303
    by_manager = enter(scene, login)
    assert is_in(by_manager)
    attach = {"userId": user, "policyName": policy, "accountId": account}
    refused = scene.operator.ask(IAM, "AttachPolicy", attach)
    assert (refused.code, "no operator set it" in refused.body["message"]) == ("InvalidState", True)
    assert put(root_browser(scene, scene.operator), login, PASSWORD + "2", user=user).status == 303
    assert not is_in(by_manager)
    scene.operator.do(IAM, "AttachPolicy", attach)
    assert is_in(enter(scene, login, PASSWORD + "2"))
    assert [one["action"] for one in owner.do("/v2/account", "DescribeAuditLog")["entries"]].count("SetPassword") == 2


def test_a_taken_name_a_short_password_and_a_slip_are_refused(scene: ServiceHarness) -> None:
    login = next(LOGINS)
    put(root_browser(scene, scene.customer()), login)
    other = root_browser(scene, scene.customer())
    assert "is taken" in put(other, login).text
    assert "from 12 to 128" in put(other, next(LOGINS), "short").text
    assert "differ" in put(other, next(LOGINS), again="another").text
    assert "A login name has" in put(other, "a b").text
    assert is_in(enter(scene, login))


def test_a_login_name_that_was_given_up_is_free_again(scene: ServiceHarness) -> None:
    first, second = next(LOGINS), next(LOGINS)
    browser = root_browser(scene, scene.customer())
    put(browser, first)
    put(browser, second)
    assert not is_in(enter(scene, first))
    assert put(root_browser(scene, scene.customer()), first, PASSWORD + "3").status == 303
    assert is_in(enter(scene, first, PASSWORD + "3"))


def test_attempts_at_one_name_are_bounded_from_all_addresses_together(scene: ServiceHarness) -> None:
    attempts = scene.running.console.parts.attempts  # type: ignore[union-attr]
    login = next(LOGINS)
    put(root_browser(scene, scene.customer()), login)
    before, attempts._most = attempts._most, 3
    try:
        for number in range(3):
            enter(scene, login, "wrong password", address=f"198.51.100.{number}")
        assert not is_in(enter(scene, login, address="198.51.100.9"))
    finally:
        attempts._most = before


def test_an_unknown_name_is_as_much_work_as_a_wrong_password(scene: ServiceHarness) -> None:
    login = next(LOGINS)
    put(root_browser(scene, scene.customer()), login)
    passwords = scene.running.console.parts.passwords  # type: ignore[union-attr]

    def work(name: str) -> float:
        began = time.process_time()
        assert scene.runner.run(passwords.prove(name, "wrong password")) is None
        return time.process_time() - began

    work(login)
    known, unknown = ([work(name) for _ in range(3)] for name in (login, "unknown-person"))
    assert 0.5 < statistics.median(known) / statistics.median(unknown) < 2
