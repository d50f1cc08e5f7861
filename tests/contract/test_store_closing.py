"""Closing an account in a real store: with purchases in the same batch, and with those of another server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leasebook.batch import load as load_needs
from leasebook.domain.commands.account.closing import CloseAccount
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccessKey, NewKey
from leasebook.domain.commands.command import Command, Decision, Engine, decide
from leasebook.domain.commands.instance.purchase import Billing, BuyUnits, Purchase
from leasebook.domain.commands.service.service_key import CreateServiceKey
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.identity_log import seal_events
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, write
from tests.contract.rows import unit
from tests.contract.stores import KINDS, Opener

NOW = Instant(1_893_456_000_000_000)
OPERATOR = "operator-policy"
CNY = 1_000_000


def person(user_id: str, account_id: str, *policies: str) -> User:
    return User(user_id, account_id, user_id, True, policies, NOW)


async def founded(store: OpenStore) -> None:
    await write(
        store,
        Account("house", "house", "UTC", Micro(0), NOW),
        person("root", "house", OPERATOR),
        Account("acc-1", "one", "UTC", Micro(100 * CNY), NOW),
        person("user-1", "acc-1", OPERATOR, "own"),
        AccessKey("key-1", "user-1", "acc-1", b"\x00", "Active", NOW),
        AccessKey("key-2", "user-1", "acc-1", b"\x00", "Disabled", NOW),
        ServiceKey("key-s", "acc-1", "user-1", "shop", None, "digest", NOW),
        TokenPackage("tokens-over", "acc-1", "root", "ernie", 10, 1, Instant(1), Instant(2)),
        Offering("bj", "gpu-1", 1, Micro(CNY), None, 10, 10),
        PriceList("bj", "gpu-1", (PriceChange(NOW, Micro(CNY)),)),
    )


def closing(account_id: str = "acc-1", by: str = "root", home: str = "house", **more: Any) -> CloseAccount:
    given: dict[str, Any] = {"pay_out": True, "operators": frozenset({OPERATOR}), "operator": OPERATOR} | more
    return CloseAccount(account_id=account_id, caller_id=by, caller_account_id=home, by=by, **given)


def buying(unit_id: str = "unit-new") -> BuyUnits:
    asked = Purchase(
        account_id="acc-1",
        by="user-1",
        unit_id=unit_id,
        order_id=f"order-{unit_id}",
        billing=Billing(payment_timing="Postpaid"),
    )
    return BuyUnits(purchase=asked, region="bj", unit_type="gpu-1", count=1)


async def decided(store: OpenStore, *commands: Command) -> list[Decision]:
    """Decide commands in one batch, and commit it."""
    transaction = await store.begin()
    book = await load_needs(transaction, commands)
    found = [decide(book, one, Rules(), NOW, Engine()) for one in commands]
    seal_events(book, lambda _key, message: message[:32].ljust(32), NOW)
    await transaction.save(book.changes())
    await transaction.commit()
    return found


def outcomes(found: list[Decision]) -> list[str | None]:
    return [None if one.refusal is None else one.refusal.reason for one in found]


MAKING: dict[str, Command] = {
    "a purchase": buying(),
    "an access key": CreateAccessKey(
        account_id="acc-1",
        user_id="user-1",
        key=NewKey("key-new", b"\x00"),
        by_operator=True,
        operators=frozenset({OPERATOR}),
    ),
    "a service key": CreateServiceKey(
        key_id="key-t", account_id="acc-1", user_id="user-1", name="t", service_id=None, digest="new"
    ),
    "a top-up": TopUp(account_id="acc-1", amount=Micro(1)),
}


@pytest.mark.parametrize("what", list(MAKING))
async def test_what_comes_after_the_close_in_its_batch_is_refused(on_store: OnStore, what: str) -> None:
    async with on_store() as store:
        await founded(store)
        assert outcomes(await decided(store, closing(), MAKING[what])) == [None, "suspended"]
        account = store.ask(lambda ask: ask.account("acc-1"))
        assert account is not None
        assert (account.status, account.balance) == ("Closed", 0)
        assert outcomes(await decided(store, MAKING[what], closing())) == ["suspended", "wrong_state"]


@pytest.mark.parametrize("what", list(MAKING))
async def test_what_comes_before_the_close_in_its_batch_is_seen_by_it(on_store: OnStore, what: str) -> None:
    async with on_store() as store:
        await founded(store)
        refused = "wrong_state" if what == "a purchase" else None
        found = await decided(store, MAKING[what], closing())
        assert outcomes(found) == [None, refused]
        if refused is not None:
            assert found[1].refusal is not None
            assert "1 instance (unit-new)" in found[1].refusal.message
            return
        user = store.ask(lambda ask: ask.user("user-1"))
        assert user is not None
        assert user.policies == ("own",)
        keys = [store.ask(lambda ask, name=name: ask.identity(name)) for name in ("key-1", "key-2", "key-new")]  # type: ignore[misc]
        assert {one[0].status for one in keys if one is not None} == {"Disabled"}
        for name in ("key-s", "key-t"):
            key = store.ask(lambda ask, name=name: ask.service_key(name))  # type: ignore[misc]
            assert key is None or key.status == "Deleted"


async def test_two_operators_who_close_each_other_leave_one(on_store: OnStore) -> None:
    async with on_store() as store:
        await founded(store)
        found = await decided(store, closing(), closing("house", "user-1", "acc-1"))
        assert outcomes(found) == [None, "denied"]


async def test_an_instance_that_is_gone_in_the_batch_does_not_count(on_store: OnStore) -> None:
    async with on_store() as store:
        await founded(store)
        await write(store, unit("unit-1", status="Released"), unit("unit-2", status="CreateFailed"))
        transaction = await store.begin()
        book = await load_needs(transaction, [closing()])
        await transaction.rollback()
        assert list(book.answers.living("acc-1").all()) == []


@pytest.mark.parametrize("first", ["the close", "the purchase"])
async def test_a_purchase_on_another_server_waits_for_the_close_and_the_close_for_it(first: str) -> None:
    async def scene(ours: OpenStore, others: OpenStore) -> None:
        await founded(ours)
        here, there = (closing(), buying()) if first == "the close" else (buying(), closing())
        holding = await ours.begin()
        book = await load_needs(holding, [here])

        async def later() -> list[Decision]:
            return await decided(others, there)

        waiting = asyncio.create_task(later())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        assert decide(book, here, Rules(), NOW, Engine()).refusal is None
        seal_events(book, lambda _key, message: message[:32].ljust(32), NOW)
        await holding.save(book.changes())
        await holding.commit()
        assert outcomes(await waiting) == ["suspended" if first == "the close" else "wrong_state"]

    async def whole(opener: Opener) -> None:
        ours, others = opener(), opener()
        try:
            await scene(ours, others)
        finally:
            await ours.close()
            await others.close()

    with KINDS["postgres"]() as opener:
        await whole(opener)
