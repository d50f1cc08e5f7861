"""Service keys whose makers lost the right to make them, and keys that are refused: counted, noted, and bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from leasebook.contract.policies import WRITERS
from leasebook.domain.model.account import ProjectPolicy, User
from leasebook.domain.model.service_key import Orphan, ServiceKey, orphan_of
from leasebook.domain.values.calendar import Instant
from leasebook.gateway.keys import Sought
from leasebook.gateway.refused_keys import ENTRIES_MAX, Refusals
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests import postgres
from tests.gateway.scene import SERVICE, GatewayHarness, an_office, echo, served
from tests.gateway.test_chat import asked
from tests.gateway.test_servers import _beside
from tests.harness import Client

IAM, ACCOUNT = "/v2/iam", "/v2/account"
OPERATE: Final = "QianfanServiceOperateAccessPolicy"


async def maker_of(office: GatewayHarness) -> tuple[Client, dict[str, str], str]:
    """Add a user who may make service keys, and have them make one; returns them and the key."""
    user = {"userId": (await office.do(IAM, "CreateUser", {"name": "maker"}))["userId"]}
    made = await office.do(IAM, "CreateAccessKey", user)
    policy = {**user, "policyName": OPERATE}
    await office.do(IAM, "AttachPolicy", policy)
    desk = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
    key = (await desk.call(SERVICE, "CreateServiceKey", {"name": "shop"})).result["key"]
    return desk, policy, key


async def reasons(office: GatewayHarness) -> list[Any]:
    keys = (await office.do(SERVICE, "DescribeServiceKeys", {}))["keyList"]
    return [one.get("orphanReason") for one in keys]


async def test_a_key_opens_nothing_while_its_maker_may_make_none(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        _, policy, key = await maker_of(office)
        assert (await office.said(key=key))[0] == 200
        await office.do(IAM, "DetachPolicy", policy)
        # It was remembered by the gateway a moment ago.
        status, body = await office.said(key=key)
        assert (status, body["code"]) == (401, "InvalidServiceKey")
        assert "may not make service keys any more" in body["message"]
        assert await reasons(office) == [None, "MakerMayNot"]
        assert (await office.said())[0] == 200
        await office.do(IAM, "AttachPolicy", policy)
        assert (await office.said(key=key))[0] == 200
        assert await reasons(office) == [None, None]


async def test_a_key_whose_maker_cannot_sign_goes_on_and_is_shown_as_an_orphan(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        maker, _, key = await maker_of(office)
        await office.do(IAM, "DisableAccessKey", {"accessKeyId": maker.access_key})
        assert (await office.said(key=key))[0] == 200
        assert await reasons(office) == [None, "MakerHasNoKey"]


async def test_a_key_made_by_a_policy_for_a_project_opens_its_service_while_both_are_in_it(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        desk, policy, _ = await maker_of(office)
        await office.do(IAM, "DetachPolicy", policy)
        for_project = {**policy, "projectIds": ["default"]}
        await office.do(IAM, "AttachPolicy", for_project)
        assert (await desk.call(SERVICE, "CreateServiceKey", {"name": "all"})).code == "AccessDenied"
        made = {"name": "shop", "serviceId": office.service}
        key = (await desk.call(SERVICE, "CreateServiceKey", made)).result["key"]
        for _ in range(2):
            assert (await office.said(key=key))[0] == 200
        await office.do(IAM, "DetachPolicy", for_project)
        assert (await office.said(key=key))[0] == 401
        await office.do(IAM, "AttachPolicy", for_project)
        assert (await office.said(key=key))[0] == 200
        # A service without replicas can move. Its keys are known by then.
        project = (await office.do("/v2/project", "CreateProject", {"name": "atlas"}))["projectId"]
        shown = await office.do(SERVICE, "DescribeService", {"serviceId": office.service})
        spare = {name: shown[name] for name in ("modelSetId", "modelId")} | {"name": "spare", "urlSuffix": "spare"}
        made["serviceId"] = (
            await office.do(SERVICE, "CreateService", {**spare, "resourceConfig": {"type": "GPU-1-1"}})
        )["serviceId"]
        key = (await desk.call(SERVICE, "CreateServiceKey", made)).result["key"]
        seen = []
        for where in ("default", project, "default"):
            await office.do("/v2/project", "MoveResource", {"resourceId": made["serviceId"], "projectId": where})
            headers = {"authorization": f"Bearer {key}"}
            async with office.http.get(office.url(name="spare"), headers=headers) as answer:
                seen.append(answer.status)
        assert seen == [503, 401, 503]
        assert (await reasons(office))[-1] is None


async def test_a_token_of_a_user_with_a_policy_for_projects_opens_their_services_alone(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        desk, policy, _ = await maker_of(office)
        await office.do(IAM, "DetachPolicy", policy)
        project = (await office.do("/v2/project", "CreateProject", {"name": "atlas"}))["projectId"]
        seen = []
        for projects in ([project], ["default"], [project]):
            for_projects = {**policy, "projectIds": projects}
            await office.do(IAM, "AttachPolicy", for_projects)
            token = (await desk.send("/v1/BCE-BEARER/token", "", b"", method="GET")).body["token"]
            headers = {"authorization": f"Bearer {token}"}
            async with office.http.get(office.url(), headers=headers) as answer:
                status = answer.status
            async with office.http.get(f"http://{office.base}/v2/models", headers=headers) as answer:
                listed = [one["id"] for one in (await answer.json())["data"]]
            told = (await asked(office, {"model": "echo"}, key=token))[0]
            seen.append((status, listed, told))
            await office.do(IAM, "DetachPolicy", for_projects)
            async with office.http.get(office.url(), headers=headers) as answer:
                assert answer.status == 401
        hidden: tuple[int, list[str], int] = (404, [], 404)
        assert seen == [hidden, (200, ["echo"], 200), hidden]
        assert (await desk.send("/v1/BCE-BEARER/token", "", b"", method="GET")).code == "AccessDenied"


async def test_a_right_that_one_server_takes_away_counts_at_another_at_once(tmp_path: Path) -> None:
    async def scene(url: str) -> None:
        async with (
            an_office(Target(tmp_path / "one", url)) as one,
            an_office(_beside(tmp_path, url), opened=False) as other,
            served(echo) as replica,
        ):
            other.service = one.service
            one.replicas(replica)
            other.replicas(replica)
            _, policy, key = await maker_of(one)
            for office in (one, other):
                assert (await office.said(key=key))[0] == 200
            await one.do(IAM, "DetachPolicy", policy)
            for office in (other, one):
                assert (await office.said(key=key))[0] == 401
            await other.do(IAM, "AttachPolicy", policy)
            for office in (one, other):
                assert (await office.said(key=key))[0] == 200

    (tmp_path / "one").mkdir(mode=0o700)
    with postgres.shared_server().database(migrated=True) as url:
        await scene(url)


@pytest.mark.parametrize(
    ("maker", "has_access_key", "found"),
    [
        (None, True, "MakerGone"),
        (User("u", "acc-2", "", True, (), Instant(1)), True, "MakerGone"),
        (User("u", "acc-1", "", False, ("QianfanReadAccessPolicy",), Instant(1)), True, "MakerMayNot"),
        (User("u", "acc-1", "", False, (OPERATE,), Instant(1)), False, "MakerHasNoKey"),
        (User("u", "acc-1", "", False, (OPERATE,), Instant(1)), True, None),
        (User("u", "acc-1", "", True, (), Instant(1)), True, None),
    ],
)
def test_who_answers_for_a_key(*, maker: User | None, has_access_key: bool, found: Orphan | None) -> None:
    key = ServiceKey("key-1", "acc-1", "u", "shop", None, "", Instant(1))
    assert orphan_of(key, maker, WRITERS, has_access_key=has_access_key) == found


def test_who_answers_for_a_key_of_one_service() -> None:
    held = ProjectPolicy(OPERATE, ("prj-1",))
    maker = User("u", "acc-1", "", False, (), Instant(1), project_policies=(held,))
    found = []
    for service, project in ((None, "prj-1"), ("svco-1", "prj-1"), ("svco-1", "prj-2"), ("svco-1", None)):
        key = ServiceKey("key-1", "acc-1", "u", "shop", service, "", Instant(1))
        found.append(orphan_of(key, maker, WRITERS, project_id=project))
    assert found == ["MakerMayNot", None, "MakerMayNot", "MakerMayNot"]


async def noted(office: GatewayHarness) -> list[Any]:
    """Have refused calls written down, and return them: those without a known account, and the account's own."""
    office.desk.service.app._passing.keys._refusals.write()  # type: ignore[union-attr]
    await office.desk.service.sequencer.flush()
    found = []
    for account in ({"accountId": ""}, {}):
        asked = {"action": "CallService", **account}
        found += (await office.do(ACCOUNT, "DescribeAuditLog", asked))["entries"]
    return found


class Kept:
    """A sequencer that only keeps what it is to note."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def note(self, line: Any) -> None:
        self.lines.append(line)


class Still:
    """A clock that does not move."""

    def now(self) -> Instant:
        return Instant(7)


def test_refused_keys_are_summed_up_by_address_and_key_and_cannot_fill_the_log() -> None:
    kept = Kept()
    refusals = Refusals(kept, Still())  # type: ignore[arg-type]
    row = ServiceKey("key-1", "acc-1", "u", "shop", None, "", Instant(1))
    for number in range(1000):
        refusals.add(Sought(None, "wrong", "key-1", row), "192.0.2.1", f"r{number}")
        refusals.add(Sought(None, "unknown", f"key-{number}"), f"198.51.100.{number}", f"s{number}")
    refusals.write()
    assert len(kept.lines) == ENTRIES_MAX + 1
    by_account = {(account, entry.address): entry for account, entry in kept.lines}
    mine = by_account["acc-1", "192.0.2.1"]
    assert mine.message.startswith("1000 calls within a minute")
    assert (mine.access_key, mine.code, mine.action, mine.request_id) == (
        "key-1",
        "InvalidServiceKey",
        "CallService",
        "r999",
    )
    others = by_account["", "*"]
    assert others.message.startswith(f"{1000 - ENTRIES_MAX + 1} calls")
    assert others.access_key is None
    refusals.write()
    assert len(kept.lines) == ENTRIES_MAX + 1


async def test_refused_keys_are_counted_and_stand_in_the_audit_log_of_whose_they_are(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        spare = await office.do(SERVICE, "CreateServiceKey", {"name": "spare"})
        await office.do(SERVICE, "DeleteServiceKey", {"keyId": spare["keyId"]})
        for key in ("x", spare["key"], spare["key"], office.key[:17] + spare["key"][17:]):
            assert (await office.said(key=key))[0] == 401
        found = {(one.get("accessKeyId"), one["code"]): one["message"] for one in await noted(office)}
        assert found[spare["keyId"], "InvalidServiceKey"].startswith("2 calls")
        assert sum(code == "InvalidServiceKey" for _, code in found) == 3
        metrics = (await office.desk.service.health.page("/metrics")).body.decode()  # type: ignore[union-attr]
        for why, times in (("none", 1), ("deleted", 2), ("wrong", 1)):
            assert f'leasebook_gateway_keys_refused_total{{why="{why}"}} {times}.0' in metrics
    assert check_store(Target(tmp_path)).findings == []
