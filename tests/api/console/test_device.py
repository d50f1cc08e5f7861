"""Machines that sign in by a code which a person confirms at the console, on both stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import pytest

from leasebook.console.device import codes
from leasebook.console.device.logins import HOLDS_S, name_of
from leasebook.console.device.pages import ASKED_MAX, GRANT, POLLS_MAX
from leasebook.contract.policies import OPERATOR
from leasebook.domain.commands.console.device import AskForKey
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.ports.clock import wall_us
from leasebook.store.verify.check import check_store
from tests.api.conftest import a_copy
from tests.api.console.browser import Browser, Shown
from tests.api.console.test_passwords import PASSWORD, enter, put, root_browser
from tests.api.console.test_sessions import user_of
from tests.api.scene import ACCOUNT, IAM, Caller, ServiceHarness
from tests.copies import STORES

FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
FAR: Final = Instant(4_000_000_000_000_000)
OPERATE: Final = "QianfanServiceOperateAccessPolicy"


@pytest.fixture(scope="module", params=STORES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHarness]:
    environment = {"LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000"}
    with a_copy(request, tmp_path_factory.mktemp("device") / "data", environment=environment) as made:
        yield made


_addresses = iter(f"10.1.{number // 250}.{number % 250 + 1}" for number in range(10_000))


class Machine:
    """A machine with an address of its own, which asks and polls as RFC 8628 says."""

    def __init__(self, scene: ServiceHarness, name: str = "li-laptop") -> None:
        self.browser = Browser(scene, address=next(_addresses))
        self.begun = self.post("code", {"machine": name})[1]
        self.user_code = str(self.begun.get("user_code", ""))

    def post(self, where: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        page = self.browser._ask("POST", f"/console/device/{where}", urlencode(form).encode(), FORM)
        assert page.headers["cache-control"] == "no-store"
        return page.status, msgspec.json.decode(page.text)

    def poll(self, **changed: str) -> tuple[int, dict[str, Any]]:
        return self.post("token", {"grant_type": GRANT, "device_code": self.begun["device_code"]} | changed)

    def error(self, **changed: str) -> str:
        status, answer = self.poll(**changed)
        assert status == 400
        return str(answer["error"])


def person(scene: ServiceHarness, caller: Caller) -> Browser:
    browser = Browser(scene)
    browser.sign_in(user_of(caller))
    return browser


def answer(browser: Browser, machine: Machine, word: str) -> Shown:
    page = browser.get(f"/console/device?code={machine.user_code}")
    assert page.status == 200, page.words()
    return browser.post("/console/device", page.form("/console/device") | {"answer": word})


def test_a_machine_gets_a_key_of_the_person_who_approves(scene: ServiceHarness) -> None:
    root, machine = scene.customer(), Machine(scene, "li-laptop\n<b>")
    begun = machine.begun
    assert begun["verification_uri"] == "http://leasebook.test/console/device"
    assert begun["verification_uri_complete"] == f"http://leasebook.test/console/device?code={machine.user_code}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert machine.error() == "authorization_pending"
    browser = person(scene, root)
    page = browser.get(f"/console/device?code={machine.user_code}")
    assert "calls itself li-laptop <b> asks from the address" in page.words()
    assert "the key would be theirs" in page.words()
    assert "<b>" not in page.text
    assert answer(browser, machine, "approve").status == 200
    status, key = machine.poll()
    assert status == 200
    assert key["token_type"] == "bce-auth-v1"
    # An answer that was lost is given again.
    assert machine.poll() == (200, key)
    caller = scene.caller({"accessKeyId": key["access_key_id"], "secretAccessKey": key["secret_access_key"]})
    assert caller.account_id() == root.account_id() == key["account_id"]
    (made,) = (
        one
        for user in root.do(IAM, "DescribeUsers")["users"]
        for one in user["accessKeys"]
        if one["accessKeyId"] == key["access_key_id"]
    )
    assert made["name"] == "li-laptop <b>"
    entries = root.do(ACCOUNT, "DescribeAuditLog", {"userId": user_of(root)})["entries"]
    assert ("ConfirmDevice", "OK") in [(one["action"], one["code"]) for one in entries]
    assert check_store(scene.where).findings == []


def test_a_machine_that_is_refused_gets_no_key(scene: ServiceHarness) -> None:
    root, machine = scene.customer(), Machine(scene)
    browser = person(scene, root)
    assert "gets no key" in answer(browser, machine, "refuse").words()
    assert machine.error() == "access_denied"
    again = browser.get(f"/console/device?code={machine.user_code}")
    assert again.status == 404
    assert sum(len(user["accessKeys"]) for user in root.do(IAM, "DescribeUsers")["users"]) == 1


def test_a_code_is_decided_once_and_the_machines_own_code_must_fit(scene: ServiceHarness) -> None:
    root, machine = scene.customer(), Machine(scene)
    browser = person(scene, root)
    fields = browser.get(f"/console/device?code={machine.user_code}").form("/console/device")
    assert browser.post("/console/device", fields | {"answer": "refuse"}).status == 200
    page = browser.post("/console/device", fields | {"answer": "approve"})
    assert "was approved or refused before" in page.words()
    assert machine.error() == "access_denied"
    # Another machine's own code, from which the same code for the person would follow.
    twin = codes.new_device_code()
    row = AskForKey(user_code=codes.user_code_of(twin), digest="0" * 64, machine="m", address="a", until=FAR)
    scene.runner.run(scene.running.sequencer.submit(row))
    assert machine.error(device_code=twin) == "invalid_grant"


def test_a_user_has_at_most_two_active_keys_also_by_machines(scene: ServiceHarness) -> None:
    root, one, two = scene.customer(), Machine(scene), Machine(scene)
    browser = person(scene, root)
    assert answer(browser, one, "approve").status == 200
    page = answer(browser, two, "approve")
    assert "at most 2 are allowed" in page.words()
    assert two.error() == "authorization_pending"
    key = one.poll()[1]["access_key_id"]
    root.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    assert one.error() == "access_denied"
    assert answer(browser, two, "approve").status == 200
    assert two.poll()[0] == 200


def test_a_code_lapses_for_the_machine_and_for_the_person(
    scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, browser = Machine(scene), person(scene, scene.customer())
    page = browser.get(f"/console/device?code={machine.user_code}")
    logins = logins_of(scene)
    monkeypatch.setattr(logins, "_now_us", lambda: wall_us() + HOLDS_S * SECOND_US)
    assert machine.error() == "expired_token"
    assert browser.get(f"/console/device?code={machine.user_code}").status == 404
    assert browser.post("/console/device", page.form("/console/device") | {"answer": "approve"}).status == 404


def test_only_a_signed_in_person_with_the_pages_form_decides(scene: ServiceHarness) -> None:
    root, machine = scene.customer(), Machine(scene)
    stranger = Browser(scene)
    assert stranger.get(f"/console/device?code={machine.user_code}").status == 303
    assert stranger.post("/console/device", {"code": machine.user_code, "answer": "approve"}).status == 303
    browser = person(scene, root)
    assert browser.post("/console/device", {"code": machine.user_code, "answer": "approve"}).status == 403
    fields = browser.get(f"/console/device?code={machine.user_code}").form("/console/device")
    elsewhere = browser.post("/console/device", fields | {"answer": "approve"}, sec_fetch_site="cross-site")
    assert elsewhere.status == 403
    assert machine.error() == "authorization_pending"


def test_a_code_is_typed_as_people_type(scene: ServiceHarness) -> None:
    machine, browser = Machine(scene), person(scene, scene.customer())
    code = machine.user_code
    for text in (code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
        assert browser.get(f"/console/device?{urlencode({'code': text})}").status == 200, text
    for text in ("AEIO-UAEI", code[:-1], f"{code}B", "<script>"):
        page = browser.get(f"/console/device?{urlencode({'code': text})}")
        assert page.status == 404, text
        assert "<script>" not in page.text.replace("<script src", "")
    assert browser.get("/console/device").status == 200


def test_what_a_machine_sends_wrongly_is_named(scene: ServiceHarness) -> None:
    machine = Machine(scene)
    other = codes.new_device_code()
    assert machine.error(device_code=other) == "invalid_grant"
    assert machine.error(device_code="é" * 500) == "invalid_grant"
    assert machine.error(device_code="") == "invalid_request"
    assert machine.error(grant_type="password") == "unsupported_grant_type"
    assert machine.post("token", {"device_code": "x" * 9000})[1]["error"] == "invalid_request"
    for _ in range(POLLS_MAX):
        machine.poll()
    assert machine.error() == "slow_down"


def test_an_address_asks_for_few_codes_a_minute(scene: ServiceHarness) -> None:
    machine = Machine(scene)
    for _ in range(ASKED_MAX - 1):
        assert machine.post("code", {})[0] == 200
    status, answered = machine.post("code", {})
    assert (status, answered["error"]) == (429, "slow_down")


def test_a_deleted_users_machine_gets_nothing(scene: ServiceHarness) -> None:
    root, machine = scene.customer(), Machine(scene)
    user = root.do(IAM, "CreateUser", {"name": "leaves"})
    root.do(IAM, "AttachPolicy", {"userId": user["userId"], "policyName": OPERATE})
    browser = Browser(scene)
    browser.sign_in(user["userId"])
    assert answer(browser, machine, "approve").status == 200
    root.do(IAM, "DeleteUser", {"userId": user["userId"]})
    assert machine.error() == "access_denied"


def logins_of(scene: ServiceHarness) -> Any:
    console = scene.running.console
    assert console is not None
    return next(
        route.endpoint.__self__._logins  # type: ignore[attr-defined]
        for route in console._app.routes
        if getattr(route, "path", "") == "/console/device/code"
    )


def test_codes_are_readable_and_follow_from_the_machines_own() -> None:
    device_code = codes.new_device_code()
    user_code = codes.user_code_of(device_code)
    assert codes.user_code_of(device_code) == user_code
    assert codes.typed(codes.shown(user_code)) == user_code
    assert len({codes.user_code_of(codes.new_device_code()) for _ in range(200)}) == 200
    assert device_code not in (user_code, codes.digest_of(device_code))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "a machine"),
        (" \n\t ", "a machine"),
        ("li\x00laptop", "li laptop"),
        ("x" * 500, "x" * 64),
        ("笔记本", "笔记本"),
    ],
)
def test_a_machines_name_is_one_short_line(name: str, shown: str) -> None:
    assert name_of(name) == shown


def test_a_key_that_a_manager_may_have_opens_no_policy_over_every_account(scene: ServiceHarness) -> None:
    owner, machine, login = scene.customer(), Machine(scene, "of a manager"), "a-manager-knows"
    user = owner.do(IAM, "CreateUser", {"name": "promoted"})["userId"]
    put(root_browser(scene, owner), login, user=user)
    assert answer(enter(scene, login), machine, "approve").status == 200
    key = machine.poll()[1]["access_key_id"]
    put(root_browser(scene, scene.operator), login, PASSWORD + "2", user=user)
    attach = {"userId": user, "policyName": OPERATOR, "accountId": owner.account_id()}
    refused = scene.operator.ask(IAM, "AttachPolicy", attach)
    assert (refused.code, key in refused.body["message"]) == ("InvalidState", True)
    owner.do(IAM, "DisableAccessKey", {"accessKeyId": key})
    scene.operator.do(IAM, "AttachPolicy", attach)
