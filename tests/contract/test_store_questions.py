"""What every store answers: lists, pages, due work, whoever is asked for."""

from __future__ import annotations

from itertools import product
from typing import Any

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.agenda import Due, DueKind
from leasehold.domain.book import (
    REMEMBERED,
    SERVICES,
    Fact,
)
from leasehold.domain.calendar import Instant
from leasehold.domain.money import Micro
from leasehold.domain.token import Remembered
from leasehold.domain.unit import Unit
from leasehold.questions import Questions, ServiceFilter, UnitFilter
from leasehold.store.opening import OpenStore
from tests.contract.batches import Batch, OnStore, get, ids, load, rows_of, write
from tests.contract.rows import HIGH, offering, order, posting, service, unit

# The ledger's pages


def test_orders_and_postings_are_paged_newest_first(on_store: OnStore) -> None:
    orders = [order(f"order-{number}", created_at=Instant(100 - number)) for number in range(7)]
    postings = [posting(number + 1, at=Instant(100 - number)) for number in range(7)]
    others = (order("other", account_id="acc-2"), posting(99, account_id="acc-2"))

    async def scene(store: OpenStore) -> None:
        # Newest is what was written last, within a batch and from batch to batch, whatever its time.
        await Batch(orders=orders[:3], postings=postings[:3]).commit_to(store)
        await Batch(orders=[others[0]], postings=[others[1]]).commit_to(store)
        await Batch(orders=orders[3:], postings=postings[3:]).commit_to(store)
        for kind, expected in (("orders", orders[::-1]), ("postings", postings[::-1])):
            found: list[Any] = []
            after, pages = None, 0
            while page := store.ask(
                lambda ask, kind=kind, after=after: getattr(ask, kind)("acc-1", after=after, limit=3)  # type: ignore[misc]
            ):
                found += rows_of(page)
                after = page[-1].seq
                pages += 1
            assert found == expected
            assert pages == 3
        assert rows_of(store.ask(lambda ask: ask.orders("acc-2", after=None, limit=9))) == [others[0]]
        assert store.ask(lambda ask: ask.postings("nobody", after=None, limit=9)) == []

    on_store(scene)


def test_a_page_goes_on_where_the_last_one_ended_also_when_more_is_written_meanwhile(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        await Batch(postings=[posting(number) for number in (1, 2, 3, 4)]).commit_to(store)
        first = store.ask(lambda ask: ask.postings("acc-1", after=None, limit=2))
        await Batch(postings=[posting(5)]).commit_to(store)
        rest = store.ask(lambda ask: ask.postings("acc-1", after=first[-1].seq, limit=9))
        assert [row.row.amount for row in (*first, *rest)] == [4, 3, 2, 1]

    on_store(scene)


# The agenda

R, E, T, C = DueKind.RELEASE, DueKind.EXPIRE, DueKind.RETIRE, DueKind.CHARGE


def test_due_work_comes_by_time_then_by_kind_then_by_instance(on_store: OnStore) -> None:
    ten, eleven = Instant(10), Instant(11)
    units = [
        unit("unit-2", release_at=eleven, charge_at=ten),
        unit("unit-1", release_at=ten, charge_at=ten),
        unit("unit-3", expires_at=ten, payment_timing="Prepaid"),
        unit("unit-0", status="Stopped", retire_at=ten, payment_timing="Prepaid"),
        unit("unit-4", charge_at=Instant(12)),
        unit("unit-5", status="Released", release_at=Instant(1)),
    ]
    expected = [
        Due(ten, R, "unit-1"),
        Due(ten, E, "unit-3"),
        Due(ten, T, "unit-0"),
        Due(ten, C, "unit-1"),
        Due(ten, C, "unit-2"),
        Due(eleven, R, "unit-2"),
        Due(Instant(12), C, "unit-4"),
    ]

    async def scene(store: OpenStore) -> None:
        await write(store, *units)

        async def claimed(until: int, limit: int, *, wait: bool) -> list[Due]:
            transaction = await store.begin()
            found = await transaction.due(Instant(until), limit, wait=wait)
            await transaction.rollback()
            return found

        for until, limit, count in ((9, 99, 0), (10, 99, 5), (11, 99, 6), (12, 99, 7), (HIGH, 99, 7), (12, 3, 3)):
            found = store.ask(lambda ask, until=until, limit=limit: ask.due(Instant(until), limit))  # type: ignore[misc]
            assert found == expected[:count]
            assert [type(due.kind) for due in found] == [DueKind] * count
            assert await claimed(until, limit, wait=True) == found
            assert await claimed(until, limit, wait=False) == found
        assert store.ask(lambda ask: ask.next_due()) == 10
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(9))) is None
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(10))) == 10
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(HIGH))) == 10

    on_store(scene)


def test_the_agenda_follows_every_change_of_an_instance(on_store: OnStore) -> None:
    steps: list[tuple[dict[str, Any], list[Due]]] = [
        ({"status": "Creating"}, []),
        ({"status": "Creating", "release_at": 50}, [Due(Instant(50), R, "unit-1")]),
        ({"release_at": 50, "charge_at": 20}, [Due(Instant(20), C, "unit-1"), Due(Instant(50), R, "unit-1")]),
        ({"release_at": 40, "charge_at": 20}, [Due(Instant(20), C, "unit-1"), Due(Instant(40), R, "unit-1")]),
        ({"release_at": 40, "charge_at": 30}, [Due(Instant(30), C, "unit-1"), Due(Instant(40), R, "unit-1")]),
        ({"charge_at": 30}, [Due(Instant(30), C, "unit-1")]),
        ({"charge_at": 30, "release_at": 30}, [Due(Instant(30), R, "unit-1"), Due(Instant(30), C, "unit-1")]),
        ({"status": "Releasing", "release_at": 30}, []),
        ({"status": "Released", "release_at": 30}, []),
    ]

    async def scene(store: OpenStore) -> None:
        for changed, expected in steps:
            await write(store, unit("unit-1", **changed))
            assert store.ask(lambda ask: ask.due(Instant(HIGH), 99)) == expected
            next_due = min((due.at for due in expected), default=None)
            assert store.ask(lambda ask: ask.next_due()) == next_due

    on_store(scene)


# Client tokens


def token(number: int, created_at: int) -> Remembered:
    return Remembered("acc-1", f"token-{number}", "digest", False, b"{}", Instant(created_at))


def test_tokens_older_than_asked_are_forgotten_and_no_others(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        await write(store, *[token(number, number) for number in range(10)])
        transaction = await store.begin()
        await transaction.prune_tokens(Instant(4), 1000)
        await transaction.commit()
        book = await load(store, *[(REMEMBERED, ("acc-1", f"token-{number}")) for number in range(10)])
        left = [number for number in range(10) if book.get(REMEMBERED, "acc-1", f"token-{number}") is not None]
        assert left == [4, 5, 6, 7, 8, 9]

    on_store(scene)


def test_at_most_a_thousand_tokens_are_forgotten_at_once_the_oldest_first(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        # Written youngest first.
        await write(store, *[token(number, 5000 - number) for number in range(1010)])
        needs = [(REMEMBERED, ("acc-1", f"token-{number}")) for number in range(1010)]
        for left in (10, 0):
            transaction = await store.begin()
            await transaction.prune_tokens(Instant(9999), 1000)
            await transaction.commit()
            book = await load(store, *needs)
            kept = [number for number in range(1010) if book.get(REMEMBERED, "acc-1", f"token-{number}") is not None]
            assert kept == list(range(left))

    on_store(scene)


# Lists


def test_instances_are_filtered_by_every_field_and_paged_in_the_order_of_purchase(on_store: OnStore) -> None:
    units = [
        unit("unit-a"),
        unit("unit-b", service_id="svco-1", region="bd", type="gpu-2", payment_timing="Prepaid"),
        unit("unit-c", region="bd"),
        unit("unit-d", type="gpu-2"),
        unit("unit-e", payment_timing="Prepaid", status="Stopped"),
        unit("unit-f", service_id="svco-1", status="Releasing"),
        unit("unit-g", status="Released"),
        unit("unit-h", service_id="svco-1", status="Released", region="bd"),
        unit("unit-i", account_id="acc-2", service_id="svco-1"),
        unit("unit-j", status="Creating", type="gpu-2"),
        unit("unit-k"),
        unit("unit-l", status="Released", payment_timing="Prepaid"),
        unit("unit-m", payment_timing="Prepaid"),
    ]
    fields = ("account_id", "service_id", "status", "payment_timing", "region", "type")
    asked = [
        dict(zip(fields, values, strict=True))
        for values in product(
            ("acc-1", "acc-2", "nobody"),
            (None, "svco-1", "svco-2"),
            (None, "Running", "Stopped", "Releasing", "Released"),
            (None, "Prepaid", "Postpaid"),
            (None, "bd", "b%"),
            (None, "gpu-2"),
        )
        if values[0] == "acc-1" or values[2:] == (None, None, None, None)
    ]

    def expected(wanted: dict[str, str | None]) -> list[Unit]:
        return [
            row
            for row in units
            if all(value in (None, getattr(row, name)) for name, value in wanted.items())
            and (row.status != "Released" or wanted["status"] == "Released")
        ]

    async def scene(store: OpenStore) -> None:
        # Instances are always of something in the catalogue.
        await write(store, *[offering(*place, 1) for place in product(("bj", "bd"), ("gpu-1", "gpu-2"))])
        for row in units:  # each in a batch of its own: that is the order
            await write(store, row)

        def check(ask: Questions) -> None:
            for wanted in asked:
                unit_filter = UnitFilter(**wanted)  # type: ignore[arg-type]
                found = ask.units(unit_filter)
                assert rows_of(found) == expected(wanted), wanted
                assert [row.seq for row in found] == sorted({row.seq for row in found})
                assert ask.units(unit_filter, limit=99) == found, wanted
                if found:
                    assert ask.units(unit_filter, after=found[0].seq, limit=2) == found[1:3], wanted
                    assert ask.units(unit_filter, after=found[-1].seq) == []

        store.ask(check)
        assert store.ask(lambda ask: ask.unit("unit-g")) == units[6], "released ones stay readable by id"
        assert store.ask(lambda ask: ask.unit("unit-z")) is None
        counts = {"Running": 7, "Stopped": 1, "Releasing": 1, "Creating": 1}
        assert store.ask(lambda ask: ask.unit_counts()) == counts

    on_store(scene)


def test_services_are_paged_in_both_directions(on_store: OnStore) -> None:
    services = [service(f"svco-{number}", created_at=Instant(9 - number)) for number in range(7)]

    async def scene(store: OpenStore) -> None:
        for row in services:
            await write(store, row)
        await write(store, service("other", account_id="acc-2"))
        wanted = ServiceFilter(account_id="acc-1")
        for reverse, expected in ((False, services), (True, services[::-1])):
            found: list[Any] = []
            after = None
            while page := store.ask(
                lambda ask, after=after, reverse=reverse: ask.services(  # type: ignore[misc]
                    wanted, after=after, limit=3, reverse=reverse
                )
            ):
                assert len(page) <= 3
                found += rows_of(page)
                after = page[-1].seq
            assert found == expected
        assert store.ask(lambda ask: ask.service("other")) == service("other", account_id="acc-2")
        assert store.ask(lambda ask: ask.service("svco-9")) is None

    on_store(scene)


NAMES = ("50%", "50", "a_b", "axb", "wow!", "wow", "back\\slash", "quo'te", "模型🦊", "100%_!", "")
NAMED = [
    ("50%", ["50%"]),
    ("%", ["50%", "100%_!"]),
    ("_", ["a_b", "100%_!"]),
    ("!", ["wow!", "100%_!"]),
    ("%_!", ["100%_!"]),
    ("a_b", ["a_b"]),
    ("x", ["axb"]),
    ("\\", ["back\\slash"]),
    ("'", ["quo'te"]),
    ("🦊", ["模型🦊"]),
    ("型", ["模型🦊"]),
    ("?", []),
    ("", list(NAMES)),
]


def test_services_are_found_by_a_part_of_their_name_whatever_is_in_it(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        for number, name in enumerate(NAMES):
            await write(store, service(f"svco-{number:02}", name=name))
        for part, expected in NAMED:
            wanted = ServiceFilter(account_id="acc-1", name_part=part)
            found = store.ask(
                lambda ask, wanted=wanted: ask.services(wanted, after=None, limit=99, reverse=False)  # type: ignore[misc]
            )
            assert [row.row.name for row in found] == expected, part

    on_store(scene)


def test_services_are_filtered_by_whether_they_run_and_by_who_created_them(on_store: OnStore) -> None:
    services = [
        service("svco-0"),
        service("svco-1", replicas=1),
        service("svco-2", replicas=7, created_by="user-2"),
        service("svco-3", created_by="user-3"),
    ]
    filters: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [0, 1, 2, 3]),
        ({"running": True}, [1, 2]),
        ({"running": False}, [0, 3]),
        ({"creators": ("user-1",)}, [0, 1]),
        ({"creators": ("user-2", "user-3", "nobody")}, [2, 3]),
        ({"creators": ()}, []),
        ({"creators": ("user-2",), "running": False}, []),
        ({"creators": ("user-2",), "running": True, "name_part": "em"}, [2]),
        ({"account_id": "acc-2"}, []),
    ]

    async def scene(store: OpenStore) -> None:
        for row in services:
            await write(store, row)
        for asked, expected in filters:
            wanted = ServiceFilter(**({"account_id": "acc-1"} | asked))
            found = store.ask(
                lambda ask, wanted=wanted: ask.services(wanted, after=None, limit=99, reverse=False)  # type: ignore[misc]
            )
            assert ids(found) == [services[number].id for number in expected], asked

    on_store(scene)


# Identities, facts


def test_an_access_key_is_found_with_its_user(on_store: OnStore) -> None:
    users = [User(f"user-{number}", "acc-1", "one", number == 1, (), Instant(number)) for number in (1, 2)]
    keys = [
        AccessKey("key-1", "user-2", "acc-1", b"\x00\xff", "Active", Instant(5)),
        AccessKey("key-2", "user-1", "acc-1", b"", "Disabled", Instant(4)),
        AccessKey("key-3", "user-2", "acc-1", b"s", "Active", Instant(3)),
    ]
    stranger = User("user-9", "acc-2", "nine", True, (), Instant(0))

    async def scene(store: OpenStore) -> None:
        await write(store, *reversed(users), *keys, stranger)
        assert store.ask(lambda ask: ask.identity("key-1")) == (keys[0], users[1])
        assert store.ask(lambda ask: ask.identity("key-2")) == (keys[1], users[0])
        assert store.ask(lambda ask: ask.identity("KEY-1")) is None
        assert store.ask(lambda ask: ask.identity("")) is None
        assert store.ask(lambda ask: ask.user("user-2")) == users[1]
        assert store.ask(lambda ask: ask.user("user-3")) is None
        assert store.ask(lambda ask: ask.users("acc-1")) == [(users[0], [keys[1]]), (users[1], [keys[2], keys[0]])]
        assert store.ask(lambda ask: ask.users("acc-2")) == [(stranger, [])]
        assert store.ask(lambda ask: ask.users("nobody")) == []

    on_store(scene)


def test_facts_and_accounts_are_found_by_their_name(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        account = Account("acc-1", "one", "UTC", Micro(0), Instant(0))
        await write(store, Fact("a", "1"), Fact("b", ""), account)
        assert [store.ask(lambda ask, name=name: ask.fact(name)) for name in ("a", "b", "c", "A")] == [  # type: ignore[misc]
            "1",
            "",
            None,
            None,
        ]
        assert store.ask(lambda ask: ask.account("acc-1")) == account
        assert store.ask(lambda ask: ask.account("acc-2")) is None

    on_store(scene)


def test_services_are_loaded_and_saved_with_every_kind_of_number(on_store: OnStore) -> None:
    async def scene(store: OpenStore) -> None:
        for number, qps in enumerate((0.0, 0.1, 1e-300, 1.7976931348623157e308, 1 / 3, -0.5)):
            row = service(f"svco-{number}", qps=qps)
            await write(store, row)
            assert await get(store, SERVICES, row.id) == row

    on_store(scene)
