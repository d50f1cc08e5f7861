"""A batch's queries besides single rows (``book.store_queries``), in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leasebook.domain.book import store_queries as a
from leasebook.domain.book import whole_account as w
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import ChargedTags, UsageTotals, WholeAccount
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    APPROVALS,
    SERVICE_KEYS,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USERS,
    Table,
)
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.model.offering import QUOTA
from leasebook.store.queries.account.usage import (
    HELD_TEXT,
    POSTINGS_TEXT,
    SPENT_TEXT,
    SUMS_TEXT,
    by_tags_of,
    load_tags,
    sums_params,
    tags_texts,
    usage_totals_of,
)
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.postings import OF_ACCOUNT

_TEXTS: Final = {
    a.USERS: "SELECT count(*) FROM users WHERE account_id = ? AND deleted_at IS NULL",
    a.KEYS: "SELECT count(*) FROM access_keys WHERE account_id = ? AND status = 'Active'",
    a.USER_KEYS: "SELECT count(*) FROM access_keys WHERE user_id = ? AND status = 'Active'",
    a.KNOWN_PASSWORDS: "SELECT count(*) FROM passwords WHERE user_id = ? AND hash <> '' AND NOT by_operator",
    a.MODEL_SETS: "SELECT count(*) FROM model_sets WHERE account_id = ? AND deleted_at IS NULL",
    a.MODELS: "SELECT count(*) FROM models WHERE account_id = ? AND deleted_at IS NULL",
    a.SERVICES: "SELECT count(*) FROM services WHERE account_id = ? AND deleted_at IS NULL",
    a.HOOKS: "SELECT count(*) FROM hooks WHERE account_id = ? AND status IN ('Active', 'Paused', 'Pending')",
    a.QUOTES: "SELECT count(*) FROM quotes WHERE account_id = ? AND used_by IS NULL AND expires_at > ?",
    a.SERVICE_KEYS: "SELECT count(*) FROM service_keys WHERE account_id = ? AND status = 'Active'",
    a.PROJECTS: "SELECT count(*) FROM projects WHERE account_id = ? AND status = 'Active'",
    a.PROJECT_NAMES: "SELECT count(*) FROM projects WHERE account_id = ? AND name = ? AND status = 'Active'",
    a.PROJECT_UNITS: (
        "SELECT count(*) FROM units WHERE project_id = ? AND project_id IS NOT NULL AND status <> 'Released' "
        "AND status <> 'CreateFailed'"
    ),
    a.PROJECT_SERVICES: (
        "SELECT count(*) FROM services WHERE project_id = ? AND project_id IS NOT NULL AND deleted_at IS NULL"
    ),
    a.PROJECT_PACKAGES: (
        "SELECT count(*) FROM packages WHERE project_id = ? AND project_id IS NOT NULL AND used < specification "
        "AND expires_at > ?"
    ),
    a.PLACES: (
        "SELECT DISTINCT u.region, u.type FROM placements p JOIN units u ON u.id = p.unit_id WHERE p.service_id = ?"
    ),
}

_OF_AN_INSTANT: Final = (a.QUOTES, a.PROJECT_PACKAGES)

ROWS_OF_ACCOUNT: Final[tuple[tuple[Table[Any], str], ...]] = tuple(
    (table, f"SELECT {columns(CODECS[table])} FROM {table.name} WHERE account_id = ? AND {condition} ORDER BY {key}")
    for table, condition, key in (
        (APPROVALS, "status = 'Open'", "id"),
        (TOKEN_PACKAGES, "used < specification", "id"),
        (USERS, "deleted_at IS NULL", "id"),
        (ACCESS_KEYS, "status = 'Active'", "id"),
        (SUBSCRIPTIONS, "status IN ('Active', 'Paused', 'Pending')", "id"),
        (SERVICE_KEYS, "status = 'Active'", "id"),
    )
)
"""The rows of ``loads.WholeAccount``, in the order of locks."""
_LIVE_UNITS: Final = f"FROM units WHERE {OF_ACCOUNT} AND status <> 'Released' AND status <> 'CreateFailed'"
# These have an index of their own, with the account's id.
_RENEWED_UNITS: Final = "FROM units WHERE account_id = ? AND status <> 'Released' AND status <> 'CreateFailed'"
_NAMED: Final = f"ORDER BY id LIMIT {w.NAMED_MAX}"
LIVING: Final = {
    w.INSTANCES: f"SELECT id, count(*) OVER () {_LIVE_UNITS} AND kind <> '{QUOTA}' {_NAMED}",
    w.QUOTAS: f"SELECT id, count(*) OVER () {_LIVE_UNITS} AND kind = '{QUOTA}' {_NAMED}",
    w.AUTO_RENEWALS: f"SELECT id, count(*) OVER () {_RENEWED_UNITS} AND auto_renew {_NAMED}",
    w.SERVICES: f"SELECT id, count(*) OVER () FROM services WHERE account_id = ? AND deleted_at IS NULL {_NAMED}",
}
"""For each kind of live things a few ids, each with the number of all."""
FOUNDERS_TEXT: Final = "SELECT 1 FROM facts f JOIN users u ON u.id = f.value WHERE f.name = ? AND u.account_id = ?"


def load_living(
    need: WholeAccount, book: Book, found: dict[str, list[tuple[Any, ...]]], founders: list[tuple[Any, ...]]
) -> None:
    """Put what lives in an account into the book; ``founders`` has a row if the store began with that account."""
    named = {kind: [(str(row_id), int(count)) for row_id, count in rows] for kind, rows in found.items()}
    book.answers.load_living(need.account_id, w.Living(named, is_founders=bool(founders)))


def answer(
    need: UsageTotals | WholeAccount | ChargedTags | Asked,
    book: Book,
    fetch: Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]],
) -> None:
    """Run the queries for a need, and put the answer into the book."""
    if isinstance(need, WholeAccount):
        for table, text in ROWS_OF_ACCOUNT:
            book.load_rows(table, map(CODECS[table].read, fetch(text, (need.account_id,))))
        found = {kind: fetch(text, (need.account_id,)) for kind, text in LIVING.items()}
        load_living(need, book, found, fetch(FOUNDERS_TEXT, (ROOT_USER, need.account_id)))
    elif isinstance(need, Asked):
        book.answers.load(need, fetch(*asking(need)))
    elif isinstance(need, ChargedTags):
        for text, params, former, former_params in tags_texts(need):
            load_tags(need, book, fetch(text, params), fetch(former, former_params))
    else:
        usage = usage_totals_of(fetch(HELD_TEXT, (need.account_id,)), fetch(SPENT_TEXT, (need.account_id, need.since)))
        if need.by_tags:
            usage.by_tags = by_tags_of(fetch(SUMS_TEXT, sums_params(need)))
            if usage.by_tags is None:
                usage.by_tags = by_tags_of(fetch(POSTINGS_TEXT, (need.account_id, need.since)))
        book.load_usage_totals(need, usage)


def asking(need: Asked) -> tuple[str, tuple[str | int, ...]]:
    """Return a need's query, and its parameters."""
    if need.what == a.PROJECT_NAMES:
        return _TEXTS[need.what], tuple(need.of.split("/", 1))
    return _TEXTS[need.what], (need.of, need.at) if need.what in _OF_AN_INSTANT else (need.of,)
