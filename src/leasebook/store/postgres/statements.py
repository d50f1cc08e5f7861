"""A batch's statements on PostgreSQL. Each works on many rows: its parameters are arrays, one a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, LiteralString, cast
from zlib import crc32

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNTS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    METADATA,
    OFFERINGS,
    SERVICE_KEYS,
    TABLES,
    USERS,
    Table,
)
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.audit_log import Audit
from leasebook.domain.record.identity_log import MASTER_KEY
from leasebook.domain.record.ledger import Order, Posting
from leasebook.store.postgres.arrays import Arrays
from leasebook.store.queries.due import APPROVALS_DUE_TEXT, HEADS_TEXT, UNRENEWED_TEXT
from leasebook.store.queries.read_repository import HALTED_TEXT, columns
from leasebook.store.rows import orders, postings
from leasebook.store.rows.codec import (
    AUDIT_CHAINS,
    AUDIT_CLOSURES,
    AUDIT_PAGES,
    CODECS,
    EVENTS,
    ORDERS,
    POSTINGS,
    Codec,
)
from leasebook.store.rows.updates import Changed, columns_of, updates
from leasebook.store.tags import NUMBERED


def trusted(text: str) -> LiteralString:
    """Mark a text as composed only of names in this code."""
    return cast("LiteralString", text)  # type: ignore[redundant-cast,unused-ignore]


def saving(changes: Changes) -> Iterator[tuple[LiteralString, list[str]]]:
    """Yield the statements that write a batch's changes."""
    yield from _written(changes)
    yield from _projected(changes)
    if ACCESS_KEYS in changes or USERS in changes or SERVICE_KEYS in changes or _turns(changes):
        yield _NEW_EPOCH, []
    if changes.audit:
        yield from _audited(changes.audit)
    if changes.events:
        # Last, because other batches wait for these locks until the commit.
        yield _EVENTS_IN_TURN, [_turns_of(changes)]
        pages = _INSERTED["event_pages"].write([*map(EVENTS.values, changes.events)])
        yield _INSERT_EVENTS, [*pages, *_happened_to(changes)]


def _turns(changes: Changes) -> bool:
    """Whether the master key was replaced: users looked up under the former one are looked up again."""
    return any(row.name == MASTER_KEY for row in changes.updated.get(METADATA, ()))


def _written(changes: Changes) -> Iterator[tuple[LiteralString, list[str]]]:
    """Yield the statements that write new and changed rows, table by table in the one order."""
    if accounts := changes.inserted.get(ACCOUNTS):
        # Before the rows that name an account by its number.
        yield _NUMBERED, _ACCOUNT_IDS.write([(row.id,) for row in accounts])
    for table in TABLES:
        if rows := changes.inserted.get(table):
            rows.sort(key=table.key_of)  # New rows are locked too, in the same order as all others.
            yield _INSERT[table.name], _INSERTED[table.name].write([*map(CODECS[table].values, rows)])
        if rows := changes.updated.get(table):
            for changed, values in updates(CODECS[table], changes.before[table], rows).items():
                text, arrays = _update_of(CODECS[table], changed)
                yield text, arrays.write(values)
    if changes.orders:
        yield order(changes.orders, changes.inserted.get(INSTANCES, ()))
    if changes.postings:
        yield posting(changes.postings)


def order(rows: Sequence[Order], units: Sequence[Instance] = ()) -> tuple[LiteralString, list[str]]:
    """Return the statement that writes orders; ``units`` are new instances, whose fields are not sent again."""
    return _ORDER, _INSERTED["orders"].write(orders.values(rows, units))


def posting(rows: Sequence[Posting]) -> tuple[LiteralString, list[str]]:
    """Return the statement that writes postings."""
    return _POST, _INSERTED["postings"].write([*map(postings.values, rows)])


def _projected(changes: Changes) -> Iterator[tuple[LiteralString, list[str]]]:
    """Yield the statements that update the placements by service, and the index of tags."""
    if changes.placed_gone:
        yield _PLACED_GONE, _PLACED.write(changes.placed_gone)
    if changes.placed_new:
        yield _PLACED_NEW, _PLACED.write(changes.placed_new)
    for kind, gone in changes.tagged_gone().items():
        if kind in NUMBERED:
            yield _TAGGED_GONE[kind], _TAG_KEYS.write(gone)
    for kind, new in changes.tagged_new().items():
        if kind in NUMBERED:
            yield _TAGGED_NEW[kind], _TAG_ENTRIES.write(new)


_NEW_EPOCH: Final[LiteralString] = (
    "INSERT INTO facts (name, value) VALUES ('identity_epoch', '1') "
    "ON CONFLICT (name) DO UPDATE SET value = (facts.value::bigint + 1)::text"
)
EVENT_LOCK: Final = 0x1EA5E500
TURNS: Final = 64
# Events of an account are numbered in the order of their commits: a batch with events waits here for earlier ones to
# commit. Otherwise a reader who follows the numbers would miss events that are committed late.
_EVENTS_IN_TURN: Final = trusted(f"SELECT pg_advisory_xact_lock({EVENT_LOCK} + turn) FROM unnest(%s::bigint[]) AS turn")


def _turns_of(changes: Changes) -> str:
    """Return the locks of the batch's accounts, in the order in which all batches take them."""
    turns = sorted({crc32(page.account_id.encode()) % TURNS for page in changes.events})
    return "{" + ",".join(map(str, turns)) + "}"


def _happened_to(changes: Changes) -> list[str]:
    """Return the accounts and instances of the batch's events."""
    rows = sorted(
        {(page.account_id, event.unit_id) for page in changes.events for event in page.events if event.unit_id}
    )
    return _EVENT_UNITS.write(rows) if rows else ["{}", "{}"]


def _names(codec_columns: Iterable[str], prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{name}"' for name in codec_columns)


def load_statement(
    table: Table[Any], keys: list[tuple[str, ...]], shelves: list[str]
) -> tuple[LiteralString, list[str]]:
    """Return the statement that locks and reads rows by key, and all offerings of the types in ``shelves``."""
    if table is OFFERINGS and shelves:
        return _LOAD_OFFERINGS, [*written_keys(table, keys), *_SHELVES.write([(name,) for name in shelves])]
    return LOAD[table], written_keys(table, keys)


def written_keys(table: Table[Any], keys: list[tuple[str, ...]]) -> list[str]:
    """Return keys as arrays, one a column."""
    return _KEYED[table].write(keys) if keys else ["{}"] * len(table.key)


def _load_text(codec: Codec[Any], more: str = "") -> LiteralString:
    keys = Arrays(codec.name, codec.key)
    return trusted(
        f"SELECT {columns(codec)} FROM {codec.name} WHERE ({_names(codec.key)}) IN "
        f"(SELECT * FROM {keys.unnest}){more} ORDER BY {_names(codec.key)} FOR UPDATE"
    )


def insert_text(codec: Codec[Any], new: str) -> LiteralString:
    """Return the statement that writes new rows; ``new`` is a source that has the columns ``codec.written``."""
    names = _names(codec.written)
    if codec.name != INSTANCES.name:
        return trusted(f"INSERT INTO {codec.name} ({names}) SELECT * FROM {new}")
    account = postings.NUMBER_OF_ACCOUNT.replace("?", "new.account_id")
    return trusted(f"INSERT INTO {codec.name} ({names}, account) SELECT new.*, {account} FROM {new} AS new({names})")


@lru_cache(maxsize=1024)
def _update_of(codec: Codec[Any], changed: Changed) -> tuple[LiteralString, Arrays]:
    """Return the statement that sets the changed columns, and the writer of its parameters."""
    names = columns_of(codec, changed)
    arrays = Arrays(codec.name, (*names, *codec.key))
    values = ", ".join(f'"{name}" = new."{name}"' for name in names)
    where = " AND ".join(f'old."{name}" = new."{name}"' for name in codec.key)
    text = (
        f"UPDATE {codec.name} AS old SET {values} FROM {arrays.unnest} AS new({_names(arrays.columns)}) WHERE {where}"
    )
    return trusted(text), arrays


_AUDIT: Final = (AUDIT_PAGES, AUDIT_CHAINS, AUDIT_CLOSURES)
_ALL: Final[tuple[Codec[Any], ...]] = (*CODECS.values(), ORDERS, POSTINGS, EVENTS, *_AUDIT)
_KEYED: Final = {table: Arrays(codec.name, codec.key) for table, codec in CODECS.items()}
_INSERTED: Final = {codec.name: Arrays(codec.name, codec.written) for codec in _ALL}
_SHELVES: Final = Arrays("offerings", ("type",))
_PLACED: Final = Arrays("placements", ("service_id", "unit_id"))

LOAD: Final = {table: _load_text(codec) for table, codec in CODECS.items()}
# While a batch waited for its rows, another server may have answered the same client token. The row is read without a
# lock: if both write it, one waits for the other then, at the latest.
TOKENS_AGAIN: Final = trusted(LOAD[IDEMPOTENCY_RECORDS].removesuffix(" FOR UPDATE"))
_LOAD_OFFERINGS: Final = _load_text(CODECS[OFFERINGS], ' OR "type" = ANY(%s::text[])')
_INSERT: Final = {
    codec.name: insert_text(codec, _INSERTED[codec.name].unnest) for codec in _ALL if codec not in (ORDERS, POSTINGS)
}
_ACCOUNT_IDS: Final = Arrays("account_numbers", ("account_id",))
# A store whose accounts were lost may have a number without its account.
_NUMBERED: Final = trusted(
    f"INSERT INTO account_numbers (account_id) SELECT * FROM {_ACCOUNT_IDS.unnest} ON CONFLICT (account_id) DO NOTHING"
)
# The instance is looked up for each order: with a join PostgreSQL might number them in another order.
_ORDER: Final = trusted(
    f"INSERT INTO order_rows ({orders.COLUMNS}) SELECT {orders.selected('new', 'u')} "
    f"FROM {_INSERTED['orders'].unnest} AS new({_names(ORDERS.columns)}) "
    "LEFT JOIN LATERAL (SELECT * FROM units WHERE id = new.unit_id OFFSET 0) AS u ON true"
)
_POST: Final = trusted(
    f"INSERT INTO posting_rows ({postings.COLUMNS}) SELECT {postings.selected('new', 'u')} "
    f"FROM {_INSERTED['postings'].unnest} AS new({_names(POSTINGS.columns)}) "
    "LEFT JOIN LATERAL (SELECT * FROM units WHERE id = new.unit_id OFFSET 0) AS u ON true"
)
_PLACED_GONE: Final = trusted(
    f"DELETE FROM placements AS old USING {_PLACED.unnest} AS gone(service_id, unit_id) "
    "WHERE old.service_id = gone.service_id AND old.unit_id = gone.unit_id"
)
_PLACED_NEW: Final = trusted(f"INSERT INTO placements (service_id, unit_id) SELECT * FROM {_PLACED.unnest}")
_TAG_KEYS: Final = Arrays("tagged", ("account_id", "kind", "key", "value"))
"""The last column is the id of the thing, which is text as the value is."""
_TAG_ENTRIES: Final = Arrays("tagged", ("account_id", "kind", "key", "value", "value"))
# The number of the thing's row is looked up where the row is, as only the store knows it.
_TAGGED_GONE: Final = {
    kind: trusted(
        f"DELETE FROM tagged AS old USING {_TAG_KEYS.unnest} AS gone(account_id, kind, key, id) "
        f"JOIN {table} thing ON thing.id = gone.id WHERE old.account_id = gone.account_id AND old.kind = gone.kind "
        "AND old.key = gone.key AND old.seq = thing.seq"
    )
    for kind, table in NUMBERED.items()
}
_TAGGED_NEW: Final = {
    kind: trusted(
        "INSERT INTO tagged (account_id, kind, key, value, seq) SELECT new.account_id, new.kind, new.key, new.value, "
        f"thing.seq FROM {_TAG_ENTRIES.unnest} AS new(account_id, kind, key, value, id) "
        f"JOIN {table} thing ON thing.id = new.id"
    )
    for kind, table in NUMBERED.items()
}
_EVENT_UNITS: Final = Arrays("units", ("account_id", "id"))
_INSERT_EVENTS: Final = trusted(
    f"WITH page AS (INSERT INTO event_pages ({columns(EVENTS)}) SELECT * FROM {_INSERTED['event_pages'].unnest} "
    "RETURNING seq, account_id) INSERT INTO event_units (unit_id, page) SELECT u.unit_id, page.seq "
    f"FROM {_EVENT_UNITS.unnest} AS u(account_id, unit_id) JOIN page ON page.account_id = u.account_id"
)
_AUDITED: Final = Arrays("audit_units", ("unit_id", "page"))
_INSERT_AUDIT: Final = trusted(
    f"WITH page AS (INSERT INTO audit_pages ({columns(AUDIT_PAGES)}) SELECT * FROM {_INSERTED['audit_pages'].unnest} "
    "RETURNING seq, account_id) INSERT INTO audit_units (unit_id, page) SELECT u.id, page.seq "
    f"FROM {_EVENT_UNITS.unnest} AS n(account_id, id) JOIN page ON page.account_id = n.account_id "
    "JOIN units u ON u.id = n.id AND u.account_id = n.account_id"
)
_AUDIT_HEAD: Final = trusted(
    f"{_INSERT['audit_chains']} ON CONFLICT (chain) DO UPDATE SET number = excluded.number, hash = excluded.hash, "
    "last_at = excluded.last_at, seal = excluded.seal"
)
_AUDIT_GONE: Final = trusted("DELETE FROM audit_pages WHERE seq = ANY(%s::bigint[])")
_AUDITED_GONE: Final = trusted(
    f"DELETE FROM audit_units AS old USING {_AUDITED.unnest} AS gone(unit_id, page) "
    "WHERE old.unit_id = gone.unit_id AND old.page = gone.page"
)
AUDIT_CLOSING: Final = trusted("SELECT pg_try_advisory_xact_lock(%s)")
AUDIT_LOCK: Final = 0x1EA5EA0D17


def _audited(audit: Audit) -> Iterator[tuple[LiteralString, list[str]]]:
    """Yield the statements that write the audit log: pages, their chain's end, and a receipt for removed pages."""
    if audit.pages:
        named = _EVENT_UNITS.write(audit.named) if audit.named else ["{}", "{}"]
        yield _INSERT_AUDIT, [*_INSERTED["audit_pages"].write([*map(AUDIT_PAGES.values, audit.pages)]), *named]
    if audit.head is not None:
        yield _AUDIT_HEAD, _INSERTED["audit_chains"].write([AUDIT_CHAINS.values(audit.head)])
    if audit.closing is not None:
        yield (
            _INSERT["audit_closures"],
            _INSERTED["audit_closures"].write([AUDIT_CLOSURES.values(audit.closing.closure)]),
        )
        yield _AUDIT_GONE, ["{" + ",".join(map(str, audit.closing.pages)) + "}"]
        if audit.closing.index:
            yield _AUDITED_GONE, _AUDITED.write(audit.closing.index)


HALTED: Final = HALTED_TEXT.replace("?", "%s") + " FOR UPDATE"
UNRENEWED: Final = UNRENEWED_TEXT.replace("?", "%s") + " FOR UPDATE"
CLAIM: Final = HEADS_TEXT.replace("?", "%s") + " FOR UPDATE"
CLAIM_APPROVALS: Final = APPROVALS_DUE_TEXT.replace("?", "%s") + " FOR UPDATE"
USES: Final = Arrays("access_keys", ("id", "used_at"))
NOTE_USES: Final = trusted(
    f"WITH given AS (SELECT * FROM {USES.unnest} AS one(id, used_at)), free AS MATERIALIZED "
    "(SELECT k.id FROM access_keys k JOIN given ON given.id = k.id ORDER BY k.id FOR UPDATE OF k SKIP LOCKED) "
    "UPDATE access_keys AS old SET used_at = given.used_at FROM given JOIN free ON free.id = given.id "
    "WHERE old.id = given.id AND (old.used_at IS NULL OR old.used_at < given.used_at)"
)
PRUNE: Final = (
    "DELETE FROM tokens WHERE ctid IN (SELECT ctid FROM tokens WHERE created_at < %s "
    "ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING 1"
)
