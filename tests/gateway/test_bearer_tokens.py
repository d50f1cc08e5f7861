"""Short-lived tokens of access keys: who gets one, what it opens, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from leasebook.api.auth.bearer_tokens import BearerTokens
from leasebook.api.auth.identity import Identities, Identity
from leasebook.batch import StaleIdentity
from leasebook.ports.clock import wall_us
from leasebook.store.opening import Target as Store
from tests.copies import STORES, empty
from tests.gateway.scene import GatewayHarness, an_office, echo, served
from tests.gateway.test_chat import asked, in_shape
from tests.gateway.test_chat_bounds import late
from tests.harness import Answer, Client, a_service

TOKEN = "/v1/BCE-BEARER/token"
IAM = "/v2/iam"
NOW_US = 1_900_000_000_000_000


class TokenClock:
    """The machine's own time, as the test says."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture(params=STORES)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of either kind."""
    with empty(request.param, tmp_path / "data", migrated=True) as store:
        yield store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TokenClock:
    """Have tokens made and verified at times of the test; signatures keep the machine's."""
    moved = TokenClock()

    def made(identities: Identities, *, seconds_max: int, now_us: Callable[[], int]) -> BearerTokens:
        assert now_us is wall_us
        return BearerTokens(identities, seconds_max=seconds_max, now_us=moved)

    monkeypatch.setattr("leasebook.server.factories.BearerTokens", made)
    return moved


async def token_of(
    desk: Client, query: str = "expireInSeconds=600", content: bytes = b"", method: str = "GET"
) -> Answer:
    return await desk.send(TOKEN, query, content, method=method)


async def called(office: GatewayHarness, token: str) -> tuple[int, str]:
    """Call the service with a token; returns the status, and the code of the error."""
    status, said = await asked(office, {"model": "echo"}, key=token)
    assert status == 200 or in_shape(said)
    return status, said["error"]["code"] if status != 200 else ""


async def user_of(office: GatewayHarness, policy: str) -> tuple[str, Client]:
    """Make a user with a policy and a key; returns the user's id."""
    user = (await office.do(IAM, "CreateUser", {"name": policy[8:24]}))["userId"]
    await office.do(IAM, "AttachPolicy", {"userId": user, "policyName": policy})
    made = await office.do(IAM, "CreateAccessKey", {"userId": user})
    return user, office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])


async def test_a_token_of_an_access_key_opens_the_services_of_its_account_and_is_counted_under_the_key(
    either: Store,
) -> None:
    async with an_office(either) as office, served(echo) as replica:
        office.replicas(replica)
        for content in (b"", b"null", b"{}"):
            made = await token_of(office.desk, content=content)
            assert made.status == 200
            assert made.headers["x-bce-request-id"]
        assert made.body.keys() == {"userId", "token", "status", "createTime", "expireTime"}
        lived = datetime.fromisoformat(made.body["expireTime"]) - datetime.fromisoformat(made.body["createTime"])
        assert (lived.total_seconds(), made.body["createTime"][-1]) == (600, "Z")
        assert made.body["token"].startswith("bce-v3/ALTAK-")
        assert await called(office, made.body["token"]) == (200, "")
        headers = {"Authorization": f"Bearer {made.body['token']}"}
        async with office.http.get(office.url(), headers=headers) as found:
            assert found.status == 200, "as at the service's own address"
        async with office.http.get(f"http://{office.base}/v2/models", headers=headers) as found:
            assert [one["id"] for one in json.loads(await found.read())["data"]] == ["echo"]
        await office.counted(2)
        times = {"startTime": "2020-01-01 00:00:00", "endTime": "2090-01-01 00:00:00"}
        (listed,) = (await office.do("/v2/service", "DescribeServiceMetric", times))["serviceList"]
        assert [one["appId"] for one in listed["appList"]] == [office.desk.access_key]


async def test_a_token_ends_at_its_time_and_the_setting_bounds_that(tmp_path: Path, clock: TokenClock) -> None:
    async def scene(longest: str) -> None:
        environment = {"LEASEBOOK_BEARER_TOKEN_MAX_SECONDS": longest}
        async with a_service(tmp_path / longest, environment=environment) as desk:
            for query, seconds in (("", 1800), ("expireInSeconds=100000", int(longest)), ("expireInSeconds=1", 1)):
                made = (await token_of(desk, query)).body
                lived = datetime.fromisoformat(made["expireTime"]) - datetime.fromisoformat(made["createTime"])
                assert lived.total_seconds() == min(seconds, int(longest))
            for wrong in ("0", "-1", "x", "1.5", "", "9" * 13, "%EF%BC%91"):
                refused = await token_of(desk, f"expireInSeconds={wrong}")
                assert (refused.status, refused.body["code"]) == (400, "InappropriateJSON")
                assert "param[expireInSeconds]" in refused.body["message"]

    await scene("900")
    async with an_office(tmp_path / "office") as office, served(echo) as replica:
        office.replicas(replica)
        token = (await token_of(office.desk)).body["token"]
        clock.now_us = NOW_US + 599_999_999
        assert await called(office, token) == (200, "")
        clock.now_us = NOW_US + 600_000_000
        assert await called(office, token) == (401, "InvalidServiceKey")


async def test_a_token_is_made_with_a_signature_by_get_and_for_users_who_may_make_service_keys(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office:
        reader = (await user_of(office, "QianfanReadAccessPolicy"))[1]
        refused = await token_of(reader)
        assert (refused.status, refused.body["code"]) == (403, "AccessDenied")
        assert (await token_of(office.desk, method="POST")).body["code"] == "InvalidHTTPRequest"
        unsigned = await office.desk.send(TOKEN, "", b"", method="GET", headers=[(b"host", b"leasebook.test")])
        assert (unsigned.status, unsigned.body["code"]) == (400, "SignatureEmpty")
        made = await token_of(office.desk)
        logged = (await office.do("/v2/account", "DescribeAuditLog", {"action": "CreateBearerToken"}))["entries"]
        assert [one["code"] for one in logged] == ["OK", "AccessDenied"]
        assert made.body["token"] not in json.dumps(logged)


async def test_a_token_is_not_called_unknown_while_other_servers_change_rights_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def changed(_identities: Identities, _caller: Identity) -> None:
        raise StaleIdentity

    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        token = (await token_of(office.desk)).body["token"]
        with monkeypatch.context() as patched:
            patched.setattr(Identities, "confirm", changed)
            assert await called(office, token) == (503, "Overloaded")
        assert await called(office, token) == (200, "")


async def test_no_token_outlives_its_access_key_or_the_right_of_its_user(either: Store) -> None:
    async with an_office(either) as office, served(echo) as replica:
        office.replicas(replica)
        user, operator = await user_of(office, "QianfanServiceOperateAccessPolicy")
        token = (await token_of(operator)).body["token"]
        policy = {"userId": user, "policyName": "QianfanServiceOperateAccessPolicy"}
        assert await called(office, token) == (200, "")
        await office.do(IAM, "DetachPolicy", policy)
        assert await called(office, token) == (401, "InvalidServiceKey")
        await office.do(IAM, "AttachPolicy", policy)
        assert await called(office, token) == (200, "")
        await office.do(IAM, "DisableAccessKey", {"accessKeyId": operator.access_key})
        assert await called(office, token) == (401, "InvalidServiceKey")


async def test_a_token_of_another_account_finds_nothing_and_a_changed_one_is_none(tmp_path: Path) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        made = await office.do(IAM, "CreateAccount", {"name": "stranger"})
        stranger = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        foreign = (await token_of(stranger)).body["token"]
        assert await called(office, foreign) == (404, "ServiceNotFound")
        assert (await asked(office, {"model": office.service}, key=foreign))[0] == 404
        own = (await token_of(office.desk)).body["token"]
        head, _, proof = own.rpartition("/")
        start, _, times = head.partition("-lbt1-")
        issued, expires, key = times.split("-", 2)
        changed = [
            f"{head}/{foreign.rpartition('/')[2]}",
            f"{head}/{proof[:-1]}{'0' if proof[-1] != '0' else '1'}",
            f"{start}-lbt1-{issued}-{int(expires) + 1}-{key}/{proof}",
            f"{start}-lbt1-{issued}-{expires}-{stranger.access_key}/{proof}",
            f"{start}-lbt2-{issued}-{expires}-{key}/{proof}",
            f"{own}\n",
            head,
            "bce-v3/ALTAK-x/y",
        ]
        for token in changed:
            if "\n" not in token:
                assert await called(office, token) == (401, "InvalidServiceKey"), token


async def test_who_knows_the_secret_cannot_write_a_token_that_outlives_the_setting(
    tmp_path: Path, clock: TokenClock
) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        assert clock.now_us == NOW_US
        identities = office.desk.service.app._identities
        caller: Any = await identities.find(office.desk.access_key)
        now = NOW_US // 1_000_000
        for issued, expires, status in (
            (now, now + 86_400, 200),
            (now, now + 86_401, 401),
            (now + 301, now + 400, 401),
        ):
            payload = f"lbt1-{issued}-{expires}-{caller.access_key_id}"
            token = f"bce-v3/ALTAK-{payload}/{caller.token_proof(payload)}"
            assert (await called(office, token))[0] == status


async def test_a_token_whose_time_ends_before_the_body_has_come_starts_no_call(
    tmp_path: Path, clock: TokenClock
) -> None:
    async with an_office(tmp_path) as office, served(echo) as replica:
        office.replicas(replica)
        token = (await token_of(office.desk)).body["token"]

        async def ended() -> None:
            clock.now_us += 601_000_000

        assert await late(office, token, ended) == 401


async def test_a_token_and_a_service_key_open_nothing_once_their_account_is_closed(either: Store) -> None:
    async with an_office(either) as office, served(echo) as replica:
        office.replicas(replica)
        made = await office.do(IAM, "CreateAccount", {"name": "short-lived"})
        tenant = office.desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        token = (await token_of(tenant)).body["token"]
        key = (await office.do("/v2/service", "CreateServiceKey", {"name": "x"}, desk=tenant))["key"]
        assert [(await called(office, one))[0] for one in (token, key)] == [404, 404], "it has no service of that name"
        await office.do(IAM, "CloseAccount", {"accountId": made["accountId"]})
        assert [(await called(office, one))[0] for one in (token, key)] == [401, 401]
        assert (await token_of(tenant)).code == "InvalidAccessKeyId"
