"""Digests of rows that no other record of a store covers. They are in the audit log, so ``check`` can verify the rows.

Postings, balances and orders cover each other, and events cover the history of instances. A client token's answer, a
service's name or a subscription's target is only in its row. The batch that writes one of these rows puts its digest on
a page of the audit log, whose chain is sealed. If no page has the digest of a row, no server wrote that row.

Fields at the end of a row that have their defaults are left out of its digest. A later version can therefore add fields
at the end, and the digests of older rows stay valid.
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
    APPROVALS,
    DEVICE_LOGINS,
    ENGINE_CAPACITIES,
    FORMER_NONCES,
    FORMER_TAGS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    MODEL_SETS,
    MODELS,
    NONCE_PAGES,
    OFFERINGS,
    PRICES,
    PROJECTS,
    QUOTES,
    REFUSED_CALLS,
    RESOURCE_TAGS,
    SERVICE_USAGE,
    SERVICES,
    SPENT_SIGN_INS,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USED_LINKS,
    Table,
)
from leasebook.domain.record.ledger import Order, Posting

BYTES: Final = 8
"""Bytes of a digest. With 8, a store of a thousand million rows has by chance no digest that fits a damaged row."""
_encode: Final = msgspec.json.Encoder().encode


class Noted:
    """A table, and the fields of its rows that digests cover."""

    def __init__(self, name: str, row: type[msgspec.Struct], fields: Iterable[str]) -> None:
        self.name: Final = name
        self.row: Final = row
        self.fields: Final = tuple(fields)
        defaults = {field.name: field.default for field in msgspec.structs.fields(row)}
        self._defaults = tuple(defaults[field] for field in reversed(self.fields))
        self.of: Final = attrgetter(*self.fields)
        """Returns the values of a row that its digest covers."""

    def digest(self, row: Any) -> bytes:
        """Return the digest of a row: 8 bytes."""
        values = list(self.of(row))
        for default in self._defaults:
            if values[-1] != default:
                break
            values.pop()
        return sha256(_encode((self.name, values))).digest()[:BYTES]


def _all_but(table: Table[Any], *others: str) -> Noted:
    names = [field.name for field in msgspec.structs.fields(table.row)]
    return Noted(table.name, table.row, [name for name in names if name not in others])


NOTED: Final[dict[Table[Any], Noted]] = {
    IDEMPOTENCY_RECORDS: _all_but(IDEMPOTENCY_RECORDS),
    FORMER_NONCES: _all_but(FORMER_NONCES),
    NONCE_PAGES: _all_but(NONCE_PAGES),
    INSTANCES: Noted(
        INSTANCES.name,
        INSTANCES.row,
        (
            *("id", "account_id", "created_by", "order_id", "service_id", "region", "type", "kind", "created_at"),
            *("auto_renew", "auto_renew_months", "sized_at", "price_number"),
            *("quoted_price", "quoted_count", "quoted_number", "project_id"),
        ),
    ),
    SERVICES: _all_but(SERVICES, "replicas", "deploying", "prepaid_units", "postpaid_units", "ready"),
    MODEL_SETS: _all_but(MODEL_SETS, "made", "models", "modified_at"),
    MODELS: _all_but(MODELS, "services"),
    QUOTES: _all_but(QUOTES),
    APPROVALS: _all_but(APPROVALS),
    SERVICE_USAGE: _all_but(SERVICE_USAGE),
    TOKEN_PACKAGES: _all_but(TOKEN_PACKAGES),
    OFFERINGS: _all_but(OFFERINGS, "stock_total", "stock_free", "oversold"),
    PRICES: _all_but(PRICES),
    ACCOUNTS: Noted(ACCOUNTS.name, ACCOUNTS.row, ("id", "remind_before_us")),
    ACCOUNT_LIMITS: Noted(ACCOUNT_LIMITS.name, ACCOUNT_LIMITS.row, ("account_id", "rules", "project_rules")),
    SUBSCRIPTIONS: _all_but(SUBSCRIPTIONS, "page"),
    ENGINE_CAPACITIES: Noted(ENGINE_CAPACITIES.name, ENGINE_CAPACITIES.row, ("engine", "told_to")),
    USED_LINKS: _all_but(USED_LINKS),
    REFUSED_CALLS: _all_but(REFUSED_CALLS),
    RESOURCE_TAGS: _all_but(RESOURCE_TAGS),
    FORMER_TAGS: _all_but(FORMER_TAGS),
    PROJECTS: _all_but(PROJECTS),
    SPENT_SIGN_INS: _all_but(SPENT_SIGN_INS),
    DEVICE_LOGINS: _all_but(DEVICE_LOGINS),
}
"""The tables whose rows have digests. Fields left out are counters or are covered elsewhere, and change by themselves.
"""
ORDERS: Final = Noted("orders", Order, (field.name for field in msgspec.structs.fields(Order)))
POSTINGS: Final = Noted("postings", Posting, (field.name for field in msgspec.structs.fields(Posting)))


def is_noted(posting: Posting) -> bool:
    """Whether a posting has a digest. Hourly charges have none: there are many, and they are rolled up in the end."""
    return posting.kind != "Usage"


def digests_of(parts: Iterable[Changes]) -> bytes:
    """Return the digests of all rows that a batch writes and that have digests, one after another."""
    return b"".join(digest for changes in parts for digest in _digests(changes))


def _digests(changes: Changes) -> Iterator[bytes]:
    yield from map(ORDERS.digest, changes.orders)
    yield from map(POSTINGS.digest, filter(is_noted, changes.postings))
    for table, noted in NOTED.items():
        yield from map(noted.digest, changes.inserted.get(table, ()))
        for before, after in zip(changes.before.get(table, ()), changes.updated.get(table, ()), strict=True):
            if noted.of(before) != noted.of(after):
                yield noted.digest(after)
