"""Names, tags and tag policies go with a store into copies and backups, and check finds those that are lost."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from leasebook.domain.values.calendar import parse_time
from leasebook.domain.values.resource_tags import written_entries
from leasebook.security.private_files import create_private
from leasebook.store import migrate
from leasebook.store.maintenance.archive import archive
from leasebook.store.maintenance.backup import back_up
from leasebook.store.maintenance.copy import copy
from leasebook.store.opening import Target, open_store, upgrade
from leasebook.store.postgres import store as postgres
from leasebook.store.sqlite.store import FILE
from leasebook.store.tag_lists import numbers_in
from leasebook.store.verify.approvals import Requests
from leasebook.store.verify.check import check_store
from leasebook.store.verify.nouns.events import check_events
from leasebook.store.verify.nouns.identities import Identities
from tests.api.scene import ACCOUNT, NOTIFICATION, UNITS, Caller, a_scene, order
from tests.copies import empty

TAG: Final = "/v2/tag"
TABLES: Final = (
    "SELECT id, account_id, kind, name, tags, entries FROM tags ORDER BY id",
    "SELECT account_id, kind, key, value, part, first, numbers FROM tag_lists ORDER BY kind, key, value, part, first",
    "SELECT id, tag_policy FROM accounts WHERE tag_policy IS NOT NULL",
)
POLICY: Final = {"required": ["team"], "allowed": {"team": ["speech", "vision"]}}
REVISION: Final = "0033"


def engine_of(where: Target) -> Engine:
    """Open a store from outside."""
    url = f"sqlite:///{where.directory / FILE}" if where.url is None else postgres.sqlalchemy_url(where.url)
    return create_engine(url, poolclass=NullPool)


def words(where: Target) -> list[list[tuple[Any, ...]]]:
    """Return all names and tags, their index, and all policies."""
    engine = engine_of(where)
    with engine.connect() as connection:
        found = [[tuple(row) for row in connection.execute(text(one))] for one in TABLES]
    engine.dispose()
    return found


def _fetch(connection: Connection, sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    return [tuple(row) for row in connection.exec_driver_sql(sql.replace("?", mark), tuple(given))]


def lost(where: Target, *damage: str) -> list[str]:
    """Damage a store, and return what a check of its events says; then take the damage back."""
    engine = engine_of(where)
    with engine.connect() as connection:
        for one in damage:
            connection.execute(text(one))
        found = [*check_events(partial(_fetch, connection), Identities(), Requests())]
        connection.rollback()
    engine.dispose()
    return found


def test_names_tags_and_policies_go_with_a_store_and_check_finds_those_that_are_lost(
    migrated: Target, tmp_path: Path
) -> None:
    with a_scene(migrated) as scene:
        scene.advance("2030-01-31T18:00:00+08:00")
        scene.sell(stock=10)
        caller = scene.customer()
        body = {**order(), "name": "training", "tags": {"team": "vision", "stage": "live"}}
        unit = caller.do(UNITS, "PurchaseComputeUnit", body)["instanceId"]
        hook = {"kind": "Webhook", "url": "https://receiver.invalid/", "tags": {"team": "speech"}}
        hook_id = caller.do(NOTIFICATION, "CreateSubscription", hook)["subscriptionId"]
        caller.do(TAG, "UntagResource", {"resourceId": unit, "tagKeys": ["stage"]})
        caller.do(ACCOUNT, "SetTagPolicy", {"policy": POLICY})
        scene.advance("2030-02-01T04:00:00+08:00")
        # A server that stops adds what it can in two seconds, and an archive needs all.
        scene.sum_all_costs()
        key = caller.desk.access_key, caller.desk.secret_key
    before = words(migrated)
    assert [len(rows) for rows in before] == [2, 2, 1]
    assert archive(migrated, parse_time("2030-02-01T00:00:00+08:00", "UTC"), tmp_path / "charges.jsonl.gz").hourly
    assert words(migrated) == before
    _finds_what_is_lost(migrated, unit, hook_id)
    other = "postgres" if migrated.url is None else "sqlite"
    with empty(other, tmp_path / "goal") as goal:
        copy(migrated, goal)
        assert words(goal) == before
        goal.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(migrated.directory / "master.key", goal.directory / "master.key")
        with a_scene(goal) as again:
            _goes_on(Caller(again.runner, again.desk.as_user(*key)), unit)
        assert check_store(goal).findings == []
    if migrated.url is None:
        restored = Target(tmp_path / "restored")
        restored.directory.mkdir(mode=0o700)
        back_up(migrated.directory, restored.directory / FILE)
        assert words(restored) == before
        assert check_store(restored).findings == []


def _goes_on(caller: Caller, unit: str) -> None:
    """Find the instance by its tag, and be refused by the policy, in the copy."""
    wanted = {"tags": {"team": "vision"}, "name": "training", "maxKeys": 5}
    (found,) = caller.do(UNITS, "DescribeComputeUnits", wanted)["computeUnitInstanceList"]
    assert (found["instanceId"], found["tags"]) == (unit, {"team": "vision"})
    assert caller.do(ACCOUNT, "DescribeTagPolicy")["policy"] == POLICY
    assert caller.refused(UNITS, "PurchaseComputeUnit", order()) == "TagPolicyNotMet"
    tagged = caller.do(UNITS, "PurchaseComputeUnit", {**order(), "tags": {"team": "speech"}})["instanceId"]
    caller.do(TAG, "TagResource", {"resourceId": tagged, "tags": {"stage": "test"}})


def _finds_what_is_lost(where: Target, unit: str, hook: str) -> None:
    assert lost(where) == []
    has = "'training' {'team': 'vision'}"
    # A row that is gone together with its entries in the index, or that has other words.
    assert lost(where, f"DELETE FROM tags WHERE id = '{unit}'", "DELETE FROM tag_lists") == [
        f"the name and tags of {unit} are none, and its events say {has}"
    ]
    assert lost(where, f"DELETE FROM tags WHERE id = '{hook}'") == [
        f"the name and tags of {hook} are none, and its events say None {{'team': 'speech'}}"
    ]
    assert lost(where, f"UPDATE tags SET name = NULL WHERE id = '{unit}'") == [
        f"the name and tags of {unit} are None {{'team': 'vision'}}, and its events say {has}"
    ]
    other = '{"team": "speech"}'.replace(":", "\\:")
    found = lost(where, f"UPDATE tags SET tags = '{other}' WHERE id = '{unit}'")
    assert found == [f"the name and tags of {unit} are 'training' {{'team': 'speech'}}, and its events say {has}"]
    new = "INSERT INTO tags (id, account_id, kind, name, tags) VALUES ('unit-9', 'acc-9', 'unit', 'x', '{}')"
    assert lost(where, new) == ["the name and tags of unit-9 are 'x' {}, and its events say none"]


async def test_an_account_from_before_tag_policies_has_none_and_keeps_its_tags_and_finds_by_them(
    target: Target,
) -> None:
    target.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_private(target.directory / FILE)
    engine = engine_of(target)
    with engine.begin() as connection:
        config = migrate._config(connection)
        earlier = ScriptDirectory.from_config(config).get_revision(REVISION).down_revision
        assert isinstance(earlier, str)
        command.upgrade(config, earlier)
        tables = MetaData()
        tables.reflect(connection)
        account = {"id": "acc-1", "name": "one", "time_zone": "UTC", "balance": 0, "created_at": 1}
        connection.execute(tables.tables["accounts"].insert(), [account])
        for number, (name, written) in enumerate(
            (("old", '{"a\\"b":"视觉","team":"vision"}'), (None, '{"team":""}')), 1
        ):
            tags = {"id": f"unit-{number}", "account_id": "acc-1", "kind": "unit", "name": name, "tags": written}
            connection.execute(tables.tables["tags"].insert(), [tags])
        entry = {"account_id": "acc-1", "kind": "unit", "key": "team", "value": "vision"}
        numbers = [{**entry, "seq": seq} for seq in (5, 1500, 7)]
        connection.execute(tables.tables["tagged"].insert(), [*numbers, {**entry, "kind": "svco", "seq": 5}])
    engine.dispose()
    upgrade(target)
    store = open_store(target)
    try:
        row = store.ask(lambda ask: ask.account("acc-1"))
        assert row is not None
        assert row.tag_policy is None
        known = store.ask(lambda ask: ask.tags_of(["unit-1", "unit-2"]))
        assert known["unit-1"].tags == {'a"b': "视觉", "team": "vision"}
        # The entries for each thing and tag are on the lists now, and in a text of each thing.
        rows, lists, _ = words(target)
        assert [row[-1] for row in rows] == [written_entries(known[row[0]]) for row in rows]
        assert [(*row[:6], sorted(numbers_in(row[6]))) for row in lists] == [
            ("acc-1", "unit", "team", "vision", 0, 5, [5, 7]),
            ("acc-1", "unit", "team", "vision", 1, 1500, [1500]),
        ]
    finally:
        await store.close()
