"""Model sets from before their changes were counted say after the upgrade when they were last changed."""

from __future__ import annotations

from typing import Any

from alembic import command
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import NullPool

from leasebook.ports.queries.read_repository import ModelSetFilter
from leasebook.security.private_files import create_private
from leasebook.store import migrate
from leasebook.store.opening import Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_store
from tests.contract.test_store_upgrade import NOW

OWNED = {"account_id": "acc-1", "created_by": "user-1", "description": ""}


def a_set(set_id: str, made: int, models: int, **more: Any) -> dict[str, Any]:
    return {**OWNED, "id": set_id, "name": set_id, "created_at": NOW, "made": made, "models": models, **more}


def a_version(model_id: str, set_id: str, created_at: int, deleted_at: int | None = None) -> dict[str, Any]:
    facts = {"id": model_id, "set_id": set_id, "version": "V1", "run": '{"command":["serve"]}', "services": 0}
    return {**OWNED, **facts, "created_at": created_at, "deleted_at": deleted_at}


async def test_a_set_was_last_changed_when_a_version_was_added_or_deleted(target: Target) -> None:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    url = f"sqlite:///{target.directory / FILE}" if target.url is None else postgres.sqlalchemy_url(target.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0018")
        tables = MetaData()
        tables.reflect(connection)
        sets = [a_set("am-0", 0, 0), a_set("am-1", 2, 2), a_set("am-2", 2, 1), a_set("am-3", 1, 1)]
        connection.execute(tables.tables["model_sets"].insert(), sets)
        versions = [
            a_version("amv-1", "am-1", NOW + 5),
            a_version("amv-2", "am-1", NOW + 3),
            a_version("amv-3", "am-2", NOW + 1, NOW + 9),
            a_version("amv-4", "am-2", NOW + 2),
            # The machine's clock was set back in between.
            a_version("amv-5", "am-3", NOW - 7),
        ]
        connection.execute(tables.tables["models"].insert(), versions)
    engine.dispose()
    upgrade(target)
    assert [line for line in check_store(target).findings if "last changed" in line] == []
    store = open_store(target)
    try:
        wanted = ModelSetFilter(account_id="acc-1")
        found = [one.row for one in store.ask(lambda ask: ask.model_sets(wanted, after=None, limit=9, reverse=False))]
        assert [row.modified_at for row in found] == [None, NOW + 5, NOW + 9, NOW]
        assert [row.last_modified_at for row in found] == [NOW, NOW + 5, NOW + 9, NOW]
        assert [(row.model_type, row.labels) for row in found] == [(None, ())] * 4
        versions_kept = store.ask(lambda ask: ask.models("am-1"))
        assert [(row.source_type, row.source_meta, row.is_runnable) for row in versions_kept] == [
            (None, None, True)
        ] * 2
    finally:
        await store.close()
