"""The registry of tables: every table is in the one lock order, once, and an account's row comes before its limits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leasebook.domain.book import tables
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, METADATA, SUBSCRIPTIONS, TABLES, Table
from leasebook.domain.model.metadata import StoreMetadata


def test_every_table_has_one_place_in_the_lock_order() -> None:
    declared = [value for value in vars(tables).values() if isinstance(value, Table)]
    assert sorted(map(repr, TABLES)) == sorted(map(repr, declared))
    assert len({table.name for table in TABLES}) == len({table.row for table in TABLES}) == len(TABLES)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (METADATA, [table for table in TABLES if table is not METADATA]),
        (ACCOUNTS, [ACCOUNT_LIMITS]),
        (SUBSCRIPTIONS, [tables.DELIVERY_QUEUES, tables.DELIVERIES]),
    ],
    ids=["metadata", "account", "subscription"],
)
def test_a_row_that_others_depend_on_is_locked_before_them(first: Table[Any], later: list[Table[Any]]) -> None:
    assert all(TABLES.index(first) < TABLES.index(table) for table in later)


@pytest.mark.parametrize("table", TABLES, ids=repr)
def test_the_fields_of_a_key_are_fields_of_the_row(table: Table[Any]) -> None:
    assert set(table.key) <= {field.name for field in msgspec.structs.fields(table.row)}


def test_a_key_is_a_tuple_of_its_fields() -> None:
    class Place(msgspec.Struct, frozen=True):
        region: str
        type: str
        stock: int

    assert METADATA.key_of(StoreMetadata("clock", "real")) == ("clock",)
    assert Table("places", Place, "region", "type").key_of(Place("bj", "gpu-1", 3)) == ("bj", "gpu-1")
