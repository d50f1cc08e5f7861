"""An attacker who can write the store becomes an operator, or takes another's key: `leasebook check` finds it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
from click.testing import CliRunner

from leasebook.cli.main import cli
from leasebook.domain.record.identity_log import LOG_END, PLACE, read_mark, write_mark
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import MARK
from tests.attack.books import OPERATOR, StoreProbe
from tests.copies import STORES, copy_of, empty
from tests.harness import Client, a_service

pytestmark = pytest.mark.mostly_embedded

IAM, SERVICE = "/v2/iam", "/v2/service"
OPERATE, FULL = "QianfanServiceOperateAccessPolicy", "QianfanFullControlAccessPolicy"


async def _found(where: Target) -> None:
    """Two accounts with users, keys of every status, and policies given and taken."""
    async with a_service(where) as root:
        made = [(await root.call(IAM, "CreateAccount", {"name": name})).result for name in ("tenant", "other")]
        tenant = root.as_user(made[0]["accessKeyId"], made[0]["secretAccessKey"])
        user = (await tenant.call(IAM, "CreateUser", {"name": "worker"})).result["userId"]
        # The key that stays is an operator's work: the user gets a policy over every account.
        of_user = {"accountId": made[0]["accountId"], "userId": user}
        keys = [(await who.call(IAM, "CreateAccessKey", of_user)).result for who in (tenant, root)]
        assert (await tenant.call(IAM, "DisableAccessKey", {"accessKeyId": keys[0]["accessKeyId"]})).result
        assert (await tenant.call(IAM, "AttachPolicy", {"userId": user, "policyName": OPERATE})).result
        for action in ("CreateServiceKey", "CreateServiceKey"):
            key = (await tenant.call(SERVICE, action, {"name": "app"})).result["keyId"]
        assert (await tenant.call(SERVICE, "DeleteServiceKey", {"keyId": key})).result
        # An operator for a while: who can put that back is one again.
        for action in ("AttachPolicy", "DetachPolicy"):
            asked = {"accountId": made[0]["accountId"], "userId": user, "policyName": OPERATOR}
            assert (await root.call(IAM, action, asked)).result


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        asyncio.run(_found(where))
        yield where


@pytest.fixture
def books(lived: Target, tmp_path: Path) -> Iterator[StoreProbe]:
    with copy_of(lived, tmp_path / "data") as copy:
        yield StoreProbe(copy)


def take_a_policy(books: StoreProbe) -> None:
    books.run("UPDATE users SET policies = ? WHERE id = ?", json.dumps([OPERATE, OPERATOR]), books.user)


def take_a_policy_for_a_project(books: StoreProbe) -> None:
    held = json.dumps([{"policy": OPERATE, "project_ids": ["default"]}])
    books.run("UPDATE users SET project_policies = ? WHERE id = ?", held, books.user)


def become_root(books: StoreProbe) -> None:
    books.run("UPDATE users SET is_root = true WHERE id = ?", books.user)


def add_an_operator(books: StoreProbe) -> None:
    books.run(
        "INSERT INTO users (id, account_id, name, is_root, policies, created_at) VALUES (?, ?, 'me', true, ?, 1)",
        *("u-forged", books.tenant, json.dumps([OPERATOR])),
    )


def add_a_key_of_an_operator(books: StoreProbe) -> None:
    # Sealed for another key, so that no caller can sign with it; the row is found all the same.
    books.run(
        "INSERT INTO access_keys (id, user_id, account_id, sealed, status, created_at) "
        "SELECT 'AKforged', ?, ?, sealed, 'Active', created_at FROM access_keys WHERE id = ?",
        *(books.root, books.operators, books.key),
    )


def give_my_key_to_the_operator(books: StoreProbe) -> None:
    books.run("UPDATE access_keys SET user_id = ? WHERE id = ?", books.root, books.key)


def take_my_key_to_another_account(books: StoreProbe) -> None:
    books.run("UPDATE access_keys SET account_id = ? WHERE id = ?", books.other, books.key)


def move_to_another_account(books: StoreProbe) -> None:
    books.run("UPDATE users SET account_id = ? WHERE id = ?", books.other, books.user)


def enable_a_disabled_key(books: StoreProbe) -> None:
    books.run("UPDATE access_keys SET status = 'Active' WHERE id = ?", books.disabled)


def exchange_a_secret(books: StoreProbe) -> None:
    books.run(
        "UPDATE access_keys SET sealed = (SELECT sealed FROM access_keys WHERE id = ?) WHERE id = ?",
        *(books.disabled, books.key),
    )


def remove_a_user(books: StoreProbe) -> None:
    books.run("DELETE FROM users WHERE id = ?", books.user)


def remove_a_key(books: StoreProbe) -> None:
    books.run("DELETE FROM access_keys WHERE id = ?", books.disabled)


def revive_a_service_key(books: StoreProbe) -> None:
    books.run("UPDATE service_keys SET status = 'Active' WHERE id = ?", books.service_key)


def take_a_service_key_to_another_account(books: StoreProbe) -> None:
    books.run("UPDATE service_keys SET account_id = ? WHERE id = ?", books.other, books.service_key)


def rename_an_account(books: StoreProbe) -> None:
    books.run("UPDATE accounts SET name = 'the operators' WHERE id = ?", books.tenant)


def add_an_account(books: StoreProbe) -> None:
    books.run(
        "INSERT INTO accounts (id, name, time_zone, balance, created_at) VALUES ('a-forged', 'me', 'UTC', 0, 1)",
    )


def be_the_first_root(books: StoreProbe) -> None:
    books.set_fact("root_user", books.user)


def take_a_policy_and_tell_of_it_without_a_seal(books: StoreProbe) -> None:
    take_a_policy(books)
    now, before = {"policies": [OPERATE, OPERATOR]}, {"policies": [OPERATE]}
    told = {"what": "user", "id": books.user, "now": now, "before": before}
    books.add_event(books.tenant, "iam.userChanged", told, sealed=False)


def put_an_older_policy_back_as_found(books: StoreProbe) -> None:
    take_a_policy(books)
    told = {"what": "user", "id": books.user, "now": {"policies": [OPERATE, OPERATOR]}, "before": {}}
    books.add_event(books.tenant, "iam.found", told, sealed=False)


def remove_the_events_of_a_detaching(books: StoreProbe) -> None:
    take_a_policy(books)
    seq, events, place, _ = books.last_identity_event()
    books.write_events(seq, [*events[:place], *events[place + 1 :]])


ROWS: Final[list[tuple[Callable[[StoreProbe], None], str]]] = [
    (take_a_policy, "user {0.user} has policies"),
    (take_a_policy_for_a_project, "user {0.user} has project_policies [{{'policy': '"),
    (become_root, "user {0.user} has is_root True, and its events tell False"),
    (add_an_operator, "user u-forged is there, and no event tells of it"),
    (add_a_key_of_an_operator, "access key AKforged is there, and no event tells of it"),
    (give_my_key_to_the_operator, "access key {0.key} has user_id {0.root}"),
    (take_my_key_to_another_account, "access key {0.key} has account_id {0.other}"),
    (move_to_another_account, "user {0.user} has account_id {0.other}"),
    (enable_a_disabled_key, "access key {0.disabled} has status Active, and its events tell Disabled"),
    (exchange_a_secret, "access key {0.key} has sealed "),
    (remove_a_user, "user {0.user} is gone, and events tell of it"),
    (remove_a_key, "access key {0.disabled} is gone, and events tell of it"),
    (revive_a_service_key, "service key {0.service_key} has status Active, and its events tell Deleted"),
    (take_a_service_key_to_another_account, "service key {0.service_key} has account_id"),
    (rename_an_account, "account {0.tenant} has name the operators, and its events tell tenant"),
    (add_an_account, "account a-forged is there, and no event tells of it"),
    (be_the_first_root, "the first root is user {0.user}, and the events tell that it is {0.root}"),
    (take_a_policy_and_tell_of_it_without_a_seal, "has a iam.userChanged without a seal"),
    (remove_the_events_of_a_detaching, "the log of identities ends with event "),
]
"""The attacks on the rows, and the finding of each, with the master key or without."""


def test_a_store_that_nobody_touched_has_the_rights_that_its_events_tell(books: StoreProbe) -> None:
    assert books.findings(keyed=True) == []
    assert books.findings(keyed=False) == []


@pytest.mark.parametrize(("attack", "found"), ROWS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_row_that_gives_rights_and_that_no_server_wrote_is_found(
    books: StoreProbe, attack: Callable[[StoreProbe], None], found: str
) -> None:
    attack(books)
    for keyed in (True, False):
        findings = books.findings(keyed=keyed)
        assert any(found.format(books) in line for line in findings), findings


def take_a_policy_and_tell_of_it(books: StoreProbe) -> None:
    take_a_policy(books)
    now, before = {"policies": [OPERATE, OPERATOR]}, {"policies": [OPERATE]}
    books.add_event(books.tenant, "iam.userChanged", {"what": "user", "id": books.user, "now": now, "before": before})


def write_an_older_event_anew(books: StoreProbe) -> None:
    """Have the events tell that the operator policy was never taken back."""
    take_a_policy(books)
    seq, events, place, _ = books.last_identity_event()
    event = events[place]
    data = event.data | {"now": event.data["before"]}
    events[place] = msgspec.structs.replace(event, data=data)
    books.write_events(seq, events)


def cut_the_log_off_before_the_policy_was_taken_back(books: StoreProbe) -> None:
    """Leave no trace but in the audit log: row, event and end are what they were once, and every seal is right."""
    seq, events, place, numbers = books.last_identity_event()
    books.run(
        "UPDATE users SET policies = ? WHERE id = ?", json.dumps(events[place].data["before"]["policies"]), books.user
    )
    assert len(events) == 1
    books.run("DELETE FROM event_pages WHERE seq = ?", seq)
    before = next(
        event.data[PLACE]
        for _, _, page in books.events()
        for event in page
        if PLACE in event.data and event.data[PLACE][0] == numbers[-2]
    )
    books.set_fact(LOG_END, f"{before[0]}:{before[1]}")


SEALED: Final[list[tuple[Callable[[StoreProbe], None], str, bool]]] = [
    (take_a_policy_and_tell_of_it, "does not have the seal of the master key", False),
    (take_a_policy_and_tell_of_it, "were never in the audit log: no server wrote them", True),
    (put_an_older_policy_back_as_found, "identity event 1 (iam.accountCreated of ", False),
    (write_an_older_event_anew, "does not have the seal of the master key", False),
    (cut_the_log_off_before_the_policy_was_taken_back, "the audit log knows ", True),
]
"""The attacks on rows and events alike, the finding of each, and whether it is found without the master key, too."""


@pytest.mark.parametrize(("attack", "found", "without"), SEALED, ids=lambda value: getattr(value, "__name__", ""))
def test_who_forges_the_events_as_well_is_found_by_their_seals_and_by_the_audit_log(
    books: StoreProbe,
    attack: Callable[[StoreProbe], None],
    found: str,
    without: bool,  # noqa: FBT001
) -> None:
    attack(books)
    findings = books.findings(keyed=True)
    assert any(found in line for line in findings), findings
    assert any(found in line for line in books.findings(keyed=False)) is without


async def test_a_forged_event_stays_found_when_a_server_has_gone_on_from_it(books: StoreProbe) -> None:
    take_a_policy_and_tell_of_it(books)
    async with a_service(books.where) as root:
        await _attach(root, books)
    assert any("does not have the seal of the master key" in line for line in books.findings(keyed=True))


async def test_a_row_that_was_rewritten_stays_found_when_it_is_changed_by_the_rules_afterwards(
    books: StoreProbe,
) -> None:
    take_a_policy(books)
    async with a_service(books.where) as root:
        await _attach(root, books)
    for keyed in (True, False):
        (found,) = books.findings(keyed=keyed)
        assert found.startswith(f"user {books.user} had policies ['{OPERATE}', '{OPERATOR}'] when it was changed")


async def test_a_log_that_was_cut_is_found_when_a_server_has_written_the_same_numbers_again(books: StoreProbe) -> None:
    cut_the_log_off_before_the_policy_was_taken_back(books)
    # An attacker who may write the store may also take away the mark of its end.
    (books.where.directory / MARK).unlink(missing_ok=True)
    async with a_service(books.where) as root:
        await _attach(root, books)
        await _attach(root, books, "QianfanReadAccessPolicy")
    assert any("is another one than when the audit log took note of it" in line for line in books.findings(keyed=False))


async def _attach(root: Client, books: StoreProbe, policy: str = FULL) -> None:
    asked = {"accountId": books.tenant, "userId": books.user, "policyName": policy}
    assert (await root.call(IAM, "AttachPolicy", asked)).result


def test_the_end_of_the_log_cannot_be_moved(books: StoreProbe) -> None:
    end = read_mark(books.fact(LOG_END))
    books.set_fact(LOG_END, write_mark(msgspec.structs.replace(end, number=end.number + 3)))
    assert any("the log of identities ends with event" in line for line in books.findings(keyed=False))
    books.set_fact(LOG_END, "nonsense")
    assert "the end of the log of identities cannot be read" in books.findings(keyed=False)


def test_the_command_finds_it_too(books: StoreProbe) -> None:
    where = books.where
    options = ["--data", str(where.directory), *(["--store", where.url] if where.url is not None else [])]
    clean = CliRunner().invoke(cli, ["check", *options])
    assert (clean.exit_code, clean.stdout[:20]) == (0, "The books are right:")
    take_a_policy(books)
    done = CliRunner().invoke(cli, ["check", *options])
    assert done.exit_code == 1
    assert f"user {books.user} has policies" in done.stdout
