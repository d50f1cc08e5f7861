"""Questions of a batch to the store in memory besides single rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leasebook.domain.book import whole_account as w
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import ChargedTags, Usage, UsageTotals, WholeAccount
from leasebook.domain.book.store_queries import COUNTED, PLACES, Asked
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    APPROVALS,
    FORMER_TAGS,
    INSTANCES,
    METADATA,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICES,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USERS,
    Key,
    Table,
)
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.model.instance import GONE
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.ledger import Posting, wallet

Rows = Mapping[Table[Any], Mapping[Key, Any]]


def asked(need: Asked, tables: Rows) -> list[tuple[Any, ...]]:
    """Answer as the other stores do: one number, or a region and a type in each row."""
    if need.what == PLACES:
        units = tables[INSTANCES].values()
        return [unit.offering for unit in units for placed in unit.placements if placed.service_id == need.of]
    rows = [row for table in tables.values() for row in table.values() if type(row) in COUNTED]
    counted = [row for row in rows if (need.what, need.of) in COUNTED[type(row)](row)]
    return [(sum(not isinstance(row, Quote | TokenPackage) or row.expires_at > need.at for row in counted),)]


def load_whole(need: WholeAccount, tables: Rows, book: Book) -> None:
    """Load what ends with an account, and count what lives in it."""
    for table in (APPROVALS, TOKEN_PACKAGES, USERS, ACCESS_KEYS, SUBSCRIPTIONS, SERVICE_KEYS):
        book.load_rows(table, [row for row in tables[table].values() if row.account_id == need.account_id])
    rows = [row for table in (INSTANCES, SERVICES) for row in tables[table].values()]
    living = [row for row in rows if row.account_id == need.account_id]
    ids = {kind: sorted(row.id for row in living if kind in w.kinds_of(row)) for kind in w.KINDS}
    found = {kind: [(row_id, len(of)) for row_id in of] for kind, of in ids.items()}
    root = tables[METADATA].get((ROOT_USER,))
    founder = None if root is None else tables[USERS].get((root.value,))
    is_founders = founder is not None and founder.account_id == need.account_id
    book.answers.load_living(need.account_id, w.Living(found, is_founders=is_founders))


def usage_of(need: UsageTotals, tables: Rows, postings: Iterable[Posting]) -> Usage:
    """Sum up what an account's users and projects hold, by type, and what they were charged."""
    units, usage = tables[INSTANCES], Usage()
    for unit in units.values():
        if unit.account_id == need.account_id and unit.status not in GONE:
            usage.add_units("units", unit.created_by, unit.type, unit.reserved)
            if unit.project_id is not None:
                usage.add_units("project_units", unit.project_id, unit.type, unit.reserved)
    for posting in postings:
        if posting.account_id == need.account_id and posting.at >= need.since and posting.unit_id is not None:
            buyer, amount = units[posting.unit_id,].created_by, -posting.effect_on(wallet(need.account_id))
            usage.add_spent(buyer, posting.project_id, amount)
            if need.by_tags:
                usage.by_tags = {} if usage.by_tags is None else usage.by_tags
                usage.add_tags(tags_of(posting, tables), amount)
    return usage


def tags_of(posting: Posting, tables: Rows) -> dict[str, str]:
    """Return the tags that an instance had when it was charged."""
    former = [row for row in tables[FORMER_TAGS].values() if row.id == posting.unit_id and row.until >= posting.at]
    if former:
        return dict(min(former, key=lambda row: row.until).tags)
    row = tables[RESOURCE_TAGS].get((posting.unit_id,))
    return {} if row is None else dict(row.tags)


def load_tags(need: ChargedTags, tables: Rows, book: Book) -> None:
    """Put down the tags of instances, those that they had among them."""
    for unit_id in need.unit_ids:
        if not book.has(RESOURCE_TAGS, (unit_id,)):
            book.load(RESOURCE_TAGS, (unit_id,), tables[RESOURCE_TAGS].get((unit_id,)))
    book.load_rows(FORMER_TAGS, [row for row in tables[FORMER_TAGS].values() if row.id in need.unit_ids])
