"""Questions of a batch to the store besides rows: counts of an account's services, and where a service runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from leasebook.domain.book import store_queries as a
from leasebook.domain.book.book import Book
from leasebook.domain.book.store_queries import Answers, Asked
from leasebook.domain.book.tables import ACCOUNTS, MODEL_SETS, MODELS, QUOTES, SERVICE_KEYS, SERVICES, SUBSCRIPTIONS
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.instance import Placement
from leasebook.domain.values.calendar import Instant
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, write
from tests.contract.rows import ROWS, service, unit

OWNER = "acc-1"


def user(name: str, account: str = OWNER) -> User:
    return User(name, account, name, False, (), Instant(1))


def key(name: str, of: str, status: str = "Active", account: str = OWNER) -> AccessKey:
    return AccessKey(name, of, account, b"", status, Instant(1))  # type: ignore[arg-type]


def copies(table: Any, *changed: dict[str, Any]) -> list[Any]:
    """Rows like the one that every table's tests have, of the owner, with other ids."""
    first = ROWS[table][0]
    return [
        msgspec.structs.replace(first, **({"id": f"{first.id}-{number}", "account_id": OWNER} | one))
        for number, one in enumerate(changed)
    ]


CASES: dict[str, tuple[Any, list[Any], int]] = {
    a.USERS: (OWNER, [user("u-1"), user("u-2"), user("u-3", "acc-2")], 2),
    a.KEYS: (OWNER, [key("k-1", "u-1"), key("k-2", "u-2"), key("k-3", "u-1", "Disabled")], 2),
    a.USER_KEYS: ("u-1", [key("k-1", "u-1"), key("k-2", "u-2"), key("k-3", "u-1", "Disabled")], 1),
    a.MODEL_SETS: (OWNER, copies(MODEL_SETS, {}, {"deleted_at": Instant(5)}, {"account_id": ""}), 1),
    a.MODELS: (OWNER, copies(MODELS, {}, {}, {"deleted_at": Instant(5)}, {"account_id": ""}), 2),
    a.SERVICES: (OWNER, copies(SERVICES, {}, {"deleted_at": Instant(5)}, {"account_id": "acc-2"}), 1),
    a.HOOKS: (
        OWNER,
        copies(
            SUBSCRIPTIONS, {"status": "Active"}, {"status": "Paused"}, {"status": "Deleting"}, {"status": "Deleted"}
        ),
        2,
    ),
    a.QUOTES: (
        OWNER,
        copies(
            QUOTES,
            {"used_by": None, "expires_at": Instant(101)},
            {"used_by": None, "expires_at": Instant(100)},
            {"used_by": "unit-1", "expires_at": Instant(500)},
        ),
        1,
    ),
    a.SERVICE_KEYS: (OWNER, copies(SERVICE_KEYS, {"status": "Active"}, {"status": "Deleted"}), 1),
}


async def loaded(store: OpenStore, *needs: Asked) -> Answers:
    """Ask within a batch, as commands do: with the lock on the account."""
    transaction, book = await store.begin(), Book()
    await transaction.load([(ACCOUNTS, (OWNER,)), *needs], book)
    await transaction.rollback()
    return book.answers


@pytest.mark.parametrize("what", CASES)
async def test_what_an_account_has_is_counted(on_store: OnStore, what: str) -> None:
    of, rows, expected = CASES[what]

    async with on_store() as store:
        need = Asked(what, of, Instant(100))
        assert (await loaded(store, need)).count(what, of) == 0
        await write(store, *rows)
        assert (await loaded(store, need)).count(what, of) == expected
        # The batch goes on counting by the same rule.
        answers = Answers()
        answers.load(need, [(0,)])
        for row in rows:
            if what != a.QUOTES or row.expires_at > need.at:
                answers.changed(None, row)
        assert answers.count(what, of) == expected


def test_what_ends_in_a_batch_makes_room_in_it() -> None:
    answers = Answers()
    answers.load(Asked(a.USER_KEYS, "u-1"), [(2,)])
    before = key("k-1", "u-1")
    answers.changed(before, msgspec.structs.replace(before, status="Disabled"))
    assert answers.count(a.USER_KEYS, "u-1") == 1


def test_a_count_that_no_command_asked_for_is_not_given() -> None:
    with pytest.raises(LookupError):
        Answers().count(a.USERS, OWNER)


def _placed(name: str, region: str, *services: str) -> Any:
    placements = tuple(Placement(one, 1, 1, runs=True) for one in services)
    return unit(name, region=region, placements=placements, count=4)


def _changes(rows: Iterable[Any], answers: Answers) -> None:
    for row in rows:
        answers.changed(None, row)


async def test_each_place_where_a_service_runs_is_listed_once(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [
            service("svco-7"),
            _placed("unit-a", "bj", "svco-7"),
            _placed("unit-b", "bj", "svco-7", "svco-8"),
            _placed("unit-c", "gz", "svco-7"),
            _placed("unit-d", "sh", "svco-8"),
        ]
        await write(store, *rows)
        answers = await loaded(store, Asked(a.PLACES, "svco-7"))
        assert answers.places("svco-7") == [("bj", "gpu-1"), ("gz", "gpu-1")]
        _changes([_placed("unit-e", "sh", "svco-7")], answers)
        assert answers.places("svco-7") == [("bj", "gpu-1"), ("gz", "gpu-1"), ("sh", "gpu-1")]
        assert (await loaded(store, Asked(a.PLACES, "svco-9"))).places("svco-9") == []
