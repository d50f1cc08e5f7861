"""A store in which everything has happened once: rows in every table, for tests that spoil them or carry them over."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from pyotp import TOTP

from leasebook.api.audit_record import CallRecord
from leasebook.api.ids import uuid4_text
from leasebook.console.device.logins import DeviceLogins
from leasebook.contract.policies import OF_THE_HOUSE
from leasebook.domain.commands.console.openid import SignInByOpenId, user_id_of
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.values.calendar import Instant
from leasebook.reconciler.ports import Timing
from leasebook.store.opening import Target
from leasebook.testing.fake_engine import FakeEngine, FakeWorld
from tests.api.console.browser import Browser
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    IAM,
    MODEL,
    NOTIFICATION,
    SERVICE,
    UNITS,
    ServiceHarness,
    a_scene,
    new_service,
    order,
)
from tests.api.test_every_action import Recorder, lead_a_whole_life
from tests.api.test_links import links_of, pressed
from tests.harness import Answer

TIMING: Final = Timing(look_s=0.05, observe_s=0.05, busy_s=0.02, again_s=0.0)
FAR: Final = Instant(4_000_000_000_000_000)
"""Rows until then are not deleted while a test runs, in microseconds since 1970."""
ENVIRONMENT: Final = {"LEASEBOOK_ENGINES": "h100=process, *=instant", "LEASEBOOK_AUDIT_KEEP_DAYS": "0"}
"""The audit log is never closed, so that it has every digest."""


class Engine(FakeEngine):
    """An engine in memory, under the name of one that is known."""

    name = "process"


def live(where: Target) -> None:
    """Have everything happen once, on an empty store."""
    engines = {"process": Engine(FakeWorld(lambda: 1e9, {"h100": 100}))}
    with a_scene(where, environment=ENVIRONMENT, engines=engines, timing=TIMING) as scene:
        caller = Recorder(scene.runner, scene.desk)
        caller.kept = {}
        lead_a_whole_life(scene, caller)
        _ask_approvers(scene, caller)
        _use_a_link(scene)
        _sign_in(scene, caller)
        _run_replicas(scene, caller)
        _ask_twice(caller)
        _sign_in_machines(scene)
        _tell_nobody(caller)


def _sign_in(scene: ServiceHarness, caller: Recorder) -> None:
    """Have a user sign in to the console, and out again."""
    users = caller.do(IAM, "DescribeUsers", {})["users"]
    browser = Browser(scene)
    browser.sign_in(users[0]["userId"])
    words: dict[str, Any] = {"login": "the-first", "password": "a long password", "again": "a long password"}
    browser.send(browser.get("/console/account"), "/console/account", **words)
    factor = "/console/account/second-factor"
    page = browser.send(browser.get("/console/account"), f"{factor}/begin")
    secret = "".join(re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].split())
    browser.send(page, factor, code=TOTP(secret).now())
    browser.send(browser.get("/console"), "/console/sign-out")


def _run_replicas(scene: ServiceHarness, caller: Recorder) -> None:
    """Have replicas of a service run on an engine, and end some of them again."""
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "90000"})
    budget = {"budget": "0.000001", "budgetWarnPercent": [50]}
    limits = {"units": {"gpu-1": 1000}, "spend": "9000000", "tags": {"team": {"vision": budget}}}
    caller.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    offering = {"region": "bj", "type": "h100", "pricePerMinute": "0.01", "pricePerMonth": "1", "stockTotal": 50}
    caller.do(CATALOG, "SetOffering", offering)
    made = caller.do(MODEL, "CreateCustomModelSet", {"modelSetName": "runs"})
    made |= {"modelId": caller.do(MODEL, "CreateCustomModel", {**made, "run": {"command": ["serve"]}})["modelId"]}
    names = {"modelSetId": made["modelSetId"], "modelId": made["modelId"]}
    service = caller.do(SERVICE, "CreateService", {**new_service(type="H100-1"), **names})["serviceId"]
    units = [caller.buy_replicas(service, count) for count in (2, 1)]

    async def wait(status: str) -> None:
        for _ in range(1000):
            shown = await scene.desk.call(UNITS, "DescribeComputeUnit", {"instanceId": units[-1]})
            if shown.result["computeUnitInstance"]["status"] == status:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{units[-1]} does not become {status}")

    scene.runner.run(wait("Running"))
    caller.do("/v2/tag", "TagResource", {"resourceId": units[0], "tags": {"team": "vision", "stage": ""}})
    caller.do("/v2/tag", "RenameResource", {"resourceId": units[0], "name": "training"})
    caller.do(ACCOUNT, "SetTagPolicy", {"policy": {"allowed": {"stage": ["", "live"]}}})
    caller.release(units[-1])
    scene.runner.run(wait("Released"))


def _ask_twice(caller: Recorder) -> None:
    """Buy with a client token, and be refused with one."""
    for token in ("once", "once", "again"):
        caller.do(UNITS, "PurchaseComputeUnit", {**order(), "clientToken": token})
    caller.refused(UNITS, "PurchaseComputeUnit", {**order(count=10_000), "clientToken": "too much"})


def _sign_in_machines(scene: ServiceHarness) -> None:
    """Have a person of an identity provider approve a machine and refuse another one, and let one wait."""
    store, console = scene.running.store, scene.running.console
    root = store.ask(lambda ask: ask.user(ask.fact(ROOT_USER) or ""))
    assert root is not None
    assert console is not None
    issuer, subject = "https://login.example.com", "person"
    person = SignInByOpenId(
        account_id=root.account_id,
        user_id=user_id_of(issuer, subject),
        issuer=issuer,
        subject=subject,
        name="Li",
        policies=("QianfanReadAccessPolicy",),
        operators=OF_THE_HOUSE,
        sign_in_id="0" * 64,
        until=FAR,
        by=user_id_of(issuer, subject),
    )
    scene.runner.run(scene.running.sequencer.submit(person))
    user = store.ask(lambda ask: ask.user(person.user_id))
    assert user is not None
    logins = DeviceLogins.of(console.parts.context)
    first, second, _ = (scene.runner.run(logins.ask("laptop", "127.0.0.1")) for _ in range(3))
    for asked, approves in ((first, True), (second, False)):
        record = CallRecord(uuid4_text(), "127.0.0.1", "/console", "ConfirmDevice")
        scene.runner.run(logins.decide(user, asked.user_code, record, approves=approves))


def _use_a_link(scene: ServiceHarness) -> None:
    """Press the button of a reminder's link."""
    customer = scene.customer("100")
    customer.buy(release="2030-03-21 08:30:00")
    scene.advance("2030-03-20 08:31:00")
    pressed(scene, links_of(customer)["keep"], "ab" * 16)


def _tell_nobody(caller: Recorder) -> None:
    """Subscribe a receiver that is never there, so that events wait."""
    caller.do(NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/"})
    caller.do(
        NOTIFICATION, "CreateSubscription", {"kind": "Webhook", "url": "https://receiver.invalid/", "accounts": ["*"]}
    )
    unit = caller.buy()
    caller.schedule(unit, "2030-06-01 08:00:00")


def _ask_approvers(scene: ServiceHarness, caller: Recorder) -> None:
    """Ask for purchases that need an approval: one is approved, one rejected, one lapses, and one waits."""
    caller.do(ACCOUNT, "TopUpAccount", {"amount": "90000"})
    needs = {"units": {"*": 2}, "selfApproval": True}
    caller.do(ACCOUNT, "SetGuardRails", {"replace": True, "limits": {"needsApproval": needs | {"lapseSeconds": 300}}})
    asked = [request_of(caller.ask(UNITS, "PurchaseComputeUnit", order(count=3))) for _ in range(3)]
    caller.do(ACCOUNT, "ApprovePurchase", {"approvalId": asked[0]})
    caller.do(ACCOUNT, "RejectPurchase", {"approvalId": asked[1], "reason": "Not now."})
    scene.advance("2030-03-20 08:05:00")
    caller.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": needs | {"lapseSeconds": 4000}}})
    replicas = new_service(replicasCount=3) | {"billing": order(months=2)["billing"]}
    caller.do(ACCOUNT, "ApprovePurchase", {"approvalId": request_of(caller.ask(SERVICE, "CreateService", replicas))})
    late = {**order(count=3, release="2030-06-01 08:00:00"), "clientToken": "waits"}
    request_of(caller.ask(UNITS, "PurchaseComputeUnit", late))
    scene.advance("2030-03-20 08:15:00")
    caller.do(ACCOUNT, "SetGuardRails", {"limits": {"needsApproval": None}})


def request_of(answer: Answer) -> str:
    """Return the request for an approval that a purchase is kept as."""
    assert answer.code == "ApprovalNeeded", answer.body
    return str(answer.body["message"].partition("the request ")[2].split()[0])
