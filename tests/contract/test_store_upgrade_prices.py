"""A purchase by quote from before prices were counted has the quote's price after the upgrade, and none later."""

from __future__ import annotations

from alembic import command
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from leasebook.domain.values.calendar import DAY_US
from leasebook.security.private_files import create_private
from leasebook.store import migrate
from leasebook.store.opening import Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_store
from tests.contract.test_store_upgrade import MINUTE_PRICE, NOW, everything, old_rows


async def test_what_was_bought_with_a_quote_keeps_its_price_after_the_upgrade(target: Target) -> None:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    quote = {
        "account_id": "acc-1",
        "region": "bj",
        "type": "gpu-1",
        "count": 1,
        "payment_timing": "Postpaid",
        "months": 0,
        "price": 500_000,
        "created_at": NOW,
        "expires_at": NOW + DAY_US,
    }
    rows = old_rows()
    # A price that was set at the moment of the quote, one at that of the purchase, and one later.
    rows["prices"][0]["changes"] = f"[[1,500000],[{NOW},600000],[{NOW + 5},700000],[{NOW + 9},{MINUTE_PRICE}]]"
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0001")
        tables = MetaData()
        tables.reflect(connection)
        for name, some in rows.items():
            connection.execute(tables.tables[name].insert(), some)
        command.upgrade(migrate._config(connection), "0015")
        tables = MetaData()
        tables.reflect(connection)
        connection.execute(tables.tables["quotes"].insert(), {**quote, "id": "quote-1", "used_by": "unit-run"})
        units = tables.tables["units"]
        bought = {"quoted_at": NOW, "created_at": NOW + 5}
        connection.execute(units.update().where(units.c.id == "unit-run").values(bought))
    engine.dispose()
    upgrade(target)
    assert [line for line in check_store(target).findings if "quote" in line or "price" in line] == []
    store = open_store(target)
    try:
        unit, plain = (everything(store)[name] for name in ("unit-run", "unit-new"))
        (offering,) = store.ask(lambda ask: ask.offerings())
        assert offering.price_number == 4
        assert (unit.quoted_price, unit.quoted_count, unit.quoted_number) == (500_000, 3, 3)
        assert (plain.quoted_price, plain.price_number) == (None, None)
    finally:
        await store.close()
