"""A second factor after the password, with a real authenticator (pyotp) and a clock that tests move, on both stores."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from pyotp import TOTP, parse_uri

from leasebook.console.factor import codes
from leasebook.console.factor.second_factors import HOLDS_S, OFFER_HOLDS_S
from leasebook.contract.policies import OPERATOR
from leasebook.domain.commands.console.second_factor import AddSecondFactor, Proof, UseSecondFactor
from leasebook.domain.commands.console.sign_in import SetPassword
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import WRONG_STATE, Refusal
from leasebook.ports.clock import wall_us
from leasebook.store.queries.snapshot import snapshot
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console import qr_reader
from tests.api.console.browser import Browser, Shown
from tests.api.console.test_passwords import LOGINS, MANY, PASSWORD, is_in, put, root_browser
from tests.api.scene import IAM, Caller, ServiceHarness
from tests.copies import STORES

BEGIN, ADD, REMOVE = (f"/console/account/second-factor{rest}" for rest in ("/begin", "", "/remove"))
CODE = "/console/sign-in/code"


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    with a_copy(request, tmp_path_factory.mktemp("factors") / "data", environment=MANY) as made:
        made.running.console.parts.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=64)  # type: ignore[union-attr]
        yield made
        assert check_store(made.where).findings == []


class HandClock:
    """The machine's clock, as all parts of the console see it; it moves only by hand."""

    def __init__(self, scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        # In the middle of a half minute, so that a test knows which one it is in.
        self.now_s = wall_us() // SECOND_US // codes.STEP_S * codes.STEP_S + codes.STEP_S // 2
        parts = parts_of(scene)
        for part in (parts.passwords, parts.sessions, parts.factors):
            monkeypatch.setattr(part, "_now_us", lambda: self.now_s * SECOND_US)

    def step(self, steps: int = 1) -> None:
        self.now_s += steps * codes.STEP_S


@pytest.fixture
def clock(scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> HandClock:
    return HandClock(scene, monkeypatch)


class Enrolled:
    """A root with a password and a second factor: the browser in which it was added, and the authenticator."""

    def __init__(self, scene: ServiceHarness, clock: HandClock) -> None:
        self.scene, self.clock, self.login = scene, clock, next(LOGINS)
        self.owner = scene.customer()
        self.browser = root_browser(scene, self.owner)
        assert put(self.browser, self.login).status == 303
        self.offer = press(self.browser, self.browser.get("/console/account"), BEGIN)
        self.totp = authenticator(self.offer)

    def code(self, steps: int = 0) -> str:
        return self.totp.at(self.clock.now_s + steps * codes.STEP_S)

    def add(self) -> Enrolled:
        page = press(self.browser, self.offer, ADD, code=self.code())
        assert page.status == 200
        self.recovery = re.findall(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}", page.text)
        self.clock.step()
        return self

    def asked(self, *, address: str = "192.0.2.1") -> tuple[Browser, Shown]:
        """Give the password in a browser; returns it with the page that asks for the code."""
        browser = Browser(self.scene, address=address)
        return browser, press(browser, browser.get("/console/sign-in"), "/console/sign-in", **self.words)

    @property
    def words(self) -> dict[str, str]:
        return {"login": self.login, "password": PASSWORD}

    def enters(self, code: str) -> bool:
        browser, page = self.asked()
        assert not is_in(browser)
        press(browser, page, CODE, code=code)
        return is_in(browser)

    @property
    def row(self) -> Any:
        with snapshot(self.scene.where) as ask:
            return ask.password(self.login)


def authenticator(offer: Shown) -> TOTP:
    """Take a secret over into an authenticator, by the address that the page offers."""
    made = parse_uri(html.unescape(re.findall(r'href="(otpauth:[^"]*)"', offer.text)[0]))
    assert isinstance(made, TOTP)
    assert made.secret in offer.text.replace(" ", "").replace("&amp;", "&")
    return made


def parts_of(scene: ServiceHarness) -> Any:
    return scene.running.console.parts  # type: ignore[union-attr]


def press(browser: Browser, page: Shown, action: str, **fields: str) -> Shown:
    return browser.post(action, page.form(action) | fields)


@pytest.fixture
def person(scene: ServiceHarness, clock: HandClock) -> Enrolled:
    return Enrolled(scene, clock).add()


def counted(scene: ServiceHarness, how: str, outcome: str) -> float:
    return float(parts_of(scene).sign_ins._sign_ins.labels(how, outcome)._value.get())


def test_the_code_is_asked_for_after_the_password_and_signs_in_once(scene: ServiceHarness, person: Enrolled) -> None:
    before = counted(scene, "code", "ok")
    browser, page = person.asked()
    code = person.code()
    answer = press(browser, page, CODE, code=f" {code[:3]} {code[3:]} ")
    assert (answer.status, is_in(browser)) == (303, True)
    again, page = person.asked()
    refused = press(again, page, CODE, code=code)
    assert (refused.status, is_in(again)) == (403, False)
    assert "This code was used" in refused.text
    person.clock.step()
    assert person.enters(person.code())
    assert counted(scene, "code", "ok") == before + 2


def test_the_code_that_added_the_factor_does_not_sign_in(scene: ServiceHarness, clock: HandClock) -> None:
    person = Enrolled(scene, clock).add()
    assert not person.enters(person.code(-1))


@pytest.mark.parametrize(("steps", "is_right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_early_or_late(person: Enrolled, steps: int, *, is_right: bool) -> None:
    person.clock.step(3)
    assert person.enters(person.code(steps)) == is_right


def test_a_wrong_code_is_refused_and_the_page_asks_again(scene: ServiceHarness, person: Enrolled) -> None:
    before = counted(scene, "code", "wrong")
    browser, page = person.asked()
    for wrong in ("000000" if person.code() != "000000" else "111111", "", "12345", "٠١٢٣٤٥", "x" * 500):
        page = press(browser, page, CODE, code=wrong)
        assert page.status == 403
        assert not is_in(browser)
    assert counted(scene, "code", "wrong") == before + 5
    press(browser, page, CODE, code=person.code())
    assert is_in(browser)


@pytest.mark.both_stores
def test_a_recovery_code_signs_in_once_and_the_store_has_digests_only(scene: ServiceHarness, person: Enrolled) -> None:
    assert len(set(person.recovery)) == codes.RECOVERY_CODES == len(person.row.recovery)
    assert not any(code.replace("-", "") in str(person.row) for code in person.recovery)
    used = person.recovery[3]
    assert person.enters(used.upper().replace("-", " "))
    assert not person.enters(used)
    assert len(person.row.recovery) == codes.RECOVERY_CODES - 1
    assert person.enters(person.recovery[4])
    assert "8 recovery codes are left" in person.browser.get("/console/account").words()
    assert counted(scene, "recovery", "ok") >= 2


def test_the_state_of_another_browser_is_refused(person: Enrolled) -> None:
    _, theirs = person.asked()
    browser, page = person.asked()
    state = theirs.form(CODE)["state"]
    refused = browser.post(CODE, page.form(CODE) | {"state": state, "code": person.code()})
    assert (refused.status, is_in(browser)) == (403, False)
    assert "from another browser" in refused.text
    for bad in ("", "co1.x.1." + "A" * 43, page.form(CODE)["state"][:-1] + "!"):
        browser.post(CODE, page.form(CODE) | {"state": bad, "code": person.code()})
        assert not is_in(browser)


def test_the_state_ends_by_time_and_with_the_password(person: Enrolled) -> None:
    browser, page = person.asked()
    person.clock.now_s += HOLDS_S
    press(browser, page, CODE, code=person.code())
    assert not is_in(browser)
    browser, page = person.asked()
    person.clock.step()
    assert put(person.browser, person.login, PASSWORD).status == 303
    person.clock.step()
    press(browser, page, CODE, code=person.code())
    assert not is_in(browser)
    assert person.enters(person.code())


@pytest.mark.both_stores
def test_a_new_name_and_password_keep_the_second_factor(person: Enrolled) -> None:
    former, person.login = person.login, next(LOGINS)
    assert put(person.browser, person.login).status == 303
    browser = Browser(person.scene)
    press(browser, browser.get("/console/sign-in"), "/console/sign-in", login=former, password=PASSWORD)
    assert not is_in(browser)
    person.clock.step()
    assert person.enters(person.code())


def test_of_two_renames_at_once_the_second_is_refused(scene: ServiceHarness, person: Enrolled) -> None:
    row = person.row
    words = {"account_id": user_of(scene, row.user_id).account_id, "user_id": row.user_id, "former": row.login}
    words |= {"by_operator": False, "operators": frozenset()}
    first, second = (
        SetPassword(login=next(LOGINS), hash=row.hash, at=Instant(row.changed_at), by=row.user_id, **words)
        for _ in range(2)
    )
    submit = scene.running.sequencer.submit
    assert scene.runner.run(submit(first)) is True
    with pytest.raises(Refusal) as refused:
        scene.runner.run(submit(second))
    assert refused.value.reason == WRONG_STATE


def user_of(scene: ServiceHarness, user_id: str) -> Any:
    with snapshot(scene.where) as ask:
        return ask.user(user_id)


@pytest.mark.both_stores
def test_one_code_at_two_servers_at_once_signs_in_once(scene: ServiceHarness, person: Enrolled) -> None:
    row, submit = person.row, scene.running.sequencer.submit
    for proof in (Proof(step=row.totp_step + 1), Proof(recovery=row.recovery[0])):
        command = UseSecondFactor(user_id=row.user_id, login=row.login, proof=proof, by=row.user_id)
        assert scene.runner.run(submit(command)) is True
        with pytest.raises(Refusal) as refused:
            scene.runner.run(submit(command))
        assert refused.value.reason == WRONG_STATE
    again = AddSecondFactor(user_id=row.user_id, login=row.login, totp=b"x", step=1, recovery=(), by=row.user_id)
    with pytest.raises(Refusal):
        scene.runner.run(submit(again))


@pytest.mark.both_stores
def test_removal_takes_a_code_and_then_the_password_alone_signs_in(person: Enrolled) -> None:
    browser = person.browser
    page = browser.get("/console/account")
    assert press(browser, page, REMOVE, code="").status == 400
    assert press(browser, page, REMOVE, code=person.code(-1)).status >= 400
    assert person.row.totp is not None
    assert press(browser, page, REMOVE, code=person.code()).status == 303
    assert (person.row.totp, person.row.totp_step, person.row.recovery) == (None, 0, ())
    person.clock.step()
    assert is_in(person.asked()[0])
    assert {"AddSecondFactor", "RemoveSecondFactor"} <= audited(person.owner)


def test_a_recovery_code_removes_it_too(person: Enrolled) -> None:
    assert press(person.browser, person.browser.get("/console/account"), REMOVE, code=person.recovery[0]).status == 303


def test_a_manager_removes_it_for_a_user_and_another_user_does_not(scene: ServiceHarness, clock: HandClock) -> None:
    owner = scene.customer()
    manager, login = root_browser(scene, owner), next(LOGINS)
    guest_id = owner.do(IAM, "CreateUser", {"name": "guest"})["userId"]
    put(manager, login, user=guest_id)
    guest = Browser(scene)
    guest.sign_in(guest_id)
    offer = press(guest, guest.get("/console/account"), BEGIN)
    totp = authenticator(offer)
    press(guest, offer, ADD, code=totp.at(clock.now_s))
    root_id = next(one["userId"] for one in owner.do(IAM, "DescribeUsers")["users"] if one["isRoot"])
    own = guest.get("/console/account").form(REMOVE)
    stranger = root_browser(scene, scene.customer())
    theirs = stranger.get("/console/account").form("/console/account")
    assert guest.post(REMOVE, own | {"user": root_id}).status == 404
    assert stranger.post(REMOVE, theirs | {"user": guest_id}).status == 404
    page = manager.get(f"/console/account?user={guest_id}")
    assert not page.has_form(BEGIN)
    account = user_of(scene, guest_id).account_id
    operators = {"userId": guest_id, "policyName": OPERATOR, "accountId": account}
    put(root_browser(scene, scene.operator), login, PASSWORD, user=guest_id)
    scene.operator.do(IAM, "AttachPolicy", operators)
    assert press(manager, page, REMOVE).status == 403
    scene.operator.do(IAM, "DetachPolicy", operators)
    assert press(manager, page, REMOVE).status == 303
    with snapshot(scene.where) as ask:
        assert ask.password(login).totp is None  # type: ignore[union-attr]
    entry = next(one for one in entries(owner) if one["action"] == "RemoveSecondFactor")
    assert entry["userId"] == root_id


def entries(owner: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = owner.do("/v2/account", "DescribeAuditLog", {"maxKeys": 100})["entries"]
    return found


def audited(owner: Caller) -> set[str]:
    return {one["action"] for one in entries(owner)}


def test_a_link_of_the_operator_needs_no_code(scene: ServiceHarness, person: Enrolled) -> None:
    browser = Browser(scene)
    browser.sign_in(person.row.user_id)
    assert is_in(browser)


def test_attempts_at_codes_count_with_those_at_the_password(scene: ServiceHarness, person: Enrolled) -> None:
    attempts = parts_of(scene).attempts
    others = [person.asked(address=f"198.51.100.{number}") for number in range(3)]
    attempts._tried.clear()
    before, attempts._most = attempts._most, 3
    try:
        _, page = person.asked(address="198.51.100.70")
        assert page.status == 200
        for browser, its in others[:2]:
            assert press(browser, its, CODE, code="wrong").status == 403
        late, its = others[2]
        assert press(late, its, CODE, code=person.code()).status == 429
        assert not is_in(late)
    finally:
        attempts._most = before


def test_an_offer_is_confirmed_in_time_in_the_session_that_got_it_and_by_a_right_code(
    scene: ServiceHarness, clock: HandClock
) -> None:
    person = Enrolled(scene, clock)
    wrong = press(person.browser, person.offer, ADD, code="000000" if person.code() != "000000" else "111111")
    assert wrong.status == 400
    assert person.totp.secret in wrong.text.replace(" ", "")
    other = Browser(scene)
    other.sign_in(person.row.user_id)
    fields = other.get("/console/account").form(BEGIN) | {"sealed": person.offer.form(ADD)["sealed"]}
    assert other.post(ADD, fields | {"code": person.code()}).status == 409
    clock.now_s += OFFER_HOLDS_S
    assert press(person.browser, person.offer, ADD, code=person.code()).status == 409
    assert person.row.totp is None
    assert is_in(person.asked()[0])


def test_a_phone_reads_the_secret_from_the_page_and_no_other_request_has_it(person: Enrolled) -> None:
    page = person.offer
    (read,) = qr_reader.read(page.text)
    assert read == html.unescape(re.findall(r'href="(otpauth:[^"]*)"', page.text)[0])
    asked = [one for one in re.findall(r'(?:src|href|action)="([^"]*)"', page.text) if not one.startswith("otpauth:")]
    assert asked
    assert not [one for one in asked if person.totp.secret in one]
    assert page.headers["cache-control"] == "no-store"


def test_without_a_password_there_is_no_second_factor(scene: ServiceHarness) -> None:
    browser = root_browser(scene, scene.customer())
    page = browser.get("/console/account")
    assert not page.has_form(BEGIN)
    answer = browser.post(BEGIN, page.form("/console/account"))
    assert "Set a password first" in answer.words()


def test_the_secret_is_sealed_in_the_store(person: Enrolled) -> None:
    assert person.totp.secret.encode() not in person.row.totp
    vault = parts_of(person.scene).factors._vault
    assert vault.open(person.row.totp, context=person.row.user_id) == person.totp.secret
