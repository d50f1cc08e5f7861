"""Digests of rows that nothing else in a store tells of: they stand in the audit log, so that ``check`` proves them.

What money did is told by postings, balances and orders, and what instances went through by events. What a client token
stands for, what a service is called or where a subscription points is said once, in its row. The batch that writes such
a row puts its digest on a page of the audit log, whose chain is sealed; a row of which no page has the digest was not
written by a server.

Fields at the end that have their defaults leave no trace in a digest, so that rows keep theirs where a later version
adds a field after the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final

import msgspec

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import (
    ACCOUNT_LIMITS,
    ACCOUNTS,
    ENGINE_CAPACITIES,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    MODEL_SETS,
    MODELS,
    NONCES,
    OFFERINGS,
    PRICES,
    QUOTES,
    REFUSED_CALLS,
    SERVICE_USAGE,
    SERVICES,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USED_LINKS,
    Table,
)
from leasebook.domain.record.ledger import Order, Posting

BYTES: Final = 8
"""Of a digest: by chance none in a store of a thousand million rows is that of a damaged row."""
_encode: Final = msgspec.json.Encoder().encode


class Noted:
    """Rows of a table, and those of their fields that are noted."""

    def __init__(self, name: str, row: type[msgspec.Struct], fields: Iterable[str]) -> None:
        self.name: Final = name
        self.row: Final = row
        self.fields: Final = tuple(fields)
        defaults = {field.name: field.default for field in msgspec.structs.fields(row)}
        self._defaults = tuple(defaults[field] for field in reversed(self.fields))
        self.of: Final = attrgetter(*self.fields)
        """Returns what is noted of a row."""

    def digest(self, row: Any) -> bytes:
        """Return the digest of a row: 8 bytes."""
        told = list(self.of(row))
        for default in self._defaults:
            if told[-1] != default:
                break
            told.pop()
        return sha256(_encode((self.name, told))).digest()[:BYTES]


def _all_but(table: Table[Any], *others: str) -> Noted:
    names = [field.name for field in msgspec.structs.fields(table.row)]
    return Noted(table.name, table.row, [name for name in names if name not in others])


NOTED: Final[dict[Table[Any], Noted]] = {
    IDEMPOTENCY_RECORDS: _all_but(IDEMPOTENCY_RECORDS),
    NONCES: _all_but(NONCES),
    INSTANCES: Noted(
        INSTANCES.name,
        INSTANCES.row,
        (
            *("id", "account_id", "created_by", "order_id", "service_id", "region", "type", "kind", "created_at"),
            *("auto_renew", "auto_renew_months", "sized_at", "price_number"),
            *("quoted_price", "quoted_count", "quoted_number"),
        ),
    ),
    SERVICES: _all_but(SERVICES, "replicas", "deploying", "prepaid_units", "postpaid_units", "ready"),
    MODEL_SETS: _all_but(MODEL_SETS, "made", "models"),
    MODELS: _all_but(MODELS, "services"),
    QUOTES: _all_but(QUOTES),
    SERVICE_USAGE: _all_but(SERVICE_USAGE),
    TOKEN_PACKAGES: _all_but(TOKEN_PACKAGES),
    OFFERINGS: _all_but(OFFERINGS, "stock_total", "stock_free", "oversold"),
    PRICES: _all_but(PRICES),
    ACCOUNTS: Noted(ACCOUNTS.name, ACCOUNTS.row, ("id", "remind_before_us")),
    ACCOUNT_LIMITS: Noted(ACCOUNT_LIMITS.name, ACCOUNT_LIMITS.row, ("account_id", "rules")),
    SUBSCRIPTIONS: _all_but(SUBSCRIPTIONS, "page"),
    ENGINE_CAPACITIES: Noted(ENGINE_CAPACITIES.name, ENGINE_CAPACITIES.row, ("engine", "told_to")),
    USED_LINKS: _all_but(USED_LINKS),
    REFUSED_CALLS: _all_but(REFUSED_CALLS),
}
"""The tables whose rows are noted. What is left out is counted or told elsewhere, and changes by itself."""
ORDERS: Final = Noted("orders", Order, (field.name for field in msgspec.structs.fields(Order)))
POSTINGS: Final = Noted("postings", Posting, (field.name for field in msgspec.structs.fields(Posting)))


def is_noted(posting: Posting) -> bool:
    """Whether a posting is noted. Hourly charges are not: there are many, and they are rolled up in the end."""
    return posting.kind != "Usage"


def digests_of(parts: Iterable[Changes]) -> bytes:
    """Return the digests of everything that a batch writes and that is noted, one after another."""
    return b"".join(digest for changes in parts for digest in _digests(changes))


def _digests(changes: Changes) -> Iterator[bytes]:
    yield from map(ORDERS.digest, changes.orders)
    yield from map(POSTINGS.digest, filter(is_noted, changes.postings))
    for table, noted in NOTED.items():
        yield from map(noted.digest, changes.inserted.get(table, ()))
        for before, after in zip(changes.before.get(table, ()), changes.updated.get(table, ()), strict=True):
            if noted.of(before) != noted.of(after):
                yield noted.digest(after)
