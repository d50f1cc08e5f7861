"""A batch's queries besides single rows (``book.store_queries``), in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leasebook.domain.book import store_queries as a
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import UsageTotals
from leasebook.domain.book.store_queries import Asked
from leasebook.store.queries.read_repository import HELD_TEXT, SPENT_TEXT, usage_totals_of

_TEXTS: Final = {
    a.USERS: "SELECT count(*) FROM users WHERE account_id = ? AND deleted_at IS NULL",
    a.KEYS: "SELECT count(*) FROM access_keys WHERE account_id = ? AND status = 'Active'",
    a.USER_KEYS: "SELECT count(*) FROM access_keys WHERE user_id = ? AND status = 'Active'",
    a.MODEL_SETS: "SELECT count(*) FROM model_sets WHERE account_id = ? AND deleted_at IS NULL",
    a.MODELS: "SELECT count(*) FROM models WHERE account_id = ? AND deleted_at IS NULL",
    a.SERVICES: "SELECT count(*) FROM services WHERE account_id = ? AND deleted_at IS NULL",
    a.HOOKS: "SELECT count(*) FROM hooks WHERE account_id = ? AND status IN ('Active', 'Paused', 'Pending')",
    a.QUOTES: "SELECT count(*) FROM quotes WHERE account_id = ? AND used_by IS NULL AND expires_at > ?",
    a.SERVICE_KEYS: "SELECT count(*) FROM service_keys WHERE account_id = ? AND status = 'Active'",
    a.PLACES: (
        "SELECT DISTINCT u.region, u.type FROM placements p JOIN units u ON u.id = p.unit_id WHERE p.service_id = ?"
    ),
}


def answer(
    need: UsageTotals | Asked, book: Book, fetch: Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
) -> None:
    """Run the query for a need, and put the answer into the book."""
    if isinstance(need, Asked):
        book.answers.load(need, fetch(*asking(need)))
    else:
        units = fetch(HELD_TEXT, (need.account_id,))
        book.load_usage_totals(need, *usage_totals_of(units, fetch(SPENT_TEXT, (need.account_id, need.since))))


def asking(need: Asked) -> tuple[str, tuple[str | int, ...]]:
    """Return a need's query, and its parameters."""
    return _TEXTS[need.what], (need.of, need.at) if need.what == a.QUOTES else (need.of,)
