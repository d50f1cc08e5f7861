"""Checks of single rows: each can be read, has values that its columns take, and was written by a server.

A row that no other record covers is verified by its digest, which the batch that wrote it put into the audit log
(``domain/record/row_digest.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, SmallInteger, Table

from leasebook.domain.record.row_digest import NOTED, ORDERS, POSTINGS, Noted, is_noted
from leasebook.domain.values.calendar import DAY_US
from leasebook.ports.progress import Progress, unseen
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.rows.codec import AUDIT_CHAINS, AUDIT_CLOSURES, CODECS, Codec
from leasebook.store.rows.codec import ORDERS as ORDERS_CODEC
from leasebook.store.rows.codec import POSTINGS as POSTINGS_CODEC
from leasebook.store.rows.schema import SHOWN_BY, metadata
from leasebook.store.verify.digests import RowDigests
from leasebook.store.verify.nouns.audit_log import Audited

ROWS_AT_ONCE: Final = 2_000
FOUND_MAX: Final = 100
"""Upper bound of the findings of one table."""
SHOWN_MAX: Final = 60
"""Characters of a value that are shown."""
LATEST_US: Final = 253_402_300_800_000_000
"""The year 10000, in microseconds since 1970 UTC. No time in the store is beyond it."""
TIMES: Final = frozenset({"at", "since", "until", "hour", "minute", "beat"})
_BOTH: Final = frozenset({("event_pages", "events"), ("audit_pages", "body")})
"""Columns that earlier versions wrote as text; the checks that parse them verify them."""
_UNIONS: Final = (Union, UnionType)

_BY_NAME: Final[dict[str, Codec[Any]]] = {
    **{codec.name: codec for codec in CODECS.values()},
    **{codec.name: codec for codec in (ORDERS_CODEC, POSTINGS_CODEC, AUDIT_CHAINS, AUDIT_CLOSURES)},
}
_NOTED: Final[dict[str, Noted]] = {
    **{table.name: noted for table, noted in NOTED.items()},
    "orders": ORDERS,
    "postings": POSTINGS,
}
_MADE: Final[dict[str, Callable[[Any], int]]] = {
    "tokens": lambda row: row.created_at,
    "nonces": lambda row: row.hour,
    "nonce_pages": lambda row: row.until,
    "units": lambda row: row.created_at,
    "services": lambda row: row.created_at,
    "model_sets": lambda row: row.created_at,
    "models": lambda row: row.created_at,
    "quotes": lambda row: row.created_at,
    "approvals": lambda row: row.asked_at,
    "calls": lambda row: row.hour,
    "packages": lambda row: row.started_at,
    "prices": lambda row: max((change.since for change in row.changes), default=0),
    "accounts": lambda row: row.created_at,
    "hooks": lambda row: row.created_at,
    "projects": lambda row: row.created_at,
    "used_links": lambda row: row.used_at,
    "refused_calls": lambda row: row.first_at,
    "spent_sign_ins": lambda row: row.spent_at,
    "device_logins": lambda row: row.asked_at,
    "tag_history": lambda row: row.until,
    "orders": lambda row: row.created_at,
    "postings": lambda row: row.at,
}
"""When a row was created; for other tables that is unknown."""
CALLED: Final = {
    "tokens": "client token",
    "nonces": "nonce",
    "nonce_pages": "page of nonces",
    "units": "unit",
    "services": "service",
    "model_sets": "model set",
    "models": "model",
    "quotes": "quote",
    "approvals": "request for an approval",
    "calls": "count of calls",
    "packages": "package",
    "offerings": "offering",
    "prices": "price list",
    "accounts": "account",
    "guards": "limits of account",
    "hooks": "subscription",
    "used_links": "used link",
    "refused_calls": "refused calls",
    "spent_sign_ins": "spent link or session",
    "device_logins": "login of a device",
    "passwords": "password of",
    "tags": "tags of",
    "tag_history": "former tags of",
    "projects": "project",
    "supplies": "what is known of engine",
    "orders": "order",
    "postings": "posting",
}


class _Kind(NamedTuple):
    """A table, and the type of each of its columns. ``many`` is the type of a list of rows."""

    table: Table
    key: tuple[int, ...]
    columns: tuple[Any, ...]
    many: Any
    codec: Codec[Any] | None
    places: tuple[int, ...]


def _literal(hint: Any) -> Any:
    """Return the words that a field may be; None: it may be any."""
    if get_origin(hint) is Literal:
        return hint
    parts = [part for part in get_args(hint) if part is not type(None)] if get_origin(hint) in _UNIONS else []
    return _literal(parts[0]) if len(parts) == 1 else None


def _is_time(name: str) -> bool:
    return name in TIMES - {"beat"} or name.endswith(("_at", "_until", "_from")) or name == "term_anchor"


def _taken(column: Column[Any], words: Any) -> Any:
    """Return the type of a column's values."""
    kind: Any = str
    if words is not None:
        kind = words
    elif isinstance(column.type, Boolean):
        kind = Literal[0, 1] | bool
    elif isinstance(column.type, Integer | BigInteger | SmallInteger):
        kind = Annotated[int, msgspec.Meta(ge=0, lt=LATEST_US)] if _is_time(column.name) else int
    elif isinstance(column.type, Float):
        kind = float
    elif isinstance(column.type, LargeBinary):
        kind = Any if (column.table.name, column.name) in _BOTH else bytes
    return kind | None if column.nullable else kind


@cache
def _kind(table: Table) -> _Kind:
    codec = _BY_NAME.get(table.name)
    hints = get_type_hints(codec.row) if codec is not None else {}
    columns = tuple(_taken(column, _literal(hints.get(column.name))) for column in table.columns)
    names = [column.name for column in table.columns]
    key = tuple(names.index(column.name) for column in table.primary_key.columns)
    places = tuple(names.index(name) for name in codec.columns) if codec is not None else ()
    return _Kind(table, key, columns, list[tuple[columns]], codec, places)  # type: ignore[valid-type]


def kinds() -> dict[str, _Kind]:
    """Return the types of each table."""
    # Rows that a view shows are read there: each column of their table is in it.
    tables = [SHOWN_BY.get(table.name, table) for table in metadata.sorted_tables]
    return {table.name: _kind(table) for table in tables}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def _name(kind: _Kind, row: Sequence[Any]) -> str:
    columns = list(kind.table.columns)
    return f"{kind.table.name} " + ", ".join(f"{columns[place].name}={_shown(row[place])}" for place in kind.key)


def pages(fetch: Fetch, kind: _Kind) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table in the order of its key, some thousand at a time."""
    columns = list(kind.table.columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    key = ", ".join(f'"{columns[place].name}"' for place in kind.key)
    marks = ", ".join("?" for _ in kind.key)
    text = f"SELECT {names} FROM {kind.table.name}"
    rows = fetch(f"{text} ORDER BY {key} LIMIT ?", (ROWS_AT_ONCE,))
    while rows:
        yield rows
        last = tuple(rows[-1][place] for place in kind.key)
        if len(rows) < ROWS_AT_ONCE:
            return
        rows = fetch(f"{text} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?", (*last, ROWS_AT_ONCE))


class Rows:
    """Reads every row once, reports unreadable ones, and collects the digests that the audit log must have."""

    def __init__(self, digests: RowDigests, progress: Progress = unseen) -> None:
        self.digests: Final = digests
        self._progress = progress
        self._read = 0
        self._total: int | None = None

    def count(self, fetch: Fetch) -> Iterator[str]:
        """Count the rows of all tables, which are then the total of the progress; yields no finding."""
        self._total = sum(fetch(f"SELECT count(*) FROM {name}", ())[0][0] for name in kinds())
        yield from ()

    def findings(self, fetch: Fetch, kind: _Kind) -> Iterator[str]:
        """Check a table."""
        for count, finding in enumerate(self._findings(fetch, kind)):
            if count == FOUND_MAX:
                yield f"{kind.table.name}: more rows than {FOUND_MAX} cannot be read"
                return
            yield finding

    def _findings(self, fetch: Fetch, kind: _Kind) -> Iterator[str]:
        for rows in pages(fetch, kind):
            if not _fits(rows, kind.many):
                for row in rows:
                    yield from _misfits(kind, row)
            for row in rows:
                try:
                    found = _read(kind, row)
                except Exception as error:  # noqa: BLE001 - of damaged values anything may come
                    yield f"{_name(kind, row)} cannot be read: {' '.join(str(error).split())[:200]}"
                else:
                    self._want(kind, found)
            self._read += len(rows)
            self._progress("rows", self._read, self._total)

    def _want(self, kind: _Kind, row: Any) -> None:
        noted = _NOTED.get(kind.table.name)
        if noted is not None and (noted is not POSTINGS or is_noted(row)):
            self.digests.want(noted.digest(row))


def _read(kind: _Kind, row: Sequence[Any]) -> Any:
    return None if kind.codec is None else kind.codec.read([row[place] for place in kind.places])


def _fits(rows: Any, kind: Any) -> bool:
    try:
        msgspec.convert(rows, kind)
    except msgspec.ValidationError:
        return False
    return True


def _misfits(kind: _Kind, row: Sequence[Any]) -> Iterator[str]:
    for column, taken, value in zip(kind.table.columns, kind.columns, row, strict=True):
        if not _fits(value, taken):
            yield f"{_name(kind, row)} has the {column.name} {_shown(value)}, which it cannot have"


def unproved(fetch: Fetch, rows: Rows, audited: Audited) -> Iterator[str]:
    """Yield the rows without a digest in the audit log, if a server would have written one."""
    if not audited.chains or not rows.digests.has_rows or audited.is_torn:
        return
    missing = rows.digests.missing()
    if not missing:
        return
    for name, noted in _NOTED.items():
        kind = kinds()[name]
        for page in pages(fetch, kind):
            for row in page:
                try:
                    found = _read(kind, row)
                    is_missing = noted.digest(found) in missing
                except Exception:  # noqa: BLE001, S112 - it was found already that it cannot be read
                    continue
                if is_missing and _must_be_noted(name, found, audited):
                    what = f"{CALLED[name]} {_key(kind, row)}"
                    yield f"{what} is not what a server wrote: the audit log does not have its digest"


def _key(kind: _Kind, row: Sequence[Any]) -> str:
    names = [column.name for column in kind.table.columns]
    # Numbered rows are named by their id.
    places = [names.index("id")] if "id" in names else kind.key
    return " ".join(str(row[place]) for place in places)


def _must_be_noted(name: str, row: Any, audited: Audited) -> bool:
    if name == "postings" and not is_noted(row):
        return False
    if audited.rows.unnoted_until is None:
        return True
    made = _MADE.get(name)
    return made is not None and made(row) > audited.rows.unnoted_until + DAY_US
