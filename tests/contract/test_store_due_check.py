"""``check`` names instances whose row does not have the first of their due work."""

from __future__ import annotations

from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from leasebook.domain.values.calendar import Instant
from leasebook.store.opening import Target, open_store
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.nouns.due_work import COUNT_TEXT, due_findings
from tests.contract.batches import write
from tests.contract.rows import unit
from tests.simulation.test_histories import fetched

MISSING: Final = {
    "release": "due work release of unit unit-1 at 1970-01-01T00:00:00.000010+00:00 is missing",
    "charge": "due work charge of unit unit-1 at 1970-01-01T00:00:00.000010+00:00 is missing",
    "remind": "due work remind of unit unit-1 at 1970-01-01T00:00:00.000005+00:00 is missing",
}
IDLE: Final = "due work {} of unit unit-1 at {} belongs to nothing"
FIVE: Final = "1970-01-01T00:00:00.000005+00:00"
WRONG: Final[dict[str, set[str]]] = {
    "due_at = NULL, due_kind = NULL": {*MISSING.values()},
    "due_at = NULL, due_kind = 7": {*MISSING.values(), IDLE.format("remind", "no time")},
    "due_at = 5, due_kind = NULL": {*MISSING.values(), IDLE.format("of kind None", FIVE)},
    # The charge is due at the same moment as the release, and after it.
    "due_at = 10, due_kind = 4": {MISSING["release"], MISSING["remind"]},
    "due_at = 10, due_kind = 1": {MISSING["remind"]},
    "due_at = 4, due_kind = 7": {IDLE.format("remind", FIVE.replace("5+", "4+"))},
    # The end of a term, which this instance does not have, and a kind of work that does not exist.
    "due_at = 5, due_kind = 2": {IDLE.format("expire", FIVE)},
    "due_at = 5, due_kind = 9": {MISSING["remind"], IDLE.format("of kind 9", FIVE)},
    "due_at = 5, due_kind = 7": set(),
}


async def test_a_row_with_other_work_than_the_first_is_named_with_that_work(migrated: Target) -> None:
    url = f"sqlite:///{migrated.directory / FILE}" if migrated.url is None else postgres.sqlalchemy_url(migrated.url)
    engine = create_engine(url, poolclass=NullPool)
    store = open_store(migrated)
    try:
        times = {"release_at": Instant(10), "charge_at": Instant(10), "remind_at": Instant(5)}
        await write(store, unit("unit-1", **times), unit("unit-2", charge_at=Instant(7)))
        await write(store, unit("unit-3", status="Released", release_at=Instant(1)))
        assert fetched(store, lambda fetch: fetch(COUNT_TEXT, ())) == [(4,)]
        for change, expected in WRONG.items():
            with engine.begin() as connection:
                connection.execute(text(f"UPDATE units SET {change} WHERE id = 'unit-1'"))
            assert {*fetched(store, lambda fetch: [*due_findings(fetch, 99)])} == expected, change
    finally:
        engine.dispose()
        await store.close()
