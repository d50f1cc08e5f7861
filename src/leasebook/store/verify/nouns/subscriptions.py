"""Checks of subscriptions and deliveries: the rules, and the rows that break them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from leasebook.domain.model.subscription import DELIVERY_STATES, HOOK_STATUSES
from leasebook.store.queries.read_repository import Fetch


class _Rule(NamedTuple):
    """A query that finds broken rows, and the sentence for each."""

    text: str
    params: tuple[Any, ...]
    words: str


def subscription_findings(fetch: Fetch, shown_max: int) -> Iterator[str]:
    """Yield a line for each broken row, at most ``shown_max`` of a kind."""
    for text, params, words in _RULES:
        for row in fetch(f"{text} LIMIT ?", (*params, shown_max)):
            yield words.format(*row)


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" for _ in values)


_RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        f"SELECT id, status FROM hooks WHERE status NOT IN ({_marks(HOOK_STATUSES)})",
        HOOK_STATUSES,
        "subscription {0} has the status {1}, which is none",
    ),
    _Rule(
        "SELECT id FROM hooks WHERE status = 'Pending' AND (kind <> 'Email' OR confirm_until IS NULL OR confirms < 1)",
        (),
        "subscription {0} waits for a confirmation that nobody was asked for",
    ),
    _Rule(
        "SELECT l.unit_id, l.deadline FROM used_links l LEFT JOIN units u ON u.id = l.unit_id WHERE u.id IS NULL",
        (),
        "a link of {0} about {1} was used, and there is no such instance",
    ),
    _Rule(
        "SELECT h.id, h.page FROM hooks h WHERE h.accounts = '[]' AND h.page > "
        "coalesce((SELECT max(p.seq) FROM event_pages p WHERE p.account_id = h.account_id), 0) "
        "OR h.page > coalesce((SELECT max(p.seq) FROM event_pages p), 0)",
        (),
        "subscription {0} stands at page {1} of the events, and its account has none so late",
    ),
    _Rule(
        "SELECT s.hook_id, s.account_id, s.page FROM hook_places s LEFT JOIN event_pages p ON p.seq = s.page "
        "AND p.account_id = s.account_id WHERE p.seq IS NULL",
        (),
        "subscription {0} came to page {2} of the events of account {1}, which has no such page",
    ),
    _Rule(
        "SELECT s.hook_id, s.account_id FROM hook_places s LEFT JOIN hooks h ON h.id = s.hook_id "
        "WHERE h.id IS NULL OR h.accounts = '[]'",
        (),
        "there is a place of subscription {0} in account {1}, and no such subscription is over that account",
    ),
    _Rule(
        f"SELECT hook_id, page, line, state FROM deliveries WHERE state NOT IN ({_marks(DELIVERY_STATES)})",
        DELIVERY_STATES,
        "delivery {0}-{1}-{2} is {3}, which is no state",
    ),
    _Rule(
        "SELECT hook_id, page, line FROM deliveries WHERE (state = 'Waiting') <> (done_at IS NULL) "
        "OR (state = 'Waiting') <> (clear_at IS NULL)",
        (),
        "delivery {0}-{1}-{2} does not know whether it is over",
    ),
    _Rule(
        "SELECT d.hook_id, d.page, d.line FROM deliveries d LEFT JOIN hooks h ON h.id = d.hook_id "
        "WHERE h.id IS NULL OR h.account_id <> d.account_id OR (h.status = 'Deleted' AND d.state = 'Waiting')",
        (),
        "delivery {0}-{1}-{2} has no subscription",
    ),
    _Rule(
        "SELECT d.hook_id, d.page, d.line FROM deliveries d JOIN hooks h ON h.id = d.hook_id "
        "LEFT JOIN event_pages p ON p.seq = d.page "
        "WHERE p.seq IS NULL OR (h.accounts = '[]' AND p.account_id <> d.account_id)",
        (),
        "delivery {0}-{1}-{2} has no event",
    ),
    _Rule(
        "SELECT d.hook_id, d.page, d.line FROM deliveries d JOIN hooks h ON h.id = d.hook_id "
        "LEFT JOIN event_pages p ON p.seq = d.page LEFT JOIN hook_places s ON s.hook_id = d.hook_id "
        "AND s.account_id = p.account_id WHERE d.page > h.page AND h.status <> 'Deleted' "
        "AND (h.accounts = '[]' OR s.page IS NULL OR d.page > s.page)",
        (),
        "delivery {0}-{1}-{2} is of an event that its subscription did not come to yet",
    ),
    _Rule(
        "SELECT l.hook_id, l.name, l.waiting, coalesce(d.found, 0) FROM lanes l LEFT JOIN "
        "(SELECT hook_id, lane, count(*) AS found FROM deliveries WHERE state = 'Waiting' GROUP BY hook_id, lane) d "
        "ON d.hook_id = l.hook_id AND d.lane = l.name WHERE l.waiting <> coalesce(d.found, 0)",
        (),
        "lane {1} of subscription {0} says that {2} deliveries wait, and {3} do",
    ),
    _Rule(
        "SELECT d.hook_id, d.lane, count(*) FROM deliveries d LEFT JOIN lanes l ON l.hook_id = d.hook_id "
        "AND l.name = d.lane WHERE d.state = 'Waiting' AND l.name IS NULL GROUP BY d.hook_id, d.lane",
        (),
        "lane {1} of subscription {0} is missing, and {2} deliveries wait in it",
    ),
    _Rule(
        "SELECT hook_id, name FROM lanes WHERE (waiting = 0) <> (next_at IS NULL) OR waiting < 0 "
        "OR (holder IS NULL) <> (leased_until IS NULL)",
        (),
        "lane {1} of subscription {0} does not know whether something waits, or who is at it",
    ),
)
