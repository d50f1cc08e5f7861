"""Several servers on one store: what one of them changes counts at the gateways of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from leasebook.store.opening import Target
from tests import postgres
from tests.gateway.scene import BOUND_S, SERVICE, UNITS, an_office, echo, served
from tests.gateway.test_bearer_tokens import IAM, called, token_of, user_of
from tests.gateway.test_sockets import close_of, echoing, opened, talking


def _beside(tmp_path: Path, url: str) -> Target:
    """Give a second server the master key of the first."""
    directory = tmp_path / "two"
    directory.mkdir(mode=0o700)
    key = directory / "master.key"
    key.write_bytes((tmp_path / "one" / "master.key").read_bytes())
    key.chmod(0o600)
    return Target(directory, url)


async def test_what_one_server_revokes_opens_nothing_at_another_and_what_it_releases_answers_nowhere(
    tmp_path: Path,
) -> None:
    async def scene(url: str) -> None:
        async with (
            an_office(Target(tmp_path / "one", url)) as one,
            an_office(_beside(tmp_path, url), opened=False) as other,
            served(echo) as replica,
        ):
            other.service, other.key = one.service, one.key
            one.replicas(replica)
            other.replicas(replica)
            made = await one.do(SERVICE, "CreateServiceKey", {"name": "spare"})
            for office in (one, other):
                assert (await office.said(key=made["key"]))[0] == 200
                assert (await office.said())[0] == 200
            await one.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
            for office in (other, one):
                assert (await office.said(key=made["key"]))[0] == 401
                assert (await office.said())[0] == 200
            operator = (await user_of(one, "QianfanServiceOperateAccessPolicy"))[1]
            token = (await token_of(operator)).body["token"]
            for office in (other, one):
                assert await called(office, token) == (200, "")
            await one.do(IAM, "DisableAccessKey", {"accessKeyId": operator.access_key})
            for office in (other, one):
                assert await called(office, token) == (401, "InvalidServiceKey")
            await one.do(UNITS, "ReleaseComputeUnit", {"instanceId": one.unit})
            assert (await one.said())[0] == 503
            async with asyncio.timeout(BOUND_S):
                while (await other.said())[0] != 503:  # noqa: ASYNC110 - the condition has no event
                    await asyncio.sleep(0.05)
            assert (await one.counted(4))["succeedCallTotal"] >= 4

    (tmp_path / "one").mkdir(mode=0o700)
    with postgres.shared_server().database(migrated=True) as url:
        await scene(url)


async def test_a_socket_through_one_server_ends_with_the_key_that_another_deletes(tmp_path: Path) -> None:
    async def scene(url: str) -> None:
        async with (
            an_office(Target(tmp_path / "one", url)) as one,
            an_office(_beside(tmp_path, url), opened=False) as other,
            talking(echoing) as replica,
        ):
            other.service, other.key = one.service, one.key
            other.replicas(replica)
            made = await one.do(SERVICE, "CreateServiceKey", {"name": "spare"})
            operator = (await user_of(one, "QianfanServiceOperateAccessPolicy"))[1]
            token = (await token_of(operator)).body["token"]
            async with (
                opened(other, key=made["key"]) as socket,
                opened(other, key=token) as by_token,
                opened(other) as still,
            ):
                await one.do(SERVICE, "DeleteServiceKey", {"keyId": made["keyId"]})
                assert await close_of(socket) == (1008, "the key was deleted")
                await one.do(IAM, "DisableAccessKey", {"accessKeyId": operator.access_key})
                assert await close_of(by_token) == (1008, "the key was deleted")
                await still.send_str("x")
                assert (await still.receive()).data == "x"
                await one.do(UNITS, "ReleaseComputeUnit", {"instanceId": one.unit})
                assert await close_of(still) == (1001, "the service takes no calls any more")

    (tmp_path / "one").mkdir(mode=0o700)
    with postgres.shared_server().database(migrated=True) as url:
        await scene(url)
