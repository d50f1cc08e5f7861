"""Signatures, as every store keeps them: a nonce is used by one command only, and old rows go."""

from __future__ import annotations

import asyncio
from collections import Counter
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from leasebook.batch import BatchLimits, Sequencer
from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNTS,
    FORMER_NONCES,
    NONCE_PAGES,
    REFUSED_CALLS,
    USERS,
)
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.signature import UseNonce
from leasebook.domain.commands.command import Command
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import SpentSignIn
from leasebook.domain.record.nonce import NONCES_MAX, PAGE_BYTES, REPLAYED_TEXT, FormerNonce, Nonce, NoncePage
from leasebook.domain.record.signature import RefusedCalls
from leasebook.domain.values.calendar import HOUR_US, SECOND_US, Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import NO_RESOURCE, REPLAYED, SIGNED_TOO_OFTEN, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.clock import VirtualClock
from leasebook.ports.queries.read_repository import HistoryFilter, RefusedFilter
from leasebook.store.opening import OpenStore
from leasebook.store.postgres.store import PostgresStore
from tests.contract.batches import OnStore, get, load, write
from tests.contract.rows import ROWS
from tests.life.lives import ACCOUNT, opening
from tests.life.test_moving import START, ZONE
from tests.postgres import shared_server
from tests.simulation.test_histories import NoMetrics

KEY, USER = "key-1", "user-1"


UNTIL = Instant(HOUR_US)


def nonce(value: str, until: int = UNTIL, **more: bool) -> Nonce:
    return Nonce(KEY, value, Instant(until), **more)


def page(*values: str, until: int = UNTIL) -> NoncePage:
    return NoncePage(Instant(until), KEY, b"".join(sha256(value.encode()).digest()[:8] for value in values))


def top_up(value: str) -> Command:
    return TopUp(account_id=ACCOUNT, amount=Micro(1_000_000), nonce=nonce(value))


async def outcome(sequencer: Sequencer, command: Command) -> str:
    try:
        await sequencer.submit(command)
    except Refusal as refusal:
        return refusal.reason
    return "done"


def a_sequencer(store: OpenStore) -> Sequencer:
    return Sequencer(
        store, VirtualClock(START), Rules(), engine=InstantEngine(), limits=BatchLimits(), meter=NoMetrics()
    )


async def founded(sequencer: Sequencer) -> None:
    """Open an account."""
    for command in opening(ZONE, START):
        await sequencer.submit(command)


def top_ups(store: OpenStore) -> int:
    wanted = HistoryFilter(account_id=ACCOUNT)
    return len(store.ask(lambda ask: ask.postings(wanted, after=None, limit=100)))


async def test_of_commands_with_the_same_nonce_one_is_done_in_a_batch_and_after_it(on_store: OnStore) -> None:
    async with on_store() as store:
        sequencer = a_sequencer(store)
        sequencer.start()
        await founded(sequencer)
        before = top_ups(store)
        crowd = await asyncio.gather(*(outcome(sequencer, top_up("a" * 16)) for _ in range(5)))
        assert Counter(crowd) == {"done": 1, REPLAYED: 4}
        assert await outcome(sequencer, top_up("a" * 16)) == REPLAYED
        assert await outcome(sequencer, top_up("b" * 16)) == "done"
        assert await outcome(sequencer, UseNonce(nonce=nonce("b" * 16))) == REPLAYED
        assert await outcome(sequencer, UseNonce(nonce=Nonce("key-2", "b" * 16, Instant(0)))) == "done"
        assert top_ups(store) == before + 2
        await sequencer.close()


async def test_a_refused_command_has_used_its_nonce_up(on_store: OnStore) -> None:
    async with on_store() as store:
        sequencer = a_sequencer(store)
        sequencer.start()
        refused = TopUp(account_id="nobody", amount=Micro(1), nonce=nonce("c" * 16))
        assert await outcome(sequencer, refused) == NO_RESOURCE
        await founded(sequencer)
        assert await outcome(sequencer, top_up("c" * 16)) == REPLAYED
        assert await get(store, NONCE_PAGES, UNTIL, KEY, 0) == page("c" * 16)
        await sequencer.close()


async def test_nonces_of_signatures_with_the_same_end_are_on_one_page_of_their_key(on_store: OnStore) -> None:
    async with on_store() as store:
        sequencer = a_sequencer(store)
        sequencer.start()
        await founded(sequencer)
        for value in ("a" * 16, "b" * 16):
            assert await outcome(sequencer, top_up(value)) == "done"
        later = UNTIL + SECOND_US
        assert await outcome(sequencer, UseNonce(nonce=nonce("a" * 16, later))) == "done"
        assert await outcome(sequencer, UseNonce(nonce=nonce("a" * 16, later))) == REPLAYED
        assert await get(store, NONCE_PAGES, UNTIL, KEY, 0) == page("a" * 16, "b" * 16)
        assert await get(store, NONCE_PAGES, later, KEY, 0) == page("a" * 16, until=later)
        await sequencer.close()


async def test_a_nonce_that_an_earlier_version_kept_is_used_for_as_long_as_its_row_is_there(on_store: OnStore) -> None:
    async with on_store() as store:
        assert store.ask(lambda ask: ask.former_nonces_until()) == 0
        await write(store, FormerNonce(KEY, "a" * 16, Instant(2 * HOUR_US)))
        assert store.ask(lambda ask: ask.former_nonces_until()) == 2 * HOUR_US
        sequencer = a_sequencer(store)
        sequencer.start()
        for value, result in (("a" * 16, REPLAYED), ("b" * 16, "done"), ("b" * 16, REPLAYED)):
            assert await outcome(sequencer, UseNonce(nonce=nonce(value, may_be_former=True))) == result
        await sequencer.close()


async def test_a_full_page_takes_no_more_nonces_and_refuses_those_that_it_has_as_before(on_store: OnStore) -> None:
    values = [f"{number:016}" for number in range(NONCES_MAX)]
    async with on_store() as store:
        await write(store, page(*values))
        sequencer = a_sequencer(store)
        sequencer.start()
        await founded(sequencer)
        before = top_ups(store)
        assert await outcome(sequencer, top_up("a" * 16)) == SIGNED_TOO_OFTEN
        assert await outcome(sequencer, top_up(values[-1])) == REPLAYED
        assert await get(store, NONCE_PAGES, UNTIL, KEY, 0) == page(*values)
        assert top_ups(store) == before
        other = UseNonce(nonce=Nonce("key-2", "a" * 16, UNTIL))
        assert await outcome(sequencer, other) == "done"
        await sequencer.close()


async def test_a_page_that_is_full_is_followed_by_another_and_all_of_them_count(on_store: OnStore) -> None:
    """A server that has the pages from earlier batches, one that has just started, and one that was away meanwhile."""
    most = PAGE_BYTES // 8
    values = [f"{number:016}" for number in range(3 * most)]
    async with on_store() as store:
        known = a_sequencer(store)
        known.start()
        await founded(known)
        for begin in range(0, len(values) - most // 2, most // 2):
            some = [top_up(value) for value in values[begin : begin + most // 2]]
            assert set(await asyncio.gather(*(outcome(known, one) for one in some))) == {"done"}
            fresh = a_sequencer(store)
            fresh.start()
            for value in (values[0], values[begin // 2], values[begin + most // 2 - 1]):
                assert await outcome(fresh, top_up(value)) == REPLAYED
                assert await outcome(known, top_up(value)) == REPLAYED
            await fresh.close()
        other = a_sequencer(store)
        other.start()
        assert await outcome(other, top_up(values[-1])) == "done"
        assert await outcome(known, top_up(values[-1])) == REPLAYED
        assert await outcome(known, top_up("a" * 16)) == "done"
        assert await outcome(other, top_up("a" * 16)) == REPLAYED
        sizes = [await get(store, NONCE_PAGES, UNTIL, KEY, number) for number in range(4)]
        assert [None if page is None else len(page.digests) // 8 for page in sizes] == [most, most, most // 2 + 2, None]
        for sequencer in (known, other):
            await sequencer.close()


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_servers_that_get_the_same_nonce_at_once_exactly_one_does_it(first: int) -> None:
    """Both orders, one of them waiting for the other's row; and many at once."""

    async def scene(url: str) -> None:
        stores = [PostgresStore(url), PostgresStore(url)]
        sequencers = [a_sequencer(store) for store in stores]
        for sequencer in sequencers:
            sequencer.start()
        await founded(sequencers[0])
        before = top_ups(stores[0])
        for number in range(30):
            pair = [sequencers[first], sequencers[1 - first]]
            commands = [top_up(f"nonce-{number:012}") for _ in pair]
            found = await asyncio.gather(*map(outcome, pair, commands))
            assert Counter(found) == {"done": 1, REPLAYED: 1}, number
        assert top_ups(stores[0]) == before + 30
        for sequencer, store in zip(sequencers, stores, strict=True):
            await sequencer.close()
            await store.close()

    with shared_server().database(migrated=True) as url:
        await scene(url)


@pytest.mark.parametrize("before", [(), ("e" * 16,)])
async def test_a_server_that_waits_for_rows_another_has_sees_the_nonce_that_it_used(before: tuple[str, ...]) -> None:
    """Also where the page of the nonce does not exist yet, so that no row of it can be locked."""

    async def scene(url: str) -> None:
        first, second = PostgresStore(url), PostgresStore(url)
        sequencer = a_sequencer(second)
        sequencer.start()
        await founded(sequencer)
        for value in before:
            assert await outcome(sequencer, top_up(value)) == "done"
        holding = await first.begin()
        book = Book()
        await holding.load([(ACCOUNTS, (ACCOUNT,)), (NONCE_PAGES, (UNTIL, KEY, 0))], book)
        assert book.use_nonces([(0, nonce("d" * 16))]) == {}
        await holding.save(book.changes())
        waiting = asyncio.create_task(outcome(sequencer, top_up("d" * 16)))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done, "it does not wait for the row that the other has"
        await holding.commit()
        assert await waiting == REPLAYED
        assert await outcome(sequencer, top_up("f" * 16)) == "done"
        assert await get(second, NONCE_PAGES, UNTIL, KEY, 0) == page(*before, "d" * 16, "f" * 16)
        await sequencer.close()
        for store in (first, second):
            await store.close()

    with shared_server().database(migrated=True) as url:
        await scene(url)


def row(number: int, **changed: Any) -> RefusedCalls:
    facts: dict[str, Any] = {
        "id": f"row-{number}",
        "minute": Instant(number * 60_000_000),
        "address": f"192.0.2.{number % 3}",
        "access_key_id": f"AK{number % 2}",
        "account_id": "",
        "calls": number + 1,
        "codes": {"SignatureEmpty": number + 1},
        "first_at": Instant(number * 60_000_000),
        "last_at": Instant(number * 60_000_000),
    }
    return RefusedCalls(**(facts | changed))


def device(number: int) -> DeviceLogin:
    return DeviceLogin(f"d{number}", "digest", "machine", "127.0.0.1", Instant(number * HOUR_US), Instant(0))


async def test_nonces_and_rows_of_refused_calls_go_when_their_time_has_come_the_oldest_first(on_store: OnStore) -> None:
    async with on_store() as store:
        full = bytes(PAGE_BYTES)
        await write(store, *[NoncePage(Instant(number * HOUR_US), KEY, full) for number in range(10)])
        await write(store, *[NoncePage(Instant(number * HOUR_US), KEY, bytes(8), 1) for number in range(10)])
        await write(store, *[FormerNonce(KEY, f"{number:016}", Instant(number * HOUR_US)) for number in range(10)])
        assert store.ask(lambda ask: ask.former_nonces_until()) == 9 * HOUR_US
        await write(
            store, *[SpentSignIn(f"s{number}", "user-1", Instant(number * HOUR_US), Instant(0)) for number in range(10)]
        )
        await write(store, *[device(number) for number in range(10)])
        await write(store, *[row(number) for number in range(10)])
        for nonces, rows in ((6, 6), (4, 5)):
            transaction = await store.begin()
            await transaction.prune_signatures(Instant(6 * HOUR_US), Instant(5 * 60_000_000), 4)
            await transaction.commit()
            book = await load(
                store,
                *[(NONCE_PAGES, (number * HOUR_US, KEY, page)) for number in range(10) for page in (0, 1)],
                *[(FORMER_NONCES, (KEY, f"{number:016}")) for number in range(10)],
                *[(REFUSED_CALLS, (f"row-{number}",)) for number in range(10)],
            )
            kept, follow = (
                [number for number in range(10) if book.get(NONCE_PAGES, number * HOUR_US, KEY, page) is not None]
                for page in (0, 1)
            )
            former = [number for number in range(10) if book.get(FORMER_NONCES, KEY, f"{number:016}") is not None]
            spent = [number for number in range(10) if store.ask(lambda ask, one=f"s{number}": ask.is_spent(one))]  # type: ignore[misc]
            waiting = [number for number in range(10) if store.ask(lambda ask, one=f"d{number}": ask.device_login(one))]  # type: ignore[misc]
            assert kept == follow == former == spent == waiting == list(range(10 - nonces, 10))
            assert [number for number in range(10) if book.get(REFUSED_CALLS, f"row-{number}")] == list(
                range(10 - rows, 10)
            )


async def test_rows_of_refused_calls_are_listed_by_what_is_asked_for_the_last_first(on_store: OnStore) -> None:
    async with on_store() as store:
        rows = [row(number) for number in range(12)]
        await write(store, *rows)

        def found(limit: int = 100, after: int | None = None, **wanted: Any) -> list[Any]:
            return store.ask(lambda ask: ask.refused_calls(RefusedFilter(**wanted), after=after, limit=limit))

        everything = found()
        assert sorted(one.row.id for one in everything) == sorted(one.id for one in rows)
        assert [one.seq for one in everything] == sorted((one.seq for one in everything), reverse=True)
        assert found(5) + found(5, everything[4].seq) + found(5, everything[9].seq) == everything
        wishes: tuple[dict[str, Any], ...] = ({"address": "192.0.2.1"}, {"access_key_id": "AK1"}, {"address": "none"})
        for wanted in wishes:
            assert [one.row for one in found(**wanted)] == [
                one.row for one in everything if all(getattr(one.row, name) == value for name, value in wanted.items())
            ]
        since, until = Instant(3 * 60_000_000), Instant(7 * 60_000_000)
        assert {one.row.id for one in found(since=since, until=until)} == {"row-3", "row-4", "row-5", "row-6"}


@pytest.mark.parametrize("many", [1, 2, 250])
async def test_many_keys_are_asked_for_at_once(on_store: OnStore, many: int) -> None:
    async with on_store() as store:
        user, key = ROWS[USERS][0], ROWS[ACCESS_KEYS][0]
        users = [msgspec.structs.replace(user, id=f"user-{number}") for number in range(many)]
        keys = [
            msgspec.structs.replace(key, id=f"key-{number}", user_id=f"user-{number // 2}") for number in range(many)
        ]
        await write(store, *users, *keys)
        asked = [*(one.id for one in keys), "nobody", *(f"none-{number}" for number in range(many))]
        found: dict[str, tuple[AccessKey, User]] = store.ask(lambda ask: ask.identities(asked))
        assert found == {one.id: (one, users[number // 2]) for number, one in enumerate(keys)}
        assert store.ask(lambda ask: ask.identities([])) == {}


def test_the_message_says_what_to_do() -> None:
    assert "new nonce" in REPLAYED_TEXT
