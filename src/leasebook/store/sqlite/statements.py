"""The embedded store's statements for reading and writing rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, OFFERINGS
from leasebook.store.queries.read_repository import columns
from leasebook.store.rows import orders, postings
from leasebook.store.rows.codec import CODECS, EVENTS, Codec
from leasebook.store.rows.updates import Changed, columns_of, updates
from leasebook.store.tags import NUMBERED


def statements(changes: Changes) -> Iterator[tuple[str, Iterable[tuple[Any, ...]]]]:
    """Yield the statements that write the changes, each with the values for many rows."""
    yield from _inserted(changes)
    for table, rows in changes.updated.items():
        for changed, values in updates(CODECS[table], changes.before[table], rows).items():
            yield _update_text(CODECS[table], changed), values
    others: tuple[tuple[str, Callable[[Any], tuple[Any, ...]], Sequence[Any]], ...] = (
        (orders.INSERT, tuple, orders.values(changes.orders, changes.inserted.get(INSTANCES, ()))),
        (postings.INSERT, postings.values, changes.postings),
        (_PLACED_GONE, tuple, changes.placed_gone),
        (_PLACED_NEW, tuple, changes.placed_new),
    )
    for text, values_of, written in others:
        if written:
            yield text, map(values_of, written)
    for kind, gone in changes.tagged_gone().items():
        if kind in NUMBERED:
            yield _TAGGED_GONE[kind], gone
    for kind, new in changes.tagged_new().items():
        if kind in NUMBERED:
            yield _TAGGED_NEW[kind], new


def _inserted(changes: Changes) -> Iterator[tuple[str, Iterable[tuple[Any, ...]]]]:
    if accounts := changes.inserted.get(ACCOUNTS):
        # Before the rows that name an account by its number.
        yield _NUMBERED, [(row.id,) for row in accounts]
    for table, rows in changes.inserted.items():
        yield _INSERT[table.name], map(CODECS[table].values, rows)


def _load_text(codec: Codec[Any]) -> str:
    """Return the statement that reads the rows of many keys; its text never depends on their number."""
    names = ", ".join(f'"{name}"' for name in codec.key)
    values = ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(codec.key)))
    values = values if len(codec.key) > 1 else "value"
    return f"SELECT {columns(codec)} FROM {codec.name} WHERE ({names}) IN (SELECT {values} FROM json_each(?))"


def written_keys(keys: Sequence[tuple[Any, ...]]) -> str:
    """Return many keys as that statement's parameter."""
    return json.dumps([key for (key,) in keys] if len(keys[0]) == 1 else keys)


def _load_one_text(codec: Codec[Any]) -> str:
    where = " AND ".join(f'"{name}" = ?' for name in codec.key)
    return f"SELECT {columns(codec)} FROM {codec.name} WHERE {where}"


def insert_text(codec: Codec[Any]) -> str:
    """Return the statement that writes a new row; its parameters are ``codec.written``."""
    names, marks = [f'"{name}"' for name in codec.written], ["?" for _ in codec.written]
    if codec.name == INSTANCES.name:
        names.append("account")
        marks.append(postings.NUMBER_OF_ACCOUNT.replace("?", f"?{codec.written.index('account_id') + 1}"))
    return f"INSERT INTO {codec.name} ({', '.join(names)}) VALUES ({', '.join(marks)})"


@lru_cache(maxsize=1024)
def _update_text(codec: Codec[Any], changed: Changed) -> str:
    """Return the statement that sets the changed columns."""
    values = ", ".join(f'"{name}" = ?' for name in columns_of(codec, changed))
    where = " AND ".join(f'"{name}" = ?' for name in codec.key)
    return f"UPDATE {codec.name} SET {values} WHERE {where}"


LOAD = {table: _load_text(codec) for table, codec in CODECS.items()}
LOAD_ONE = {table: _load_one_text(codec) for table, codec in CODECS.items()}
_INSERT = {codec.name: insert_text(codec) for codec in CODECS.values()}
# A store whose accounts were lost may have a number without its account.
_NUMBERED = "INSERT INTO account_numbers (account_id) VALUES (?) ON CONFLICT (account_id) DO NOTHING"
SHELF = f"SELECT {columns(CODECS[OFFERINGS])} FROM offerings WHERE type = ?"
_PLACED_GONE = "DELETE FROM placements WHERE service_id = ? AND unit_id = ?"
LAST_PAGE = "SELECT max(seq) FROM event_pages"
EVENT_PAGE = f"INSERT INTO event_pages (seq, {columns(EVENTS)}) VALUES (?, {', '.join('?' for _ in EVENTS.columns)})"
EVENT_UNITS = "INSERT INTO event_units (unit_id, page) VALUES (?, ?)"
_PLACED_NEW = "INSERT INTO placements (service_id, unit_id) VALUES (?, ?)"
# The number of the thing's row is looked up where the row is, as only the store knows it.
_TAGGED_GONE = {
    kind: "DELETE FROM tagged WHERE account_id = ? AND kind = ? AND key = ? "
    f"AND seq = (SELECT seq FROM {table} WHERE id = ?)"
    for kind, table in NUMBERED.items()
}
_TAGGED_NEW = {
    kind: f"INSERT INTO tagged (account_id, kind, key, value, seq) SELECT ?, ?, ?, ?, seq FROM {table} WHERE id = ?"
    for kind, table in NUMBERED.items()
}
