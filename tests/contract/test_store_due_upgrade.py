"""A store with a table of all due work is upgraded: every instance gets the first of its own."""

from __future__ import annotations

from typing import Any, Final

import pytest
from alembic import command
from sqlalchemy import MetaData, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from leasebook.domain.record.agenda import Due, DueKind
from leasebook.domain.values.calendar import Instant
from leasebook.security.private_files import create_private
from leasebook.store import migrate
from leasebook.store.opening import Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.nouns.due_work import due_findings
from tests.simulation.test_histories import fetched

BEFORE: Final = "0020"
TIMES: Final = {
    DueKind.RENEW: "renew_at",
    DueKind.RELEASE: "release_at",
    DueKind.EXPIRE: "expires_at",
    DueKind.RETIRE: "retire_at",
    DueKind.CHARGE: "charge_at",
    DueKind.STOP: "stop_at",
    DueKind.RESUME: "resume_at",
    DueKind.REMIND: "remind_at",
}
BOUGHT: Final[dict[str, Any]] = {
    "account_id": "acc-1",
    "created_by": "user-1",
    "order_id": "order-1",
    "region": "bj",
    "type": "gpu-1",
    "count": 1,
    "payment_timing": "Postpaid",
    "created_at": 1,
    "term_months": 0,
    "auto_renew": False,
    "auto_renew_months": 1,
    "metered_minutes": 0,
    "charged": 0,
}
STOPPED: Final = (DueKind.RENEW, DueKind.RELEASE, DueKind.RETIRE, DueKind.RESUME, DueKind.REMIND)
RUNNING: Final = (DueKind.RENEW, DueKind.RELEASE, DueKind.EXPIRE, DueKind.CHARGE, DueKind.STOP, DueKind.REMIND)


def wanted() -> dict[str, tuple[str, dict[DueKind, int]]]:
    """Instances by id, with the status and the due work of each: every kind alone, first, and in a tie."""
    found: dict[str, tuple[str, dict[DueKind, int]]] = {
        "unit-none": ("Running", {}),
        "unit-gone": ("Released", {}),
        "unit-tie-running": ("Running", dict.fromkeys(RUNNING, 70)),
        "unit-tie-stopped": ("Stopped", dict.fromkeys(STOPPED, 70)),
    }
    for status, kinds in (("Running", RUNNING), ("Stopped", STOPPED)):
        for kind in kinds:
            name = f"unit-{kind.name.lower()}-{status.lower()}"
            found[f"{name}-alone"] = (status, {kind: 50 + kind})
            found[f"{name}-first"] = (status, {other: 20 if other is kind else 30 + other for other in kinds})
    return found


@pytest.fixture
def old(target: Target) -> Target:
    """A store of the last schema with a table of all due work."""
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
        tables = MetaData()
        tables.reflect(connection)
        for name, (status, work) in wanted().items():
            row = {**BOUGHT, "id": name, "status": status} | {TIMES[kind]: at for kind, at in work.items()}
            connection.execute(tables.tables["units"].insert(), row)
            for kind, at in work.items():
                connection.execute(tables.tables["agenda"].insert(), {"at": at, "kind": int(kind), "unit_id": name})
    engine.dispose()
    return target


async def test_after_the_upgrade_each_instance_has_the_first_of_its_due_work_and_all_of_it_is_found(
    old: Target,
) -> None:
    upgrade(old)
    store = open_store(old)
    try:
        rows = fetched(store, lambda fetch: fetch("SELECT id, due_at, due_kind FROM units", ()))
        first = {
            name: min(((at, int(kind)) for kind, at in work.items()), default=(None, None))
            for name, (_, work) in wanted().items()
        }
        assert {name: (at, kind) for name, at, kind in rows} == first
        assert fetched(store, lambda fetch: [*due_findings(fetch, 99)]) == []
        due = store.ask(lambda ask: ask.due(Instant(2**62), 999))
        assert sorted(due) == sorted(
            Due(Instant(at), kind, name) for name, (_, work) in wanted().items() for kind, at in work.items()
        )
    finally:
        await store.close()
    url = f"sqlite:///{old.directory / FILE}" if old.url is None else postgres.sqlalchemy_url(old.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        assert "agenda" not in inspect(connection).get_table_names()
        # The order in which due work is read is that of the index, so no tie is ever sorted.
        assert "units_due" in {index["name"] for index in inspect(connection).get_indexes("units")}
        assert connection.execute(text("SELECT count(*) FROM units")).scalar() == len(wanted())
    engine.dispose()
