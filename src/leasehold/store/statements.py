"""What a batch says to PostgreSQL. No statement works on a single row: each takes arrays, one a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, LiteralString, cast

from leasehold.domain.agenda import Due
from leasehold.domain.book import OFFERINGS, REMEMBERED, Changes, Table
from leasehold.store.arrays import Arrays
from leasehold.store.codec import CODECS, ORDERS, POSTINGS, Codec
from leasehold.store.queries import HALTED_TEXT, columns


def trusted(text: str) -> LiteralString:
    """Say that a statement is put together from our own names only."""
    return cast("LiteralString", text)  # type: ignore[redundant-cast,unused-ignore]


def _due_values(due: Due) -> tuple[int, int, str]:
    return due.at, int(due.kind), due.unit_id


def projected(changes: Changes) -> Iterator[tuple[LiteralString, list[str]]]:
    """Keep in step what is written down of the instances a second time, the other way round."""
    if changes.due_gone:
        yield _DUE_GONE, _DUE.write([*map(_due_values, changes.due_gone)])
    if changes.due_new:
        yield _DUE_NEW, _DUE.write([*map(_due_values, changes.due_new)])
    if changes.placed_gone:
        yield _PLACED_GONE, _PLACED.write(changes.placed_gone)
    if changes.placed_new:
        yield _PLACED_NEW, _PLACED.write(changes.placed_new)


def _names(codec_columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in codec_columns)


def load_statement(
    table: Table[Any], keys: list[tuple[str, ...]], shelves: list[str]
) -> tuple[LiteralString, list[str]]:
    """Lock and read the rows of a table with these keys, and the offerings on these shelves."""
    if table is OFFERINGS and shelves:
        return _LOAD_OFFERINGS, [*written_keys(table, keys), *_SHELVES.write([(name,) for name in shelves])]
    return LOAD[table], written_keys(table, keys)


def written_keys(table: Table[Any], keys: list[tuple[str, ...]]) -> list[str]:
    """Write keys as arrays, one a column."""
    return _KEYED[table].write(keys) if keys else ["{}"] * len(table.key)


def _load_text(codec: Codec[Any], more: str = "") -> LiteralString:
    keys = Arrays(codec.name, codec.key)
    return trusted(
        f"SELECT {columns(codec)} FROM {codec.name} WHERE ({_names(codec.key)}) IN "
        f"(SELECT * FROM {keys.unnest}){more} ORDER BY {_names(codec.key)} FOR UPDATE"
    )


def _insert_text(codec: Codec[Any]) -> LiteralString:
    return trusted(f"INSERT INTO {codec.name} ({columns(codec)}) SELECT * FROM {INSERTED[codec.name].unnest}")


def _update_text(codec: Codec[Any]) -> LiteralString:
    values = ", ".join(f'"{name}" = new."{name}"' for name in codec.mutable)
    where = " AND ".join(f'old."{name}" = new."{name}"' for name in codec.key)
    arrays = Arrays(codec.name, (*codec.mutable, *codec.key))
    return trusted(
        f"UPDATE {codec.name} AS old SET {values} FROM {arrays.unnest} AS new({_names(arrays.columns)}) WHERE {where}"
    )


_ALL: Final[tuple[Codec[Any], ...]] = (*CODECS.values(), ORDERS, POSTINGS)
_KEYED: Final = {table: Arrays(codec.name, codec.key) for table, codec in CODECS.items()}
INSERTED: Final = {codec.name: Arrays(codec.name, codec.columns) for codec in _ALL}
UPDATED: Final = {table: Arrays(codec.name, (*codec.mutable, *codec.key)) for table, codec in CODECS.items()}
_SHELVES: Final = Arrays("offerings", ("type",))
_PLACED: Final = Arrays("placements", ("service_id", "unit_id"))
_DUE: Final = Arrays("agenda", ("at", "kind", "unit_id"))

LOAD: Final = {table: _load_text(codec) for table, codec in CODECS.items()}
# While a batch waited for its rows, another server may have answered the same client token. It is only looked for: who
# would write it too waits for the other at the latest then.
TOKENS_AGAIN: Final = trusted(LOAD[REMEMBERED].removesuffix(" FOR UPDATE"))
_LOAD_OFFERINGS: Final = _load_text(CODECS[OFFERINGS], ' OR "type" = ANY(%s::text[])')
INSERT: Final = {codec.name: _insert_text(codec) for codec in _ALL}
UPDATE: Final = {table: _update_text(codec) for table, codec in CODECS.items()}
_DUE_GONE: Final = trusted(
    f"DELETE FROM agenda AS old USING {_DUE.unnest} AS gone(at, kind, unit_id) "
    "WHERE old.at = gone.at AND old.kind = gone.kind AND old.unit_id = gone.unit_id"
)
_DUE_NEW: Final = trusted(f"INSERT INTO agenda (at, kind, unit_id) SELECT * FROM {_DUE.unnest}")
_PLACED_GONE: Final = trusted(
    f"DELETE FROM placements AS old USING {_PLACED.unnest} AS gone(service_id, unit_id) "
    "WHERE old.service_id = gone.service_id AND old.unit_id = gone.unit_id"
)
_PLACED_NEW: Final = trusted(f"INSERT INTO placements (service_id, unit_id) SELECT * FROM {_PLACED.unnest}")
HALTED: Final = HALTED_TEXT.replace("?", "%s") + " FOR UPDATE"
CLAIM: Final = (
    "SELECT a.at, a.kind, a.unit_id FROM agenda a JOIN units u ON u.id = a.unit_id "
    "WHERE a.at <= %s ORDER BY a.at, a.kind, a.unit_id LIMIT %s FOR UPDATE OF u"
)
PRUNE: Final = (
    "DELETE FROM tokens WHERE ctid IN (SELECT ctid FROM tokens WHERE created_at < %s "
    "ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING 1"
)
