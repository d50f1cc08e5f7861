"""Answers of every store about services: lists, and the calls and packages that belong to them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.domain.book.tables import SERVICE_USAGE, SERVICES, TOKEN_PACKAGES
from leasebook.domain.model.service import Service
from leasebook.domain.model.usage import MinuteCount, ServiceUsage, TokenPackage, UsageKey
from leasebook.domain.values.calendar import HOUR_US, Instant
from leasebook.ports.queries.read_repository import ServiceFilter
from leasebook.ports.queries.service_calls import BEFORE_ALL, SeenUsage, Used, UsedIn
from leasebook.store.opening import OpenStore
from tests.contract.batches import OnStore, get, ids, load, rows_of, write
from tests.contract.rows import HIGH, service

# Lists


async def test_services_are_paged_in_both_directions(on_store: OnStore) -> None:
    services = [service(f"svco-{number}", created_at=Instant(9 - number)) for number in range(7)]

    async with on_store() as store:
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


async def test_services_are_found_by_a_part_of_their_name_whatever_is_in_it(on_store: OnStore) -> None:
    async with on_store() as store:
        for number, name in enumerate(NAMES):
            await write(store, service(f"svco-{number:02}", name=name))
        for part, expected in NAMED:
            wanted = ServiceFilter(account_id="acc-1", name_part=part)
            found = store.ask(
                lambda ask, wanted=wanted: ask.services(wanted, after=None, limit=99, reverse=False)  # type: ignore[misc]
            )
            assert [row.row.name for row in found] == expected, part


async def test_small_and_capital_letters_of_english_are_the_same_in_a_name_and_every_name_finds_itself(
    on_store: OnStore,
) -> None:
    names = ("Demo", "DEMO two", "Über", "ÑANDÚ", "ＷＩＤＥ", "İstanbul")  # noqa: RUF001 - letters of other scripts

    async with on_store() as store:
        for number, name in enumerate(names):
            await write(store, service(f"svco-{number}", name=name))

        def found(part: str) -> list[str]:
            wanted = ServiceFilter(account_id="acc-1", name_part=part)
            return [
                row.row.name for row in store.ask(lambda ask: ask.services(wanted, after=None, limit=9, reverse=False))
            ]

        assert found("dEmO") == ["Demo", "DEMO two"]
        assert found("O T") == ["DEMO two"]
        for name in names[2:]:
            assert found(name) == [name]


SERVICES_ASKED_FOR = (
    service("svco-0"),
    service("svco-1", replicas=1, prepaid_units=1),
    service("svco-2", replicas=7, postpaid_units=2, created_by="user-2", protocol_version=2),
    service("svco-3", created_by="user-3", service_type="completions"),
    service("svco-4", deploying=2, postpaid_units=1, service_type="text2image"),
    service("svco-5", replicas=1, deploying=2, prepaid_units=1, postpaid_units=1),
    service("svco-6", prepaid_units=1),
    service("svco-7", active=False),
    service("svco-8", active=False, replicas=3, prepaid_units=1, protocol_version=2),
    service("svco-9", active=False, deploying=3, postpaid_units=1),
    service("svco-a", deleted_at=Instant(5)),
    service("svco-b", account_id="acc-2", replicas=1, prepaid_units=1),
)
STATUSES = ("New", "Deploying", "Serving", "Failed", "Stopped")
ASKED: list[tuple[dict[str, Any], str]] = [
    ({}, "0123456789"),
    ({"creators": ("user-1",)}, "01456789"),
    ({"creators": ("user-2", "user-3", "nobody")}, "23"),
    ({"creators": ()}, ""),
    ({"service_types": ("chat",)}, "01256789"),
    ({"service_types": ("completions", "text2image")}, "34"),
    ({"service_types": ()}, ""),
    ({"run_statuses": ("New",)}, "03"),
    ({"run_statuses": ("Deploying",)}, "4"),
    ({"run_statuses": ("Serving",)}, "125"),
    ({"run_statuses": ("Failed",)}, ""),
    ({"run_statuses": ("Stopped",)}, "6789"),
    ({"run_statuses": ("New", "Serving", "Failed")}, "01235"),
    ({"run_statuses": STATUSES}, "0123456789"),
    ({"run_statuses": ()}, ""),
    ({"payment_timing": "Prepaid"}, "1568"),
    ({"payment_timing": "Postpaid"}, "2459"),
    ({"protocol_version": 2}, "28"),
    ({"protocol_version": 3}, ""),
    ({"creators": ("user-2",), "run_statuses": ("New",)}, ""),
    ({"creators": ("user-2",), "run_statuses": ("Serving", "Stopped"), "name_part": "em"}, "2"),
    ({"payment_timing": "Prepaid", "run_statuses": ("Stopped",), "service_types": ("chat",)}, "68"),
    ({"account_id": "acc-2"}, "b"),
    ({"account_id": "acc-3"}, ""),
]


async def test_services_are_filtered_by_every_field_and_deleted_ones_are_in_no_list(on_store: OnStore) -> None:
    async with on_store() as store:
        for row in SERVICES_ASKED_FOR:
            await write(store, row)
        for asked, expected in ASKED:
            wanted = ServiceFilter(**({"account_id": "acc-1"} | asked))
            for reverse, order in ((False, expected), (True, expected[::-1])):
                found = store.ask(
                    lambda ask, wanted=wanted, reverse=reverse: ask.services(  # type: ignore[misc]
                        wanted, after=None, limit=99, reverse=reverse
                    )
                )
                assert ids(found) == [f"svco-{number}" for number in order], asked
        assert store.ask(lambda ask: ask.service("svco-a")) == SERVICES_ASKED_FOR[10]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_filter_finds_the_services_that_say_of_themselves_that_they_are_so(
    on_store: OnStore, status: str
) -> None:
    def says(row: Service) -> bool:
        return row.run_status == status and row.account_id == "acc-1" and row.deleted_at is None

    async with on_store() as store:
        for row in SERVICES_ASKED_FOR:
            await write(store, row)
        wanted = ServiceFilter(account_id="acc-1", run_statuses=(status,))
        found = store.ask(lambda ask: ask.services(wanted, after=None, limit=99, reverse=False))
        assert rows_of(found) == [row for row in SERVICES_ASKED_FOR if says(row)]


async def test_services_are_loaded_and_saved_with_every_kind_of_number(on_store: OnStore) -> None:
    async with on_store() as store:
        for number, qps in enumerate((0.0, 0.1, 1e-300, 1.7976931348623157e308, 1 / 3, -0.5)):
            row = service(f"svco-{number}", qps=qps)
            await write(store, row)
            assert await get(store, SERVICES, row.id) == row


# Calls


def calls(service_id: str, app_id: str, hour: int, count: int, account_id: str = "acc-1") -> ServiceUsage:
    return ServiceUsage(
        service_id, app_id, Instant(hour * HOUR_US), account_id, count, 10 * count, 100 * count, 1000 * count
    )


def used(service_id: str, app_id: str, count: int) -> Used:
    return Used(service_id, app_id, count, 10 * count, 100 * count, 1000 * count)


async def test_calls_are_summed_up_by_service_and_app_over_the_hours_that_are_asked_for(on_store: OnStore) -> None:
    counted = [
        calls("svco-1", "app-1", 1, 1),
        calls("svco-1", "app-1", 2, 2),
        calls("svco-1", "app-1", 3, 4),
        calls("svco-1", "app-2", 2, 8),
        calls("svco-2", "app-1", 2, 16),
        calls("svco-3", "app-1", 2, 32, "acc-2"),
    ]
    asked: list[tuple[tuple[int, int], tuple[str, ...] | None, tuple[str, ...] | None, list[Used]]] = [
        ((0, 9), None, None, [used("svco-1", "app-1", 7), used("svco-1", "app-2", 8), used("svco-2", "app-1", 16)]),
        ((2, 3), None, None, [used("svco-1", "app-1", 2), used("svco-1", "app-2", 8), used("svco-2", "app-1", 16)]),
        ((3, 9), None, None, [used("svco-1", "app-1", 4)]),
        ((2, 9), ("svco-1",), None, [used("svco-1", "app-1", 6), used("svco-1", "app-2", 8)]),
        ((0, 9), ("svco-2", "svco-3", "svco-4"), None, [used("svco-2", "app-1", 16)]),
        ((0, 9), None, ("app-2",), [used("svco-1", "app-2", 8)]),
        ((3, 9), None, ("app-1", "app-2", "app-3"), [used("svco-1", "app-1", 4)]),
        ((0, 9), ("svco-2",), ("app-2",), []),
        ((0, 9), (), None, []),
        ((4, 9), None, None, []),
    ]

    async with on_store() as store:
        await write(store, *counted)
        for (since, until), services, apps, expected in asked:
            found = store.ask(
                lambda ask, since=since, until=until, services=services, apps=apps: ask.calls(  # type: ignore[misc]
                    "acc-1", Instant(since * HOUR_US), Instant(until * HOUR_US), services=services, apps=apps
                )
            )
            assert found == expected, (since, until, services, apps)
            assert [type(value) for row in found for value in row[2:]] == [int] * 4 * len(found)
        # Counted once more, the hour is the same row.
        await write(store, counted[0].plus(1, 10, 100, 1000, minute=7))
        minutes = (MinuteCount(7, 1, 10, 100, 1000),)
        twice = msgspec.structs.replace(calls("svco-1", "app-1", 1, 2), minutes=minutes)
        assert await get(store, SERVICE_USAGE, "svco-1", "app-1", HOUR_US) == twice
        await write(store, twice.plus(1, 10, 100, 1000, minute=3))
        (found,) = store.ask(
            lambda ask: ask.hours_with_minutes("acc-1", Instant(0), Instant(9 * HOUR_US), services=None, apps=None)
        )
        assert found.minutes == (MinuteCount(3, 1, 10, 100, 1000), *minutes)
        await write(store, msgspec.structs.replace(found, minutes=()))
        for choice in ({"services": ("svco-2",), "apps": None}, {"services": None, "apps": ("app-2",)}):
            assert (
                store.ask(
                    lambda ask, choice=choice: ask.hours_with_minutes(  # type: ignore[misc]
                        "acc-1", Instant(0), Instant(9 * HOUR_US), **choice
                    )
                )
                == []
            )
        book = await load(
            store, (SERVICE_USAGE, ("svco-1", "app-1", 2 * HOUR_US)), (SERVICE_USAGE, ("svco-1", "app-1", 9 * HOUR_US))
        )
        assert book.get(SERVICE_USAGE, "svco-1", "app-1", 2 * HOUR_US) == counted[1]
        assert book.get(SERVICE_USAGE, "svco-1", "app-1", 9 * HOUR_US) is None


async def test_hours_of_all_accounts_are_seen_one_after_another(on_store: OnStore) -> None:
    counted = [calls("svco-1", "app-1", 1, 2), calls("svco-1", "app-1", 2, 2), calls("svco-1", "app-2", 1, 2)]
    counted += [calls("svco-2", "app-1", 0, 2, "acc-2").plus(1, 1, 1, 1, minute=0)]
    keys = [UsageKey(row.service_id, row.app_id, row.hour) for row in counted]

    async with on_store() as store:
        await write(store, *reversed(counted))
        seen: list[SeenUsage] = []
        after = BEFORE_ALL
        while some := store.ask(lambda ask, after=after: ask.usage_after(after, 3)):  # type: ignore[misc]
            seen += some
            after = some[-1].key
        assert seen == [SeenUsage(key, key == keys[3]) for key in keys]


async def test_calls_are_summed_up_by_intervals_of_whole_hours(on_store: OnStore) -> None:
    counted = [calls("svco-1", "app-1", hour, 1 << hour) for hour in (1, 2, 3, 5)]
    counted += [calls("svco-2", "app-2", 4, 1), calls("svco-3", "app-1", 2, 32, "acc-2")]

    def intervals(hours: int, store: OpenStore, **choice: tuple[str, ...] | None) -> list[UsedIn]:
        chosen: dict[str, Any] = {"services": None, "apps": None, **choice}
        return store.ask(
            lambda ask: ask.call_intervals("acc-1", Instant(HOUR_US), Instant(6 * HOUR_US), hours * HOUR_US, **chosen)
        )

    async with on_store() as store:
        await write(store, *counted)
        assert intervals(2, store) == [
            UsedIn(0, used("svco-1", "app-1", 6)),
            UsedIn(1, used("svco-1", "app-1", 8)),
            UsedIn(2, used("svco-1", "app-1", 32)),
            UsedIn(1, used("svco-2", "app-2", 1)),
        ]
        assert intervals(24, store, services=("svco-1",)) == [UsedIn(0, used("svco-1", "app-1", 46))]
        assert intervals(1, store, apps=("app-2",)) == [UsedIn(3, used("svco-2", "app-2", 1))]


async def test_the_services_that_were_called_are_named_and_no_more_rows_come_than_are_asked_for(
    on_store: OnStore,
) -> None:
    since, until = Instant(HOUR_US), Instant(3 * HOUR_US)

    async with on_store() as store:
        await write(
            store,
            *(calls("svco-2", app, hour, 1) for app in ("app-1", "app-2") for hour in (1, 2)),
            calls("svco-1", "app-1", 2, 1),
            calls("svco-3", "app-1", 3, 1),
            calls("svco-4", "app-1", 2, 1, "acc-2"),
        )
        assert store.ask(lambda ask: ask.called("acc-1", since, until, apps=None)) == ["svco-1", "svco-2"]
        assert store.ask(lambda ask: ask.called("acc-1", since, until, apps=("app-2",))) == ["svco-2"]
        chosen: dict[str, Any] = {"services": ("svco-2",), "apps": None}
        assert store.ask(lambda ask: ask.calls("acc-1", since, until, **chosen, most=1)) == [used("svco-2", "app-1", 2)]
        found = store.ask(lambda ask: ask.call_intervals("acc-1", since, until, HOUR_US, **chosen, most=3))
        assert [(one.number, one.used.app_id) for one in found] == [(0, "app-1"), (1, "app-1"), (0, "app-2")]


# Packages


async def test_packages_are_listed_oldest_first_and_found_by_id(on_store: OnStore) -> None:
    packages = [
        TokenPackage(f"pkg-{name}", account_id, "user-1", "ernie", HIGH, 0, Instant(number), Instant(HIGH))
        for number, (name, account_id) in enumerate((("c", "acc-1"), ("a", "acc-1"), ("b", "acc-2")))
    ]

    async with on_store() as store:
        for row in packages:
            await write(store, row)
        assert store.ask(lambda ask: ask.packages("acc-1")) == packages[:2]
        assert store.ask(lambda ask: ask.packages("acc-2")) == packages[2:]
        assert store.ask(lambda ask: ask.packages("nobody")) == []
        assert store.ask(lambda ask: ask.package("pkg-a")) == packages[1]
        assert store.ask(lambda ask: ask.package("pkg-z")) is None
        assert await get(store, TOKEN_PACKAGES, "pkg-b") == packages[2]
