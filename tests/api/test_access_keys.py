"""Access keys: two active ones a user, so that one can take the place of the other."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from leasebook.batch import KeyUses
from leasebook.domain.values.calendar import Instant
from leasebook.store.opening import Target
from tests.api.scene import IAM, Caller, ServiceHarness, a_scene

PAGE: Final = Path(__file__).parents[2] / "docs/how-to/rotate-a-key.md"


def test_a_user_has_two_active_keys_and_gets_another_one_once_one_is_disabled(either: ServiceHarness) -> None:
    root = either.customer(None)
    user = {"userId": root.do(IAM, "CreateUser", {"name": "worker"})["userId"]}
    first, _ = (root.do(IAM, "CreateAccessKey", user)["accessKeyId"] for _ in range(2))
    commits = either.commits()
    answer = root.ask(IAM, "CreateAccessKey", user)
    assert (answer.status, answer.code) == (403, "QuotaExceeded")
    assert "DisableAccessKey" in answer.body["message"]
    assert either.commits() == commits
    assert root.do(IAM, "DisableAccessKey", {"accessKeyId": first}) is True
    assert root.do(IAM, "CreateAccessKey", user)["accessKeyId"]
    assert root.refused(IAM, "CreateAccessKey", user) == "QuotaExceeded"


def test_of_many_who_ask_at_once_only_so_many_get_a_key(either: ServiceHarness) -> None:
    root = either.customer(None)
    user = {"userId": root.do(IAM, "CreateUser", {"name": "worker"})["userId"]}
    codes: list[int] = []

    async def all_at_once() -> None:
        answers = await asyncio.gather(*(root.desk.call(IAM, "CreateAccessKey", user) for _ in range(12)))
        codes.extend(answer.status for answer in answers)

    either.play(all_at_once)
    assert sorted(codes) == [200] * 2 + [403] * 10
    (found,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if one["userId"] == user["userId"])
    assert len(found["accessKeys"]) == 2


def test_the_keys_of_an_account_s_root_count_too_and_those_of_others_do_not(either_shared: ServiceHarness) -> None:
    root = either_shared.customer(None)
    user = root.do(IAM, "CreateUser", {"name": "worker"})["userId"]
    root.do(IAM, "CreateAccessKey", {"userId": user})
    assert root.do(IAM, "CreateAccessKey")["accessKeyId"]
    assert root.refused(IAM, "CreateAccessKey") == "QuotaExceeded"
    assert root.do(IAM, "CreateAccessKey", {"userId": user})["accessKeyId"]


def used(by: Caller, key: str) -> str | None:
    """When a key was last used, as its account's list of users says."""
    (found,) = (
        one for user in by.do(IAM, "DescribeUsers")["users"] for one in user["accessKeys"] if one["accessKeyId"] == key
    )
    time = found.get("lastUsedTime")
    return None if time is None else str(time)


def test_a_key_says_when_it_last_signed_a_request(either: ServiceHarness) -> None:
    root = either.customer(None)
    worker = either.user(root, "QianfanReadAccessPolicy")
    key = worker.desk.access_key
    assert used(root, key) is None
    wrong = Caller(worker.runner, worker.desk.as_user(key, "a-wrong-secret-key-of-it"))
    assert wrong.refused("/v2/account", "DescribeAccount") == "SignatureDoesNotMatch"
    assert used(root, key) is None
    assert worker.refused(IAM, "CreateUser") == "AccessDenied"
    assert used(root, key) == "2030-01-15T08:00:00+08:00"
    either.advance("2030-01-15T09:00:00+08:00")
    worker.do("/v2/account", "DescribeAccount")
    assert used(root, key) == "2030-01-15T09:00:00+08:00"


async def test_the_last_use_is_written_with_a_batch_that_happens_anyway_and_once_in_a_while() -> None:
    class Transaction:
        def __init__(self) -> None:
            self.noted: list[tuple[str, int]] = []

        async def note_uses(self, uses: Sequence[tuple[str, Instant]]) -> None:
            self.noted += uses

    now = 0.0
    uses, transaction = KeyUses(lambda: now), Transaction()
    for second in range(600):
        now = float(second)
        uses.used("AK1", Instant(second))
        if second >= 100:
            uses.used("AK2", Instant(second))
        await uses.write(transaction)
    assert transaction.noted == [("AK1", 0), ("AK2", 100), ("AK1", 300), ("AK2", 400)]
    assert (uses.last("AK1"), uses.last("AK3")) == (599, None)


def test_the_last_use_is_there_after_a_restart(migrated: Target) -> None:
    with a_scene(migrated) as scene:
        root = scene.customer(None)
        key = root.desk.access_key
        root.do("/v2/account", "DescribeAccount")
        # Any batch does; this one is another account's.
        scene.operator.do(IAM, "CreateUser", {"name": "somebody"})
        scene.advance("2090-01-15T08:00:00+08:00")
        seen = scene.running.store.ask(lambda ask: ask.key_uses(root.account_id()))
        assert key in seen
    with a_scene(migrated) as scene:
        account = scene.operator.do(IAM, "DescribeUsers", {"accountId": root_account(scene, key)})
        (found,) = (one for user in account["users"] for one in user["accessKeys"] if one["accessKeyId"] == key)
        assert found["lastUsedTime"] < "2090"


def root_account(scene: ServiceHarness, key: str) -> str:
    found = scene.running.store.ask(lambda ask: ask.identity(key))
    assert found is not None
    return found[0].account_id


def test_the_commands_of_the_page_on_rotation_rotate_a_key(either: ServiceHarness) -> None:
    root = either.customer(None)
    worker = either.user(root, "QianfanReadAccessPolicy")
    old = worker.desk.access_key
    (user_id,) = (one["userId"] for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    lines = [line.strip() for line in PAGE.read_text().splitlines() if line.strip().startswith("leasebook call ")]
    calls = [shlex.split(line.replace("$USER_ID", user_id).replace("$OLD", old))[2:] for line in lines]
    create, look, disable, enable = [(path, action, json.loads(body)) for path, action, body in calls]
    new = either.caller(root.do(*create))
    new.do("/v2/account", "DescribeAccount")
    worker.do("/v2/account", "DescribeAccount")
    shown = [key["accessKeyId"] for one in root.do(*look)["users"] for key in one["accessKeys"]]
    assert {old, new.desk.access_key} <= set(shown)
    root.do(*disable)
    assert worker.refused("/v2/account", "DescribeAccount") == "InvalidAccessKeyId"
    new.do("/v2/account", "DescribeAccount")
    root.do(*enable)
    worker.do("/v2/account", "DescribeAccount")
