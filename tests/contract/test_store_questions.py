"""Answers of every store: lists, pages and due work, by any filter."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS, INSTANCES
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.idempotency import IdempotencyRecord
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.offering import Offering
from leasebook.domain.record.agenda import Due, DueKind, agenda_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.ports.queries.due_work import DueCount
from leasebook.ports.queries.read_repository import ReadRepository, UnitFilter
from tests.contract.batches import OnStore, load, rows_of, write
from tests.contract.rows import HIGH, offering, unit
from tests.depth import some

# The agenda

R, E, T, C = DueKind.RELEASE, DueKind.EXPIRE, DueKind.RETIRE, DueKind.CHARGE
RENEW, STOP, RESUME = DueKind.RENEW, DueKind.STOP, DueKind.RESUME


def next_due(ask: ReadRepository) -> Instant | None:
    return next((due.at for due in ask.due(Instant(HIGH), 1)), None)


async def test_due_work_comes_by_time_then_by_kind_then_in_the_order_of_the_purchases(on_store: OnStore) -> None:
    ten, eleven = Instant(10), Instant(11)
    units = [
        unit("unit-2", release_at=eleven, charge_at=ten),
        unit("unit-1", release_at=ten, charge_at=ten, stop_at=ten),
        unit("unit-3", expires_at=ten, renew_at=ten, payment_timing="Prepaid"),
        unit("unit-0", status="Stopped", retire_at=ten, payment_timing="Prepaid"),
        unit("unit-4", charge_at=Instant(12)),
        unit("unit-6", status="Stopped", resume_at=ten),
        unit("unit-5", status="Released", release_at=Instant(1)),
    ]
    expected = [
        Due(ten, RENEW, "unit-3"),
        Due(ten, R, "unit-1"),
        Due(ten, E, "unit-3"),
        Due(ten, T, "unit-0"),
        Due(ten, C, "unit-2"),
        Due(ten, C, "unit-1"),
        Due(ten, STOP, "unit-1"),
        Due(ten, RESUME, "unit-6"),
        Due(eleven, R, "unit-2"),
        Due(Instant(12), C, "unit-4"),
    ]

    async with on_store() as store:
        for one in units:
            await write(store, one)

        async def claimed(until: int, limit: int, *, wait: bool) -> list[Due]:
            transaction = await store.begin()
            found = await transaction.due(Instant(until), limit, wait=wait)
            # Claimed rows are loaded like the others.
            book = Book()
            await transaction.load([(INSTANCES, (row.id,)) for row in units], book)
            assert [book.get(INSTANCES, row.id) for row in units] == list(units)
            await transaction.rollback()
            return found

        for until, limit, count in ((9, 99, 0), (10, 99, 8), (11, 99, 9), (12, 99, 10), (HIGH, 99, 10), (12, 3, 3)):
            found = store.ask(lambda ask, until=until, limit=limit: ask.due(Instant(until), limit))  # type: ignore[misc]
            assert found == expected[:count]
            assert [type(due.kind) for due in found] == [DueKind] * count
            assert await claimed(until, limit, wait=True) == found
            assert await claimed(until, limit, wait=False) == found
        assert store.ask(next_due) == 10
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(9))) is None
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(10))) == 10
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(HIGH))) == 10


async def test_work_of_one_moment_and_kind_comes_in_the_order_of_the_purchases(on_store: OnStore) -> None:
    names = [f"unit-{number}" for number in (7, 3, 9, 1, 5)]
    bought = {"payment_timing": "Prepaid", "auto_renew": True}
    units = [unit(name, renew_at=Instant(10), expires_at=Instant(11), **bought) for name in names]
    released = [unit(name, release_at=Instant(10)) for name in ("unit-8", "unit-2")]
    order = [Due(Instant(10), RENEW, name) for name in names]
    order += [Due(Instant(10), R, name) for name in ("unit-8", "unit-2")]
    order += [Due(Instant(11), E, name) for name in names]

    async with on_store() as store:
        for one in (*units, *released):
            await write(store, one)
        for limit in range(1, len(order) + 1):
            assert store.ask(lambda ask, limit=limit: ask.due(Instant(HIGH), limit)) == order[:limit]  # type: ignore[misc]
            transaction = await store.begin()
            assert await transaction.due(Instant(HIGH), limit, wait=False) == order[:limit]
            await transaction.rollback()


async def test_a_limit_cuts_due_work_where_it_cuts_the_whole_agenda(on_store: OnStore) -> None:
    """The later work of an instance comes among the first work of others, up to every limit."""
    dice = Random(21)  # noqa: S311 - the same instances each time
    names = [f"unit-{number}" for number in dice.sample(range(100, 1000), 24)]
    times = ("release_at", "charge_at", "expires_at", "renew_at", "stop_at", "retire_at", "resume_at", "remind_at")
    units = [
        unit(
            name,
            status=dice.choice(("Running", "Stopped", "Creating", "Released")),
            **{time: Instant(dice.randrange(10, 16)) for time in times if dice.random() < 0.7},
        )
        for name in names
    ]
    places = {one.id: place for place, one in enumerate(units)}
    whole = sorted(
        (due for one in units for due in agenda_of(one)), key=lambda due: (due.at, due.kind, places[due.unit_id])
    )
    assert len(whole) > 50

    async with on_store() as store:
        for one in units:
            await write(store, one)
        for until in (Instant(9), Instant(12), Instant(HIGH)):
            expected = [due for due in whole if due.at <= until]
            for limit in range(1, len(whole) + 2):
                found = store.ask(lambda ask, limit=limit, until=until: ask.due(until, limit))  # type: ignore[misc]
                assert found == expected[:limit], (until, limit)
        releases = [due.at for due in whole if due.kind is R]
        for moment in range(9, 17):
            oldest_of_all = min((at for at in releases if at <= moment), default=None)
            assert store.ask(lambda ask, moment=moment: ask.oldest_release_due(Instant(moment))) == oldest_of_all  # type: ignore[misc]
        firsts = {due.unit_id: due for due in reversed(whole)}
        by_kind = [due for due in whole if due.kind is R or due == firsts[due.unit_id]]
        for now, soon in ((9, 9), (9, 12), (11, 13), (HIGH, HIGH)):
            counted = store.ask(lambda ask, now=now, soon=soon: ask.due_counts(Instant(now), Instant(soon)))  # type: ignore[misc]
            expected_counts = {}
            for kind in {due.kind for due in by_kind if due.at <= soon}:
                moments = [due.at for due in by_kind if due.kind is kind and due.at <= soon]
                late = [at for at in moments if at <= now]
                expected_counts[kind] = DueCount(len(late), len(moments), min(late, default=None))
            assert counted == expected_counts, (now, soon)


async def test_a_release_that_waits_behind_an_overdue_charge_is_overdue_too(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, unit("unit-1", charge_at=Instant(10), release_at=Instant(15)))
        await write(store, unit("unit-2", charge_at=Instant(90), release_at=Instant(20)))
        for until, oldest in ((14, None), (15, Instant(15)), (19, Instant(15)), (30, Instant(15))):
            assert store.ask(lambda ask, until=until: ask.oldest_release_due(Instant(until))) == oldest  # type: ignore[misc]
        await write(store, unit("unit-1", charge_at=Instant(70), release_at=Instant(25)))
        assert store.ask(lambda ask: ask.oldest_release_due(Instant(30))) == 20


async def test_the_agenda_follows_every_change_of_an_instance(on_store: OnStore) -> None:
    steps: list[tuple[dict[str, Any], list[Due]]] = [
        ({"status": "Creating"}, []),
        ({"status": "Creating", "release_at": 50}, [Due(Instant(50), R, "unit-1")]),
        ({"release_at": 50, "charge_at": 20}, [Due(Instant(20), C, "unit-1"), Due(Instant(50), R, "unit-1")]),
        ({"release_at": 40, "charge_at": 20}, [Due(Instant(20), C, "unit-1"), Due(Instant(40), R, "unit-1")]),
        ({"release_at": 40, "charge_at": 30}, [Due(Instant(30), C, "unit-1"), Due(Instant(40), R, "unit-1")]),
        ({"charge_at": 30}, [Due(Instant(30), C, "unit-1")]),
        ({"charge_at": 30, "release_at": 30}, [Due(Instant(30), R, "unit-1"), Due(Instant(30), C, "unit-1")]),
        (
            {"stop_at": 60, "renew_at": 5, "expires_at": 70},
            [Due(Instant(5), RENEW, "unit-1"), Due(Instant(60), STOP, "unit-1"), Due(Instant(70), E, "unit-1")],
        ),
        ({"status": "Reconfiguring", "charge_at": 30}, [Due(Instant(30), C, "unit-1")]),
        (
            {"status": "Stopped", "retire_at": 90, "resume_at": 80, "charge_at": 30, "stop_at": 30},
            [Due(Instant(80), RESUME, "unit-1"), Due(Instant(90), T, "unit-1")],
        ),
        ({"status": "Releasing", "release_at": 30}, []),
        ({"status": "Released", "release_at": 30}, []),
    ]

    async with on_store() as store:
        for changed, expected in steps:
            await write(store, unit("unit-1", **changed))
            assert store.ask(lambda ask: ask.due(Instant(HIGH), 99)) == expected
            assert store.ask(next_due) == min((due.at for due in expected), default=None)


# Client tokens


def token(number: int, created_at: int) -> IdempotencyRecord:
    return IdempotencyRecord("acc-1", f"token-{number}", "digest", False, b"{}", Instant(created_at))


async def test_tokens_older_than_asked_are_forgotten_and_no_others(on_store: OnStore) -> None:
    async with on_store() as store:
        await write(store, *[token(number, number) for number in range(10)])
        transaction = await store.begin()
        await transaction.prune_tokens(Instant(4), 1000)
        await transaction.commit()
        book = await load(store, *[(IDEMPOTENCY_RECORDS, ("acc-1", f"token-{number}")) for number in range(10)])
        left = [number for number in range(10) if book.get(IDEMPOTENCY_RECORDS, "acc-1", f"token-{number}") is not None]
        assert left == [4, 5, 6, 7, 8, 9]


async def test_at_most_a_thousand_tokens_are_forgotten_at_once_the_oldest_first(on_store: OnStore) -> None:
    async with on_store() as store:
        # Written youngest first.
        await write(store, *[token(number, 5000 - number) for number in range(1010)])
        needs = [(IDEMPOTENCY_RECORDS, ("acc-1", f"token-{number}")) for number in range(1010)]
        for left in (10, 0):
            transaction = await store.begin()
            await transaction.prune_tokens(Instant(9999), 1000)
            await transaction.commit()
            book = await load(store, *needs)
            kept = [
                number
                for number in range(1010)
                if book.get(IDEMPOTENCY_RECORDS, "acc-1", f"token-{number}") is not None
            ]
            assert kept == list(range(left))


# Lists


LISTED = [
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
    unit("unit-m", payment_timing="Prepaid", auto_renew=True),
    unit("unit-n", placements=(Placement("svco-1", 1, 2), Placement("svco-3", 2, 1))),
    unit("unit-o", service_id="svco-1", placements=(Placement("svco-1", 2, 1),), status="Stopped"),
    unit("tpm-p", kind="TPM", region="global", type="ernie"),
    unit("tpm-q", kind="TPM", region="global", type="ernie", status="Released"),
    unit("unit-r", payment_timing="Prepaid", auto_renew=True, region="bd", service_id="svco-1"),
    unit("unit-s", payment_timing="Prepaid", auto_renew=True, status="Released"),
]


async def test_instances_are_filtered_by_every_field_and_paged_in_the_order_of_purchase(on_store: OnStore) -> None:
    fields = ("account_id", "service_id", "status", "payment_timing", "region", "type", "auto_renew", "kind")
    asked = [
        dict(zip(fields, values, strict=True))
        for values in product(
            ("acc-1", "acc-2", "nobody"),
            (None, "svco-1", "svco-2", "svco-3"),
            (None, "Running", "Stopped", "Releasing", "Released"),
            (None, "Prepaid", "Postpaid"),
            (None, "bd", "b%"),
            (None, "gpu-2"),
            (None, True, False),
            ("ComputingUnit", "TPM"),
        )
        if (values[0] == "acc-1" or values[2:7] == (None,) * 5) and (values[7] == "ComputingUnit" or values[4] is None)
    ]

    def expected(wanted: dict[str, Any]) -> list[Instance]:
        return [
            row
            for row in LISTED
            if all(value in (None, getattr(row, name)) for name, value in wanted.items() if name != "service_id")
            and (wanted["service_id"] is None or row.serves(wanted["service_id"]))
            and (row.status != "Released" or wanted["status"] == "Released")
        ]

    async with on_store() as store:
        # Instances are always of something in the catalogue.
        await write(store, *[offering(*place, 1) for place in product(("bj", "bd"), ("gpu-1", "gpu-2"))])
        await write(store, Offering("global", "ernie", 2, Micro(1), None, 9, 9, "TPM"))
        for row in LISTED:  # each in a batch of its own: that is the order
            await write(store, row)

        def check(ask: ReadRepository) -> None:
            for wanted in some(asked, 400):
                unit_filter = UnitFilter(**wanted)  # type: ignore[arg-type]
                found = ask.units(unit_filter)
                assert rows_of(found) == expected(wanted), wanted
                assert [row.seq for row in found] == sorted({row.seq for row in found})
                assert ask.units(unit_filter, limit=99) == found, wanted
                if found:
                    assert ask.units(unit_filter, after=found[0].seq, limit=2) == found[1:3], wanted
                    assert ask.units(unit_filter, after=found[-1].seq) == []

        store.ask(check)
        assert store.ask(lambda ask: ask.unit("unit-g")) == LISTED[6], "released ones stay readable by id"
        assert store.ask(lambda ask: ask.unit("unit-z")) is None
        counts = {"Running": 10, "Stopped": 2, "Releasing": 1, "Creating": 1}
        assert store.ask(lambda ask: ask.unit_counts()) == counts


# Identities, facts


async def test_an_access_key_is_found_with_its_user(on_store: OnStore) -> None:
    users = [User(f"user-{number}", "acc-1", "one", number == 1, (), Instant(number)) for number in (1, 2)]
    keys = [
        AccessKey("key-1", "user-2", "acc-1", b"\x00\xff", "Active", Instant(5)),
        AccessKey("key-2", "user-1", "acc-1", b"", "Disabled", Instant(4)),
        AccessKey("key-3", "user-2", "acc-1", b"s", "Active", Instant(3)),
    ]
    stranger = User("user-9", "acc-2", "nine", True, (), Instant(0))

    async with on_store() as store:
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


async def test_facts_and_accounts_are_found_by_their_name(on_store: OnStore) -> None:
    async with on_store() as store:
        account = Account("acc-1", "one", "UTC", Micro(0), Instant(0))
        await write(store, StoreMetadata("a", "1"), StoreMetadata("b", ""), account)
        assert [store.ask(lambda ask, name=name: ask.fact(name)) for name in ("a", "b", "c", "A")] == [  # type: ignore[misc]
            "1",
            "",
            None,
            None,
        ]
        assert store.ask(lambda ask: ask.account("acc-1")) == account
        assert store.ask(lambda ask: ask.account("acc-2")) is None


async def test_accounts_are_listed_oldest_first(on_store: OnStore) -> None:
    accounts = [
        Account("acc-3", "three", "UTC", Micro(-1), Instant(1), arrears_since=Instant(7)),
        Account("acc-1", "one", "UTC", Micro(0), Instant(2)),
        Account("acc-2", "two", "UTC", Micro(0), Instant(2)),
    ]

    async with on_store() as store:
        assert store.ask(lambda ask: ask.accounts()) == []
        await write(store, *reversed(accounts))
        assert store.ask(lambda ask: ask.accounts()) == accounts


# Quota


async def test_quota_is_found_by_account_and_model_and_released_quota_is_not(on_store: OnStore) -> None:
    def quota(unit_id: str, **changed: Any) -> Instance:
        return unit(unit_id, **({"kind": "TPM", "region": "global", "type": "ernie"} | changed))

    mine = [quota("tpm-2"), quota("tpm-1", status="Stopped"), quota("tpm-3", payment_timing="Prepaid")]
    others = [
        quota("tpm-4", type="ernie-2"),
        quota("tpm-5", account_id="acc-2"),
        quota("tpm-6", status="Released"),
        unit("unit-1", type="ernie"),
        unit("unit-2", region="global", type="ernie"),
    ]

    async with on_store() as store:
        for row in (*mine, *others):
            await write(store, row)
        assert store.ask(lambda ask: ask.quota("acc-1", "ernie", status=None)) == mine
        assert store.ask(lambda ask: ask.quota("acc-1", "ernie", status="Running")) == [mine[0], mine[2]]
        assert store.ask(lambda ask: ask.quota("acc-1", "ernie", status="Creating")) == []
        assert store.ask(lambda ask: ask.quota("acc-1", "ern%", status=None)) == []
        assert store.ask(lambda ask: ask.quota("acc-2", "ernie", status=None)) == [others[1]]
        assert store.ask(lambda ask: ask.unit("tpm-6")) == others[2]
