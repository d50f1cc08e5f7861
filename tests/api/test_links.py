"""The links of a reminder: who gets them, what their pages say before, and what the button does, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from leasebook.domain.commands.store.clock import MoveClock
from leasebook.domain.values.calendar import parse_time
from leasebook.store.verify.check import check_store
from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness, a_scene
from tests.harness import Answer

EVENTS: Final = "/v2/events"
FULL, OPERATE, READ = (f"Qianfan{name}AccessPolicy" for name in ("FullControl", "ServiceOperate", "Read"))
RELEASED: Final = "2030-01-18T08:00:00+08:00"
REMINDED: Final = "2030-01-17T08:00:00+08:00"
KEPT: Final = "2030-01-18T10:00:00+08:00"
EXPIRES: Final = "2030-02-15T08:00:00+08:00"
RENEWED: Final = "2030-03-15T08:00:00+08:00"


class Sheet(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)

    @property
    def attempt(self) -> str | None:
        """The fields that its form sends; None where it has no form."""
        found = [attrs["value"] for tag, attrs in self.tags if tag == "input"]
        return found[0] if found else None

    @property
    def sends(self) -> str:
        """All that its form sends."""
        return "&".join(f"{attrs['name']}={attrs['value']}" for tag, attrs in self.tags if tag == "input")

    @property
    def has_button(self) -> bool:
        return any(tag == "button" for tag, _ in self.tags)


def ask(scene: ServiceHarness, link: str, body: str | None = None, *, method: str = "", **headers: str) -> Answer:
    """Open a link, or press its button; nothing is signed."""
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    content = b"" if body is None else body.encode()
    way = method or ("GET" if body is None else "POST")
    answer = scene.runner.run(scene.desk.send(link, "", content, method=way, headers=sent))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    return answer


def shown(scene: ServiceHarness, link: str) -> tuple[int, Sheet]:
    """Open a link. Looking changes nothing, however often."""
    before = scene.rows() if scene.where.url is None else None
    answer = ask(scene, link)
    if before is not None:
        assert scene.rows() == before
    return answer.status, Sheet(answer.body)


def pressed(scene: ServiceHarness, link: str, attempt: str | None = None) -> tuple[int, Sheet]:
    """Open a link and press its button."""
    sends = shown(scene, link)[1].sends if attempt is None else f"attempt={attempt}"
    answer = ask(scene, link, sends)
    return answer.status, Sheet(answer.body)


def reminders(caller: Caller) -> list[Any]:
    asked = {"types": ["unit.reminder"], "oldestFirst": True}
    return list(caller.do(EVENTS, "DescribeEvents", asked)["events"])


def links_of(caller: Caller) -> dict[str, str]:
    """Return the links of the last reminder."""
    links: dict[str, str] = reminders(caller)[-1]["data"]["links"]
    return links


def about_to_be_released(
    scene: ServiceHarness, funds: str = "10000", **wanted: Any
) -> tuple[Caller, str, dict[str, str]]:
    """Buy, and let the day before the release come; returns the buyer, the instance and its links."""
    customer = scene.customer(funds)
    unit = customer.buy(release=RELEASED, **wanted)
    scene.advance(REMINDED)
    return customer, unit, links_of(customer)


def about_to_expire(scene: ServiceHarness, funds: str) -> tuple[Caller, str, str]:
    """The same of a term of a month; returns its one link."""
    customer = scene.customer(funds)
    unit = customer.buy(months=1)
    scene.advance("2030-02-14T08:00:00+08:00")
    return customer, unit, links_of(customer)["renew"]


# --- the work of a link ----------------------------------------------------------------------------------------


def test_keeping_moves_the_release_by_two_hours_once(either: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(either, count=2)
    status, page = shown(either, links["keep"])
    assert status == 200
    assert f"Keep {unit} for two more hours?" in page.text
    assert "from 2030-01-18 08:00 (Asia/Shanghai) to 2030-01-18 10:00 (Asia/Shanghai)" in page.text
    assert "2 units of gpu-1 in bj, postpaid, Running" in page.text
    # Two units for 120 minutes at half a unit of money.
    assert "120.00 CNY for the two hours" in page.text
    assert "The link holds until 2030-01-18 08:00 (Asia/Shanghai)" in page.text
    assert customer.unit(unit)["releaseTime"] == RELEASED
    status, page = pressed(either, links["keep"])
    assert (status, page.has_button) == (200, False)
    assert "It is released at 2030-01-18 10:00 (Asia/Shanghai) now." in page.text
    assert customer.unit(unit)["releaseTime"] == KEPT
    moved = customer.do(EVENTS, "DescribeEvents", {"types": ["unit.releaseMoved"]})["events"]
    (user,) = customer.do(IAM, "DescribeUsers")["users"]
    assert [event["data"]["userId"] for event in moved] == [user["userId"]]
    # All links of that reminder are void now.
    for link in links.values():
        status, page = shown(either, link)
        assert (status, page.has_button) == (410, False)
        assert "Its release is at 2030-01-18 10:00 (Asia/Shanghai) now" in page.text
        assert pressed(either, link, "ab")[0] == 410
    assert customer.unit(unit)["releaseTime"] == KEPT
    *later, entry = customer.do(ACCOUNT, "DescribeAuditLog", {"action": "UseLink"})["entries"]
    assert (entry["userId"], entry["code"], entry["body"], entry["names"]) == (user["userId"], "OK", "keep", [unit])
    assert all(one["code"] != "OK" for one in later)


def test_releasing_ends_it_now_and_says_what_it_cost(either: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(either)
    either.advance("2030-01-17T08:30:00+08:00")
    status, page = shown(either, links["release"])
    assert status == 200
    assert f"Release {unit} now?" in page.text
    # Half an hour since the last full one, and two days and a half hour in all.
    assert "Its use since the last charge, 15.00 CNY, is charged now." in page.text
    assert "It cost 1455.00 CNY in all." in page.text
    assert customer.unit(unit)["status"] == "Running"
    status, page = pressed(either, links["release"])
    assert status == 200
    assert f"{unit} ended at 2030-01-17 08:30 (Asia/Shanghai). It cost 1455.00 CNY." in page.text
    assert customer.unit(unit)["status"] == "Released"
    assert customer.balance() == "8545.00"
    for link in links.values():
        status, page = shown(either, link)
        assert (status, page.has_button) == (410, False)
        assert "It has ended since 2030-01-17 08:30" in page.text


def test_renewing_adds_a_month_and_is_paid_at_once(either: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(either, "250")
    status, page = shown(either, link)
    assert status == 200
    assert f"Renew {unit} by a month?" in page.text
    assert "ends at 2030-03-15 08:00 (Asia/Shanghai) instead of at 2030-02-15 08:00 (Asia/Shanghai)" in page.text
    assert "100.00 CNY, charged at once. The balance is 150.00 CNY." in page.text
    status, page = pressed(either, link)
    assert status == 200
    assert "Its term ends at 2030-03-15 08:00 (Asia/Shanghai) now." in page.text
    assert (customer.unit(unit)["expiredTime"], customer.balance()) == (RENEWED, "50.00")
    assert shown(either, link)[0] == 410
    assert pressed(either, link, "ab")[0] == 410
    assert customer.balance() == "50.00"


def test_a_button_that_is_pressed_twice_or_by_many_does_it_once(either: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(either, "900")
    sends = shown(either, link)[1].sends
    answers: list[Answer] = []

    async def crowd() -> None:
        async def press(sent: str) -> Answer:
            return await either.desk.send(link, "", sent.encode(), method="POST", headers=[])

        other = "attempt={:x}&" + sends.partition("&")[2]
        answers.extend(await asyncio.gather(*(press(one) for n in range(8) for one in (other.format(n), sends))))

    either.play(crowd)
    # Who pressed the same button has the same answer; all others found the link void.
    assert sorted(answer.status for answer in answers) in ([200] * 8 + [410] * 8, [200] + [410] * 15)
    assert (customer.unit(unit)["expiredTime"], customer.balance()) == (RENEWED, "700.00")
    orders = customer.do(ACCOUNT, "DescribeOrders", {"kind": "Renewal"})["orders"]
    assert len(orders) == 1


def test_the_same_attempt_is_answered_the_same_after_it_was_done(either: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(either)
    attempt = shown(either, links["keep"])[1].attempt
    assert [pressed(either, links["keep"], attempt)[0] for _ in range(3)] == [200, 200, 200]
    assert customer.unit(unit)["releaseTime"] == KEPT


def test_what_was_refused_can_be_tried_again_from_a_new_page(either: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(either, "150")
    status, page = shown(either, link)
    assert (status, page.has_button) == (409, False)
    assert "50.00" in page.text
    assert "Nothing was done." in page.text
    assert pressed(either, link, "ab")[0] == 409
    either.operator.do(ACCOUNT, "TopUpAccount", {"amount": "50", "accountId": customer.account_id()})
    assert pressed(either, link)[0] == 200
    assert customer.unit(unit)["expiredTime"] == RENEWED


# --- when it is not --------------------------------------------------------------------------------------


class Void(NamedTuple):
    """Something that happens between the reminder and the link: the words of the page after it, and its status."""

    happens: Callable[[ServiceHarness, Caller, str], None]
    says: str
    status: int = 410


VOID: Final[dict[str, Void]] = {
    "moved": Void(
        lambda _, customer, unit: customer.schedule(unit, "2030-01-20T08:00:00+08:00"),
        "Its release is at 2030-01-20 08:00 (Asia/Shanghai) now",
    ),
    "cleared": Void(lambda _, customer, unit: customer.schedule(unit), "It has no release any more"),
    "released": Void(lambda _, customer, unit: customer.release(unit), "It has ended since 2030-01-17 08:00"),
    "released by its schedule": Void(
        lambda scene, _, __: scene.advance("2030-01-18T08:00:00+08:00"), "It has ended since 2030-01-18 08:00"
    ),
    "prepaid by now": Void(
        lambda _, customer, unit: customer.do(
            UNITS,
            "ChangeBilling",
            {
                "instanceId": unit,
                "paymentTiming": "Prepaid",
                "reservation": {"reservationTimeUnit": "Month", "reservationLength": 1},
            },
        ),
        "Its expiry is at 2030-02-17 08:00 (Asia/Shanghai) now",
    ),
}


@pytest.mark.parametrize("case", VOID.values(), ids=VOID)
def test_a_link_is_void_once_the_deadline_is_another(fresh: ServiceHarness, case: Void) -> None:
    customer, unit, links = about_to_be_released(fresh)
    case.happens(fresh, customer, unit)
    before = customer.unit(unit)
    for link in links.values():
        status, page = shown(fresh, link)
        assert (status, page.has_button) == (case.status, False)
        assert case.says in page.text
        assert pressed(fresh, link, "ab")[0] == case.status
    assert customer.unit(unit) == before


def test_a_term_that_has_ended_is_not_renewed_by_its_link(fresh: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(fresh, "500")
    fresh.advance("2030-02-15T08:00:00+08:00")
    status, page = shown(fresh, link)
    assert (status, page.has_button) == (410, False)
    assert pressed(fresh, link, "ab")[0] == 410
    assert customer.unit(unit)["status"] == "Stopped"


def test_a_link_ends_at_its_deadline_also_where_the_work_of_that_moment_is_late(fresh: ServiceHarness) -> None:
    customer, unit, link = about_to_expire(fresh, "500")

    async def time_goes_on_and_nobody_works() -> None:
        await fresh.running.scheduler.stop()
        await fresh.running.sequencer.submit(MoveClock(to=parse_time(EXPIRES, "UTC")))
        fresh.running.clock.moved(parse_time(EXPIRES, "UTC"))

    fresh.play(time_goes_on_and_nobody_works)
    assert customer.unit(unit)["status"] == "Running"
    status, page = shown(fresh, link)
    assert (status, page.has_button) == (410, False)
    assert "It was about the expiry at 2030-02-15 08:00 (Asia/Shanghai), and that has come." in page.text
    assert pressed(fresh, link, "ab")[0] == 410
    assert (customer.unit(unit)["expiredTime"], customer.balance()) == (EXPIRES, "400.00")


LIMITS: Final = [
    ({"extendBy": "managers"}, "extendBy"),
    ({"extensionsMax": 0}, "extensionsMax"),
    ({"releaseMaxSeconds": 3600}, "releaseMaxSeconds"),
]


@pytest.mark.parametrize(("limits", "named"), LIMITS)
def test_what_a_limit_refuses_is_said_before_and_not_done(
    either: ServiceHarness, limits: dict[str, Any], named: str
) -> None:
    owner = either.customer("10000")
    buyer = either.user(owner, OPERATE)
    unit = buyer.buy(release=RELEASED)
    either.advance(REMINDED)
    links = links_of(buyer)
    owner.do(ACCOUNT, "SetGuardRails", {"limits": limits})
    status, page = shown(either, links["keep"])
    assert (status, page.has_button) == (409, False)
    assert f"The limit {named}" in page.text
    status, page = pressed(either, links["keep"], "ab")
    assert status == 409
    assert f"The limit {named}" in page.text
    assert buyer.unit(unit)["releaseTime"] == RELEASED
    # To release it is no extension.
    assert pressed(either, links["release"])[0] == 200


def test_a_link_acts_for_its_buyer_only_as_long_as_they_may(either: ServiceHarness) -> None:
    owner = either.customer("10000")
    buyer = either.user(owner, OPERATE)
    unit = buyer.buy(release=RELEASED)
    either.advance(REMINDED)
    links = links_of(owner)
    users = owner.do(IAM, "DescribeUsers")["users"]
    user_id = next(user["userId"] for user in users if not user["isRoot"])
    policy = {"userId": user_id, "policyName": OPERATE}

    def closed() -> None:
        for link in links.values():
            status, page = shown(either, link)
            assert (status, page.has_button) == (403, False)
            assert pressed(either, link, "ab")[0] == 403
        assert owner.unit(unit)["releaseTime"] == RELEASED

    owner.do(IAM, "DetachPolicy", policy)
    closed()
    # A policy for a project is for what belongs to it.
    other = owner.do("/v2/project", "CreateProject", {"name": "atlas"})["projectId"]
    owner.do(IAM, "AttachPolicy", {**policy, "projectIds": [other]})
    closed()
    owner.do(IAM, "AttachPolicy", {**policy, "projectIds": ["default"]})
    assert shown(either, links["keep"])[0] == 200
    owner.do(IAM, "DetachPolicy", {**policy, "projectIds": ["default", other]})
    closed()
    owner.do(IAM, "AttachPolicy", policy)
    assert shown(either, links["keep"])[0] == 200
    owner.do(IAM, "DisableAccessKey", {"accessKeyId": buyer.desk.access_key})
    closed()


# --- who gets one, and texts that are none ----------------------------------------------------------------------


def test_links_are_shown_to_whoever_could_do_the_same_without(fresh: ServiceHarness) -> None:
    owner = fresh.customer("10000")
    buyer, other = fresh.user(owner, OPERATE), fresh.user(owner, OPERATE)
    reader, manager = fresh.user(owner, READ), fresh.user(owner, FULL)
    buyer.buy(release=RELEASED)
    fresh.advance(REMINDED)
    shows = [("links" in reminders(caller)[0]["data"]) for caller in (buyer, owner, manager, other, reader)]
    assert shows == [True, True, True, False, False]
    # Always the same ones, so that every channel has them.
    assert links_of(buyer) == links_of(owner) == links_of(manager)


def test_what_was_not_made_here_is_nothing_at_all(fresh: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(fresh)
    keep = links["keep"]
    text, _, signature = keep.rpartition(".")
    deed, name, deadline = text.removeprefix("/links/").split(".")
    others = [
        "/links/",
        "/links/x",
        f"/links/{deed}.{name}.{deadline}",
        f"/links/{deed}.{name}.{deadline}.",
        f"/links/release.{name}.{deadline}.{signature}",
        f"/links/{deed}.unit-AAAAAAAA.{deadline}.{signature}",
        f"/links/{deed}.{name}.{int(deadline) + 1}.{signature}",
        f"/links/{deed}.{name}.0{deadline}.{signature}",
        f"{text}.{'A' * 43}",
        f"{keep}=",
        f"{keep}/",
        f"{keep}%00",
        f"/links/{'x' * 5000}",
    ]
    pages = [ask(fresh, link) for link in others] + [ask(fresh, link, "attempt=ab") for link in others]
    assert {page.status for page in pages} == {404}
    assert len({page.body for page in pages}) == 1
    assert unit not in pages[0].body
    assert customer.unit(unit)["releaseTime"] == RELEASED


def test_other_methods_are_refused_and_head_is_the_page_without_its_body(fresh: ServiceHarness) -> None:
    _, _, links = about_to_be_released(fresh)
    answer = ask(fresh, links["keep"], method="DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    answer = ask(fresh, links["keep"], method="HEAD")
    assert (answer.status, answer.body) == (200, "")
    assert int(answer.headers["content-length"]) > 500
    assert ask(fresh, links["keep"], "x" * (2 << 20)).status == 413


def test_a_body_that_is_none_of_the_form_counts_as_an_attempt_without_a_name(fresh: ServiceHarness) -> None:
    customer, unit, links = about_to_be_released(fresh)
    assert ask(fresh, links["keep"], "attempt=<script>&x=1").status == 200
    assert customer.unit(unit)["releaseTime"] == KEPT


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"LEASEBOOK_PUBLIC_URL": "https://units.example.com"}, "https://units.example.com/links/"),
        (
            {"LEASEBOOK_PUBLIC_URL": "https://a.example:8443", "LEASEBOOK_PATH_PREFIX": "/qianfan"},
            "https://a.example:8443/qianfan/links/",
        ),
        ({"LEASEBOOK_PATH_PREFIX": "/qianfan"}, "/qianfan/links/"),
    ],
)
def test_links_lead_to_where_the_service_is_reached(tmp_path: Path, environment: dict[str, str], address: str) -> None:
    with a_scene(tmp_path / "data", environment=environment) as scene:
        open_up(scene)
        customer, unit, links = about_to_be_released(scene)
        assert all(link.startswith(address) for link in links.values())
        prefix = environment.get("LEASEBOOK_PATH_PREFIX", "")
        assert (
            f'href="{prefix}/links/static/'
            in ask(scene, links["keep"].removeprefix(environment.get("LEASEBOOK_PUBLIC_URL", ""))).body
        )
        # A proxy may have taken the prefix off, or not.
        host = environment.get("LEASEBOOK_PUBLIC_URL", "")
        path = links["keep"].removeprefix(host)
        plain = path.removeprefix(environment.get("LEASEBOOK_PATH_PREFIX", ""))
        assert shown(scene, path)[0] == shown(scene, plain)[0] == 200
        assert pressed(scene, path)[0] == 200
        assert customer.unit(unit)["releaseTime"] == KEPT


def test_quota_is_kept_and_released_by_its_links_too(fresh: ServiceHarness) -> None:
    fresh.sell_quota()
    customer = fresh.customer("10000")
    unit = customer.buy_quota(release=RELEASED)
    fresh.advance(REMINDED)
    links = links_of(customer)
    assert "1 unit of ernie-4.0-8k, postpaid" in shown(fresh, links["keep"])[1].text
    assert pressed(fresh, links["keep"])[0] == 200
    assert customer.quota(unit)["releaseTime"] == KEPT
    fresh.advance("2030-01-18T09:00:00+08:00")
    assert pressed(fresh, links_of(customer)["release"])[0] == 200
    assert check_store(fresh.where).findings == []


def test_links_outlive_a_restart_and_none_of_another_service_hold(opened: Path, tmp_path: Path) -> None:
    with a_scene(tmp_path / "one") as scene:
        open_up(scene)
        customer, unit, links = about_to_be_released(scene)
        key = customer.desk.access_key, customer.desk.secret_key
    with a_scene(tmp_path / "one") as scene:
        again = Caller(scene.runner, scene.desk.as_user(*key))
        assert links_of(again) == links
        assert pressed(scene, links["keep"])[0] == 200
        assert again.unit(unit)["releaseTime"] == KEPT
    del opened
    with a_scene(tmp_path / "two") as scene:
        assert shown(scene, links["keep"])[0] == 404
