"""Pages of an embedded store that are damaged at random: check finds whatever reads another than it did."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from leasebook.cli.stores import audit_keys
from leasebook.store.errors import BadStore
from leasebook.store.opening import Target
from leasebook.store.rows.schema import metadata
from leasebook.store.sqlite.store import FILE
from leasebook.store.verify.check import check_directory
from leasebook.store.verify.files import text_of
from leasebook.store.verify.unproved import UNPROVED
from tests.depth import ROUNDS, few
from tests.lived import live

PAGES: Final = few(5, 40)
"""Pages that are damaged in a round, one at a time, twice in each way at least; five rounds of a deep run are 200."""
PAGE: Final = 4096
SEED: Final = 17

Dump = dict[str, list[dict[str, Any]]]


def flipped(page: bytearray, dice: random.Random) -> None:
    """Turn one bit."""
    page[dice.randrange(PAGE)] ^= 1 << dice.randrange(8)


def changed(page: bytearray, dice: random.Random) -> None:
    """Write a few bytes over others."""
    at, length = dice.randrange(PAGE), dice.randrange(1, 64)
    page[at : at + length] = dice.randbytes(len(page[at : at + length]))


def zeroed(page: bytearray, dice: random.Random) -> None:
    """Lose a stretch, or the page."""
    at = dice.choice((0, dice.randrange(PAGE)))
    page[at:] = bytes(PAGE - at)


def swapped(page: bytearray, dice: random.Random) -> None:
    """Let two stretches change places."""
    one, other, length = dice.randrange(PAGE // 2), PAGE // 2 + dice.randrange(PAGE // 2), dice.randrange(1, 256)
    first, second = page[one : one + length], page[other : other + length]
    page[one : one + len(second)], page[other : other + len(first)] = second, first
    del page[PAGE:]


WAYS: Final[tuple[Callable[[bytearray, random.Random], None], ...]] = (flipped, changed, zeroed, swapped)


def dump(file: Path) -> Dump:
    """Read everything; raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = text_of
        found: Dump = {}
        for name in ("sqlite_master", "alembic_version", *metadata.tables):
            cursor = connection.execute(f"SELECT * FROM {name} NOT INDEXED")
            names = [column[0] for column in cursor.description]
            found[name] = [dict(zip(names, row, strict=True)) for row in cursor]
        return found


def differences(before: Dump, after: Dump) -> set[str]:
    """Return the columns that read otherwise; a table that has other rows is named as a whole."""
    found: set[str] = set()
    for name, rows in before.items():
        if len(rows) != len(after[name]):
            found.add(name)
            continue
        for one, other in zip(rows, after[name], strict=True):
            found.update(f"{name}.{column}" for column in one if one[column] != other.get(column))
    return found


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which everything happened once, all in one file."""
    where = Target(tmp_path_factory.mktemp("pages") / "data")
    live(where)
    with closing(sqlite3.connect(where.directory / FILE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    return where.directory


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_no_damaged_page_goes_unseen_and_none_ends_in_a_traceback(lived: Path, tmp_path: Path, turn: int) -> None:
    dice = random.Random(SEED + turn)  # noqa: S311 - the same dice every time
    keys = audit_keys(Target(lived))
    whole = (lived / FILE).read_bytes()
    before = dump(lived / FILE)
    assert check_directory(lived, keys).findings == []
    file = tmp_path / FILE
    unseen: list[str] = []
    for number in range(PAGES):
        at = dice.randrange(len(whole) // PAGE) * PAGE
        way = WAYS[number % len(WAYS)]
        page = bytearray(whole[at : at + PAGE])
        way(page, dice)
        assert len(page) == PAGE
        file.write_bytes(whole[:at] + page + whole[at + PAGE :])
        try:
            if check_directory(tmp_path, keys).findings:
                continue
        except BadStore:
            continue
        differs = differences(before, dump(file))
        if differs - UNPROVED.keys():
            unseen.append(f"page {at // PAGE + 1} {way.__name__}: {sorted(differs)}")
    assert unseen == []


def test_an_index_that_does_not_have_what_its_table_has_is_found(lived: Path, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes((lived / FILE).read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX order_rows_unit ON order_rows (amount, seq)' "
            "WHERE name = 'order_rows_unit'"
        )
    assert any("missing from index order_rows_unit" in finding for finding in check_directory(tmp_path).findings)
