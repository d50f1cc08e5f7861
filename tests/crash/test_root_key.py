"""The root key of the environment: another one takes its place, and none that was disabled comes back by a start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from leasebook.server.bootstrap import WrongRoot
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.harness import ROOT_KEY, ROOT_SECRET, Client, a_service

pytestmark = pytest.mark.mostly_embedded

IAM = "/v2/iam"
SECOND, THIRD = "AKSECOND", "AKTHIRD"
SECRET = "another-secret-of-the-root"
Scene = Callable[[Client], Awaitable[None]]


def start(where: Target, scene: Scene, key: str | None = ROOT_KEY, secret: str = ROOT_SECRET) -> list[str]:
    """Start a server with that root key, and play a scene as its owner; returns what the log said of root keys."""
    given = {"LEASEBOOK_ROOT_ACCESS_KEY": key or ROOT_KEY, "LEASEBOOK_ROOT_SECRET_KEY": secret}

    async def whole() -> None:
        async with a_service(where, environment=given) as desk:
            await scene(desk.as_user(key or ROOT_KEY, secret))

    with capture_logs() as lines:
        asyncio.run(whole())
    assert check_store(where).findings == []
    return [str(line["event"]) for line in lines if "root" in str(line["event"])]


async def keys_of(desk: Client) -> dict[str, str]:
    """The root's keys and their statuses."""
    users = (await desk.call(IAM, "DescribeUsers")).result["users"]
    (root,) = (user for user in users if user["isRoot"])
    return {key["accessKeyId"]: key["status"] for key in root["accessKeys"]}


async def nothing(desk: Client) -> None:
    assert (await desk.call(IAM, "DescribeUsers")).status == 200


def test_the_same_key_again_changes_nothing(migrated: Target) -> None:
    assert start(migrated, nothing) == []
    assert start(migrated, nothing) == []


def test_another_key_takes_the_place_of_the_one_before_at_that_very_start(migrated: Target) -> None:
    start(migrated, nothing)

    async def rotated(desk: Client) -> None:
        assert await keys_of(desk) == {ROOT_KEY: "Disabled", SECOND: "Active"}
        refused = await desk.as_user(ROOT_KEY, ROOT_SECRET).call(IAM, "DescribeUsers")
        assert refused.code == "InvalidAccessKeyId"

    assert start(migrated, rotated, SECOND, SECRET) == [
        "the environment gives another root key now",
        "root keys that the environment gave before are disabled",
    ]
    assert start(migrated, nothing, SECOND, SECRET) == []


def test_another_secret_for_the_same_key_takes_the_place_of_the_one_before(migrated: Target) -> None:
    start(migrated, nothing)

    async def rotated(desk: Client) -> None:
        assert await keys_of(desk) == {ROOT_KEY: "Active"}
        refused = await desk.as_user(ROOT_KEY, ROOT_SECRET).call(IAM, "DescribeUsers")
        assert refused.code == "SignatureDoesNotMatch"

    assert start(migrated, rotated, ROOT_KEY, SECRET) == ["the environment gives another root key now"]


def test_a_key_that_was_replaced_does_not_come_back_and_replaces_nothing(migrated: Target) -> None:
    """A server that was forgotten when the key was exchanged, and restarts, must not undo that."""
    start(migrated, nothing)
    start(migrated, nothing, SECOND, SECRET)

    async def refused(desk: Client) -> None:
        assert (await desk.call(IAM, "DescribeUsers")).code == "InvalidAccessKeyId"
        assert await keys_of(desk.as_user(SECOND, SECRET)) == {ROOT_KEY: "Disabled", SECOND: "Active"}

    assert start(migrated, refused) == [
        "the root key of the environment was disabled, and stays so: give another one, or none"
    ]


@pytest.mark.parametrize("secret", [ROOT_SECRET, SECRET])
def test_a_key_that_an_operator_disabled_does_not_come_back_whatever_its_secret(migrated: Target, secret: str) -> None:
    made: dict[str, str] = {}

    async def disable(desk: Client) -> None:
        made.update((await desk.call(IAM, "CreateAccessKey", {})).result)
        other = desk.as_user(made["accessKeyId"], made["secretAccessKey"])
        assert (await other.call(IAM, "DisableAccessKey", {"accessKeyId": ROOT_KEY})).result is True

    start(migrated, disable)

    async def refused(desk: Client) -> None:
        assert (await desk.call(IAM, "DescribeUsers")).code == "InvalidAccessKeyId"
        found = await keys_of(desk.as_user(made["accessKeyId"], made["secretAccessKey"]))
        assert found == {ROOT_KEY: "Disabled", made["accessKeyId"]: "Active"}

    assert start(migrated, refused, ROOT_KEY, secret) == [
        "the root key of the environment was disabled, and stays so: give another one, or none"
    ]

    async def back(desk: Client) -> None:
        # Keys that were made by an action are not the environment's to disable.
        assert (await keys_of(desk))[made["accessKeyId"]] == "Active"

    said = start(migrated, back, SECOND, SECRET)
    assert said[-1] == "the first root has active keys that the environment did not give"


def test_the_environment_s_key_is_taken_however_many_the_root_has(migrated: Target) -> None:
    async def make(desk: Client) -> None:
        assert (await desk.call(IAM, "CreateAccessKey", {})).status == 200
        refused = await desk.call(IAM, "CreateAccessKey", {})
        assert refused.code == "QuotaExceeded"

    start(migrated, make)

    async def rotated(desk: Client) -> None:
        assert list((await keys_of(desk)).values()).count("Active") == 2

    start(migrated, rotated, SECOND, SECRET)
    start(migrated, rotated, THIRD, SECRET)


def test_a_key_of_somebody_else_is_refused_and_changes_nothing(migrated: Target) -> None:
    made: list[Any] = []

    async def make(desk: Client) -> None:
        user = (await desk.call(IAM, "CreateUser", {"name": "somebody"})).result
        made.append((await desk.call(IAM, "CreateAccessKey", {"userId": user["userId"]})).result["accessKeyId"])

    start(migrated, make)
    with pytest.raises(WrongRoot, match="of another user"):
        start(migrated, nothing, made[0], SECRET)
    start(migrated, nothing)
