"""Answers of every store about subscriptions over several accounts: where there is something to look through."""

from __future__ import annotations

from typing import Any, cast

import pytest

from leasebook.batch import Sequencer
from leasebook.domain.book.tables import ACCOUNT_PLACES
from leasebook.domain.model.account import Account
from leasebook.domain.model.subscription import AccountPlace, Subscription
from leasebook.domain.record.event import BOUGHT, RUNNING
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import ZERO
from leasebook.notifications.wide import SWEEP_EVERY_S, Part, WideSubscriptions
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.deliveries import DeliveryFilter, DeliveryPlace
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, get, write
from tests.contract.test_store_outbox import delivery, happen, hook


async def accounts(store: OpenStore, *names: str) -> int:
    """Open accounts; returns the last page of the events of that."""
    await write(store, *(Account(name, name, "Asia/Shanghai", ZERO, Instant(1)) for name in names))
    return await store.read(lambda ask: ask.last_page())


async def test_an_account_is_behind_until_the_place_in_it_is_its_last_page(on_store: OnStore) -> None:
    async with on_store() as store:
        page = await accounts(store, "acc-1", "acc-2", "acc-3", "acc-4")
        every, some = hook("sub-1", accounts=("*",), page=page), hook("sub-2", accounts=("acc-2", "acc-3"), page=page)

        async def behind(of: Subscription, after: str = "", limit: int = 9) -> list[str]:
            return await store.read(lambda ask: ask.accounts_behind(of, after=after, limit=limit))

        assert await behind(every) == []
        pages = {name: await happen(store, name, BOUGHT) for name in ("acc-3", "acc-1", "acc-2")}
        assert await behind(every) == ["acc-1", "acc-2", "acc-3"]
        assert await behind(every, after="acc-1", limit=1) == ["acc-2"]
        # Its own account is looked through too: there are its tests.
        assert await behind(some) == ["acc-1", "acc-2", "acc-3"]
        assert await behind(hook("sub-3", "acc-4", accounts=("acc-2",), page=page)) == ["acc-2"]
        await write(store, AccountPlace("sub-1", "acc-1", pages["acc-1"]), AccountPlace("sub-1", "acc-2", 1))
        assert await behind(every) == ["acc-2", "acc-3"]
        assert await store.read(lambda ask: ask.account_place("sub-1", "acc-1")) == pages["acc-1"]
        assert await store.read(lambda ask: ask.account_place("sub-1", "acc-3")) == 0
        # No account is behind the page of the subscription itself: it begins there, or has skipped so much.
        assert await behind(hook("sub-1", accounts=("*",), page=pages["acc-3"])) == ["acc-2"]
        assert await behind(hook("sub-1", accounts=("*",), page=pages["acc-2"])) == []


async def test_pages_are_found_by_number_whosever_they_are(on_store: OnStore) -> None:
    async with on_store() as store:
        assert await store.read(lambda ask: ask.last_page()) == 0
        first = await happen(store, "acc-1", BOUGHT, RUNNING)
        other = await happen(store, "acc-2", BOUGHT)
        last = await happen(store, "acc-1", BOUGHT)
        assert await store.read(lambda ask: ask.last_page()) == last
        assert await store.read(lambda ask: ask.accounts_since(first)) == {"acc-1": last, "acc-2": other}
        assert await store.read(lambda ask: ask.accounts_since(other)) == {"acc-1": last}
        assert await store.read(lambda ask: ask.accounts_since(last)) == {}
        found = await store.read(lambda ask: ask.event_anywhere(EventPlace(first, 1)))
        assert found is not None
        assert (found[0], found[1].type) == ("acc-1", RUNNING)
        for place in (EventPlace(first, 2), EventPlace(last + 1, 0)):
            assert await store.read(lambda ask, place=place: ask.event_anywhere(place)) is None  # type: ignore[misc]


async def test_deliveries_and_subscriptions_of_several_accounts_are_those_of_each(on_store: OnStore) -> None:
    rows = [
        delivery("sub-1", 3, 0),
        delivery("sub-1", 1, 1, state="GivenUp"),
        delivery("sub-4", 2, 0, account_id="acc-2"),
        delivery("sub-5", 2, 1, account_id="acc-3", type="iam.userCreated"),
    ]
    hooks = [
        hook("sub-1", accounts=("*",)),
        hook("sub-4", "acc-2", created_at=Instant(2)),
        hook("sub-5", "acc-3", status="Deleted"),
    ]
    async with on_store() as store:
        await accounts(store, "acc-1", "acc-2", "acc-3")
        await write(store, *rows, *hooks)

        async def found(after: DeliveryPlace | None = None, limit: int = 9, **wanted: Any) -> list[tuple[str, int]]:
            asked = DeliveryFilter(account_id="", **wanted)
            listed = await store.read(lambda ask: ask.deliveries(asked, after=after, limit=limit))
            return [(row.hook_id, row.page) for row in listed]

        every = [("sub-1", 3), ("sub-5", 2), ("sub-4", 2), ("sub-1", 1)]
        assert await found(across=Across(None)) == every
        assert await found(across=Across(None), limit=2) == every[:2]
        assert await found(across=Across(None), after=DeliveryPlace(2, 1, "sub-5")) == every[2:]
        assert await found(across=Across(("acc-1", "acc-3"))) == [every[0], every[1], every[3]]
        assert await found(across=Across(None), state="GivenUp") == every[3:]
        assert await found(across=Across(None), hidden=frozenset({"iam.userCreated"})) == [every[0], *every[2:]]
        assert await found(across=Across(None), wide=True) == [every[0], every[3]]
        assert await found(across=Across(None), wide=False) == every[1:3]
        for across, names in ((Across(None), ["sub-1", "sub-4"]), (Across(("acc-2", "acc-3")), ["sub-4"])):
            listed = await store.read(lambda ask, across=across: ask.hooks_across(across))  # type: ignore[misc]
            assert [row.id for row in listed] == names


async def test_the_places_of_a_deleted_subscription_are_forgotten_and_no_others(on_store: OnStore) -> None:
    rows = [AccountPlace(hook_id, account, 1) for hook_id in ("sub-1", "sub-2") for account in ("acc-1", "acc-2")]
    async with on_store() as store:
        await write(store, *rows, hook("sub-1", accounts=("*",), status="Deleted"), hook("sub-2", accounts=("acc-2",)))
        for left in (1, 0):
            transaction = await store.begin()
            await transaction.clear_deliveries(Instant(1), 1)
            await transaction.commit()
            kept = [await get(store, ACCOUNT_PLACES, row.hook_id, row.account_id) for row in rows]
            assert [row is not None for row in kept].count(True) == 2 + left
            assert kept[2:] == rows[2:]


@pytest.mark.parametrize("alone", [True, False])
async def test_another_servers_events_are_found_at_once_and_a_late_page_by_the_sweep(
    on_store: OnStore, *, alone: bool
) -> None:
    now = 1000.0
    async with on_store() as store:
        every = hook("sub-1", accounts=("*",), page=await accounts(store, "acc-1", "acc-2", "acc-3"))
        await happen(store, "acc-3", BOUGHT)
        found = WideSubscriptions(store, cast("Sequencer", None), alone=alone, now_s=lambda: now)

        async def waiting() -> list[str]:
            await found.look([every])
            parts = found.parts([every], 9)
            for _, of in parts:
                # As if it had been looked through.
                found._pending["sub-1"].pop(of)
                await write(store, AccountPlace("sub-1", of, await store.read(lambda ask: ask.last_page())))
            return sorted(part.of for part in parts)

        assert await waiting() == ["acc-3"]
        assert await waiting() == []
        await happen(store, "acc-1", BOUGHT)
        # A server that is alone hears of its own commits, and of no others.
        assert await waiting() == ([] if alone else ["acc-1"])
        now += SWEEP_EVERY_S
        assert await waiting() == (["acc-1"] if alone else [])
        assert found.parts([every], 9) == []
        assert found.waiting == 0
        assert isinstance(Part(every, "acc-1"), Part)
