"""A store of the first schema, with everything in it that a store could have, is brought up to date and lives on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from leasebook.domain.book.book import Book
from leasebook.domain.commands.command import decide
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.commands.store.bootstrap import CLOCK_MODE
from leasebook.domain.commands.store.clock import VIRTUAL_NOW
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.service import Service
from leasebook.domain.record.agenda import Due, DueKind, agenda_of
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, Instant
from leasebook.domain.values.rule_settings import Rules
from leasebook.engines.instant import InstantEngine
from leasebook.ports.queries.read_repository import HistoryFilter, UnitFilter
from leasebook.security.private_files import create_private
from leasebook.store import migrate
from leasebook.store.opening import OpenStore, Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_store
from tests.contract.batches import ids, write
from tests.copies import STORES, copy_of, empty

NOW: Final = 1_893_456_000_000_000  # a full hour
MINUTE_PRICE, MONTH_PRICE = 500_000, 300_000_000
STOCK = 100

# Of every instance only what matters; the rest is as a purchase left it.
UNITS: Final[Mapping[str, Mapping[str, Any]]] = {
    "unit-run": {"count": 3, "started_at": NOW - 90 * MINUTE_US, "metered_minutes": 60, "charge_at": NOW + HOUR_US},
    "unit-new": {"count": 1, "started_at": NOW - 10 * MINUTE_US, "charge_at": NOW + HOUR_US},
    "unit-ends": {
        "count": 4,
        "service_id": "svco-1",
        "replicas": 2,
        "started_at": NOW - HOUR_US,
        "metered_minutes": 60,
        "charge_at": NOW + HOUR_US,
        "release_at": NOW + 2 * HOUR_US + 1,
    },
    "unit-term": {"prepaid": NOW + 10 * DAY_US, "count": 2, "service_id": "svco-1", "replicas": 1, "auto_renew": True},
    "unit-soon": {"prepaid": NOW + 2 * DAY_US, "auto_renew": True, "auto_renew_months": 3},
    "unit-last": {"prepaid": NOW + DAY_US // 2, "auto_renew": True},
    "unit-plain": {"prepaid": NOW + 5 * DAY_US},
    "unit-stopped": {
        "prepaid": NOW - DAY_US,
        "status": "Stopped",
        "count": 4,
        "service_id": "svco-2",
        "replicas": 2,
        "auto_renew": True,
        "retire_at": NOW + 6 * DAY_US,
    },
    "unit-making": {"status": "Creating", "count": 3, "service_id": "svco-2", "replicas": 3},
    "unit-going": {
        "status": "Releasing",
        "service_id": "svco-1",
        "replicas": 1,
        "started_at": NOW - 30 * MINUTE_US,
        "metered_minutes": 30,
        "ended_at": NOW,
        "end_reason": "User",
    },
    "unit-gone": {
        "status": "Released",
        "service_id": "svco-1",
        "replicas": 1,
        "started_at": NOW - DAY_US,
        "metered_minutes": 5,
        "ended_at": NOW - DAY_US + 5 * MINUTE_US,
        "end_reason": "User",
        "released_at": NOW - DAY_US + 5 * MINUTE_US,
    },
    "unit-owing": {
        "account_id": "acc-2",
        "count": 2,
        "started_at": NOW - 2 * HOUR_US,
        "metered_minutes": 120,
        "charge_at": NOW + HOUR_US,
    },
}
FUNDS = {"acc-1": 100_000_000_000, "acc-2": 1_000_000}
# The old version's counts for a service: the replicas that run and those that come up.
REPLICAS = {"svco-1": 2 + 1, "svco-2": 3, "svco-3": 0}


def old_unit(unit_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": unit_id,
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": f"order-of-{unit_id}",
        "service_id": None,
        "region": "bj",
        "type": "gpu-1",
        "count": 1,
        "replicas": 0,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": NOW - 20 * DAY_US,
        "term_months": 0,
        "auto_renew": False,
        "auto_renew_months": 1,
        "metered_minutes": 0,
        "started_at": None,
        "release_at": None,
        "charge_at": None,
        "expires_at": None,
        "retire_at": None,
        "ended_at": None,
        "end_reason": None,
        "released_at": None,
        **facts,
    }
    expires_at = row.pop("prepaid", None)
    if expires_at is not None:
        # The months are of 31 days here.
        started_at = expires_at - 31 * DAY_US
        row |= {"payment_timing": "Prepaid", "term_months": 1, "started_at": started_at, "expires_at": expires_at}
    price = MINUTE_PRICE * row["metered_minutes"] if expires_at is None else MONTH_PRICE
    return {**row, "charged": row["count"] * price}


OLD_UNITS: Final = [old_unit(unit_id, facts) for unit_id, facts in UNITS.items()]


def old_agenda() -> list[dict[str, Any]]:
    """The agenda that the old version kept."""
    alive, running = ("Creating", "Running", "Stopped"), ("Running",)
    kinds = (("release_at", 1, alive), ("expires_at", 2, running), ("retire_at", 3, alive), ("charge_at", 4, running))
    return [
        {"at": row[name], "kind": kind, "unit_id": row["id"]}
        for row in OLD_UNITS
        for name, kind, statuses in kinds
        if row[name] is not None and row["status"] in statuses
    ]


def old_postings() -> list[dict[str, Any]]:
    """Payments and charges, as the old version wrote them."""
    nothing = {"order_id": None, "unit_id": None, "minutes": None}
    found: list[dict[str, Any]] = [
        {
            **nothing,
            "account_id": account_id,
            "at": NOW - 20 * DAY_US,
            "kind": "TopUp",
            "debit": "funding",
            "credit": f"wallet:{account_id}",
            "amount": funds,
        }
        for account_id, funds in FUNDS.items()
    ]
    for row in OLD_UNITS:
        prepaid = row["payment_timing"] == "Prepaid"
        if row["charged"]:
            found.append(
                {
                    "account_id": row["account_id"],
                    "at": NOW - 20 * DAY_US if prepaid else NOW,
                    "kind": "Purchase" if prepaid else "Usage",
                    "debit": f"wallet:{row['account_id']}",
                    "credit": "revenue:prepaid" if prepaid else "revenue:usage",
                    "amount": row["charged"],
                    "order_id": row["order_id"] if prepaid else None,
                    "unit_id": row["id"],
                    "minutes": None if prepaid else row["metered_minutes"],
                }
            )
    return found


def old_orders() -> list[dict[str, Any]]:
    """A purchase for every instance."""
    return [
        {
            "id": row["order_id"],
            "account_id": row["account_id"],
            "kind": "Purchase",
            "unit_id": row["id"],
            "payment_timing": row["payment_timing"],
            "region": "bj",
            "type": "gpu-1",
            "count": row["count"],
            "months": row["term_months"],
            "amount": row["charged"] if row["payment_timing"] == "Prepaid" else 0,
            "created_at": row["created_at"],
            "created_by": "user-1",
        }
        for row in OLD_UNITS
    ]


def old_services() -> list[dict[str, Any]]:
    """Services, which counted their replicas only."""
    return [
        {
            "id": service_id,
            "account_id": "acc-1",
            "created_by": "user-1",
            "name": "demo",
            "description": "",
            "url_suffix": "demo",
            "model_set_id": "am-1",
            "model_id": "amv-1",
            "resource_type": "GPU-1-2",
            "region": None,
            "qps": None,
            "replicas": replicas,
            "created_at": 1,
        }
        for service_id, replicas in REPLICAS.items()
    ]


def old_rows() -> dict[str, list[dict[str, Any]]]:
    """All of it, table by table."""
    spent = {name: sum(row["charged"] for row in OLD_UNITS if row["account_id"] == name) for name in FUNDS}
    held = sum(row["count"] for row in OLD_UNITS if row["status"] != "Released")
    place: dict[str, Any] = {"region": "bj", "type": "gpu-1"}
    prices = {"per_minute": MINUTE_PRICE, "per_month": MONTH_PRICE}
    return {
        "accounts": [
            {"id": name, "name": name, "time_zone": "UTC", "balance": funds - spent[name], "created_at": 1}
            for name, funds in FUNDS.items()
        ],
        "offerings": [{**place, **prices, "position": 1, "stock_total": STOCK, "stock_free": STOCK - held}],
        "prices": [{**place, "changes": f"[[{NOW - 30 * DAY_US},{MINUTE_PRICE}]]"}],
        "units": OLD_UNITS,
        "agenda": old_agenda(),
        "services": old_services(),
        "orders": old_orders(),
        "postings": old_postings(),
        "facts": [{"name": CLOCK_MODE, "value": "virtual"}, {"name": VIRTUAL_NOW, "value": str(NOW)}],
    }


def make_old(target: Target) -> None:
    """Make a store as version 0.1 left it."""
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)
        for name, rows in old_rows().items():
            connection.execute(tables.tables[name].insert(), rows)
        assert migrate.current(connection, "it") == "0001"
    engine.dispose()


@pytest.fixture(scope="module", params=STORES)
def once_upgraded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The old store, brought up to date."""
    with empty(request.param, tmp_path_factory.mktemp("old") / "data") as where:
        make_old(where)
        upgrade(where)
        yield where


@pytest.fixture
def upgraded(once_upgraded: Target, tmp_path: Path) -> Iterator[Target]:
    """A copy of it."""
    with copy_of(once_upgraded, tmp_path / "data") as where:
        yield where


def test_no_version_of_an_account_is_trusted_after_the_upgrade_and_those_for_everybody_are(target: Target) -> None:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0011")
        tables = MetaData()
        tables.reflect(connection)
        same = {"created_by": "user-1", "description": "", "created_at": 7}
        owners = {"own": "acc-1", "all": ""}
        for name, owner in owners.items():
            known = {**same, "account_id": owner}
            rows = {"id": f"am-{name}", "name": name, "made": 1, "models": 1, **known}
            connection.execute(tables.tables["model_sets"].insert(), rows)
            model = {"id": f"amv-{name}", "set_id": f"am-{name}", "version": "V1", "run": '{"command":["x"]}', **known}
            connection.execute(tables.tables["models"].insert(), model)
    engine.dispose()
    upgrade(target)
    store = open_store(target)
    own, everybodys = (store.ask(lambda ask, name=name: ask.model(f"amv-{name}")) for name in owners)  # type: ignore[misc]
    asyncio.run(store.close())
    assert own is not None
    assert everybodys is not None
    assert (own.is_trusted, own.withdrawn_at, own.approved_by) == (False, None, None)
    assert (everybodys.is_trusted, everybodys.approved_by, everybodys.approved_at) == (True, "user-1", 7)
    assert [one for one in check_store(target).findings if "model" in one] == []


def written(store: OpenStore, name: str, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The orders or postings of all accounts in the order of writing, with the columns of the first version."""
    accounts = [HistoryFilter(account_id=account) for account in FUNDS]
    found = [
        store.ask(lambda ask, wanted=wanted: getattr(ask, name)(wanted, after=None, limit=99))  # type: ignore[misc]
        for wanted in accounts
    ]
    rows = sorted((one for of_account in found for one in of_account), key=lambda one: one.seq)
    return [{key: getattr(one.row, key) for key in like[0]} for one in rows]


def everything(store: OpenStore) -> dict[str, Instance]:
    found = {unit_id: store.ask(lambda ask, unit_id=unit_id: ask.unit(unit_id)) for unit_id in UNITS}  # type: ignore[misc]
    return {unit_id: unit for unit_id, unit in found.items() if unit is not None}


async def test_an_upgraded_store_proves_its_books_and_its_agenda_is_what_the_instances_say(upgraded: Target) -> None:
    assert check_store(upgraded).findings == []
    store = open_store(upgraded)
    try:
        assert written(store, "orders", old_orders()) == old_orders()
        assert written(store, "postings", old_postings()) == old_postings()
        units = everything(store)
        assert set(units) == set(UNITS)
        due = store.ask(lambda ask: ask.due(Instant(NOW + 1000 * DAY_US), 1000))
        assert sorted(due) == sorted(one for unit in units.values() for one in agenda_of(unit))
        # Work that was due before is due still. New are the renewals, each at its next try.
        before = {Due(Instant(row["at"]), DueKind(row["kind"]), row["unit_id"]) for row in old_agenda()}
        assert set(due) - before == {
            Due(Instant(NOW + 3 * DAY_US), DueKind.RENEW, "unit-term"),
            Due(Instant(NOW + DAY_US), DueKind.RENEW, "unit-soon"),
            Due(Instant(NOW + DAY_US // 2), DueKind.RENEW, "unit-last"),
        }
        assert before <= set(due)
    finally:
        await store.close()


async def test_an_upgraded_store_has_meters_terms_and_placements(upgraded: Target) -> None:
    store = open_store(upgraded)
    try:
        units = everything(store)
        for row in OLD_UNITS:
            unit = units[row["id"]]
            kept = {name: value for name, value in row.items() if name != "replicas"}
            assert {name: getattr(unit, name) for name in kept} == kept
            prepaid = row["payment_timing"] == "Prepaid"
            started = row["started_at"]
            assert (unit.term_from, unit.term_anchor) == ((started, started) if prepaid else (None, None))
            assert (unit.meter_from, unit.metered_peak) == ((None, 0) if prepaid else (started, row["count"]))
        placed = {unit_id: unit.placements for unit_id, unit in units.items() if unit.placements}
        assert placed == {
            "unit-ends": (Placement("svco-1", 2, 2),),
            "unit-term": (Placement("svco-1", 1, 2),),
            "unit-stopped": (Placement("svco-2", 2, 2),),
            "unit-making": (Placement("svco-2", 3, 1),),
        }
        found = {
            service_id: ids(
                store.ask(
                    lambda ask, service_id=service_id: ask.units(  # type: ignore[misc]
                        UnitFilter(account_id="acc-1", service_id=service_id)
                    )
                )
            )
            for service_id in REPLICAS
        }
        assert found == {
            "svco-1": ["unit-ends", "unit-term", "unit-going"],
            "svco-2": ["unit-stopped", "unit-making"],
            "svco-3": [],
        }
        services = [store.ask(lambda ask, name=name: ask.service(name)) for name in REPLICAS]  # type: ignore[misc]
        assert [counted(service) for service in services] == [(3, 0, 1, 1), (0, 3, 1, 1), (0, 0, 0, 0)]
        assert [service.run_status for service in services if service] == ["Serving", "Deploying", "New"]
        accounts = {account.id: account for account in store.ask(lambda ask: ask.accounts())}
        assert accounts["acc-1"].arrears_since is None
        # It owed before, and has the whole grace from now on.
        assert accounts["acc-2"].balance < 0
        assert accounts["acc-2"].arrears_since == NOW
    finally:
        await store.close()


def counted(service: Service | None) -> tuple[int, int, int, int]:
    assert service is not None
    return service.replicas, service.deploying, service.prepaid_units, service.postpaid_units


async def live(store: OpenStore, until: int) -> None:
    """Do everything that falls due until then, as the service would."""
    while dues := store.ask(lambda ask: ask.due(Instant(until), 1)):
        work = DoDue(due=dues[0])
        transaction = await store.begin()
        book = Book()
        await transaction.load(work.needs(), book)
        await transaction.load(work.needs_more(book), book)
        assert decide(book, work, Rules(), work.due.at, InstantEngine()).answer is True
        await transaction.save(book.changes())
        await transaction.commit()
    await write(store, StoreMetadata(VIRTUAL_NOW, str(until)))


async def test_an_upgraded_store_lives_on_and_proves_its_books_later(upgraded: Target) -> None:
    later = NOW + 10 * DAY_US
    store = open_store(upgraded)
    try:
        await live(store, later)
        units = everything(store)
    finally:
        await store.close()
    assert {unit_id: unit.status for unit_id, unit in units.items()} == {
        "unit-run": "Running",
        "unit-new": "Running",
        "unit-ends": "Released",
        "unit-term": "Running",
        "unit-soon": "Running",
        "unit-last": "Running",
        "unit-plain": "Stopped",
        "unit-stopped": "Released",
        "unit-making": "Creating",
        "unit-going": "Releasing",
        "unit-gone": "Released",
        "unit-owing": "Released",
    }
    for unit_id in ("unit-run", "unit-new"):
        unit = units[unit_id]
        assert unit.started_at is not None
        assert unit.metered_minutes == (later - unit.started_at) // MINUTE_US
        assert unit.charged == unit.metered_minutes * unit.count * MINUTE_PRICE
    # It ends at its release time, to the minute that had begun.
    assert units["unit-ends"].metered_minutes == 60 + 120 + 1
    # Renewed: twice as much is paid, or four times.
    assert [units[f"unit-{name}"].charged // MONTH_PRICE for name in ("term", "soon", "last")] == [4, 4, 2]
    assert units["unit-plain"].end_reason is None
    # In debt for a day: stopped. Not paid for a week: gone.
    assert units["unit-owing"].end_reason == "Arrears"
    assert units["unit-owing"].ended_at == NOW + 8 * DAY_US
    assert check_store(upgraded).findings == []


def test_users_and_keys_of_an_upgraded_store_are_what_its_events_tell(target: Target) -> None:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    made = {"created_at": 7}
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0011")
        tables = MetaData()
        tables.reflect(connection)
        account = {"id": "acc-1", "name": "one", "time_zone": "UTC", "balance": 0, **made}
        connection.execute(tables.tables["accounts"].insert(), account)
        user = {"id": "user-1", "account_id": "acc-1", "name": "root", "is_root": True, "policies": "[]", **made}
        connection.execute(tables.tables["users"].insert(), user)
        key = {"id": "AK1", "user_id": "user-1", "account_id": "acc-1", "sealed": b"x", "status": "Active", **made}
        connection.execute(tables.tables["access_keys"].insert(), key)
    engine.dispose()
    upgrade(target)
    assert [finding for finding in check_store(target).findings if "events" in finding] == []
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET policies = '[\"LeasebookOperatorPolicy\"]'"))
    engine.dispose()
    (finding,) = [finding for finding in check_store(target).findings if "events" in finding]
    assert "user user-1 has policies" in finding
