"""Checks of requests for approvals: each has one end, and an approved one has its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leasebook.domain.model.approvals.approval import PREFIX
from leasebook.domain.record.event import (
    APPROVAL_APPROVED,
    APPROVAL_ASKED,
    APPROVAL_LAPSED,
    APPROVAL_REJECTED,
    Event,
)
from leasebook.store.queries.read_repository import Fetch
from leasebook.store.verify.nouns.orders import Rule, by_rules

_DUE: Final = "CASE WHEN status <> 'Open' THEN NULL WHEN remind_at < lapses_at THEN remind_at ELSE lapses_at END"
_NO_ORDER: Final = "order_id IS NOT NULL OR unit_id IS NOT NULL OR service_id IS NOT NULL"
ENDS: Final = {"Approved": APPROVAL_APPROVED, "Rejected": APPROVAL_REJECTED, "Lapsed": APPROVAL_LAPSED}
"""The event of each end."""

RULES: Final = (
    Rule(
        "SELECT id, status FROM approvals WHERE CASE status "
        f"WHEN 'Open' THEN decided_by IS NOT NULL OR decided_at IS NOT NULL OR reason IS NOT NULL OR {_NO_ORDER} "
        "WHEN 'Approved' THEN decided_by IS NULL OR decided_at IS NULL OR reason IS NOT NULL OR order_id IS NULL "
        "OR unit_id IS NULL "
        f"WHEN 'Rejected' THEN decided_by IS NULL OR decided_at IS NULL OR reason IS NULL OR {_NO_ORDER} "
        "WHEN 'Lapsed' THEN decided_by IS NOT NULL OR decided_at IS NULL OR reason IS NULL "
        "OR reason NOT IN ('Time', 'AccountClosed') OR (reason = 'Time' AND decided_at <> lapses_at) "
        f"OR {_NO_ORDER} ELSE 1 = 1 END",
        "request {0} is {1}, and its end is another one",
    ),
    Rule(
        "SELECT id, asked_at, remind_at, decided_at, lapses_at FROM approvals WHERE asked_at >= lapses_at "
        "OR remind_at <= asked_at OR remind_at >= lapses_at OR reminded_at <= asked_at OR reminded_at >= lapses_at "
        "OR remind_at <= reminded_at OR decided_at < asked_at OR decided_at > lapses_at "
        "OR (status <> 'Open' AND remind_at IS NOT NULL)",
        "request {0} was asked for at {1}, reminds at {2}, was decided at {3} and lapses at {4}, which cannot be",
    ),
    Rule(
        f"SELECT id, due_at, {_DUE} FROM approvals WHERE (due_at IS NULL) <> (({_DUE}) IS NULL) OR due_at <> {_DUE}",
        "request {0} is due at {1}, and its times say {2}",
    ),
    Rule(
        "SELECT a.id, a.order_id FROM approvals a LEFT JOIN orders o ON o.id = a.order_id AND o.unit_id = a.unit_id "
        "AND o.account_id = a.account_id AND o.created_by = a.asked_by AND o.created_at = a.decided_at "
        "AND o.count = a.count AND o.type = a.type AND o.payment_timing = a.payment_timing "
        "AND o.kind = CASE WHEN a.deed = 'resize' THEN 'Resize' ELSE 'Purchase' END "
        f"WHERE a.status = 'Approved' AND (o.id IS NULL OR a.id <> '{PREFIX}' || a.order_id)",
        "request {0} was approved, and its order {1} is not the one that was asked for",
    ),
    Rule(
        f"SELECT a.id, o.id FROM approvals a JOIN orders o ON a.id = '{PREFIX}' || o.id WHERE a.status <> 'Approved'",
        "request {0} was not approved, and its order {1} is there",
    ),
    Rule(
        "SELECT a.id, a.asked_by FROM approvals a LEFT JOIN users u ON u.id = a.asked_by "
        "AND u.account_id = a.account_id WHERE u.id IS NULL",
        "request {0} was asked for by {1}, who is no user of its account",
    ),
    Rule(
        "SELECT a.id, a.decided_by FROM approvals a LEFT JOIN users u ON u.id = a.decided_by "
        "WHERE a.decided_by IS NOT NULL AND u.id IS NULL",
        "request {0} was decided by {1}, and there is no such user",
    ),
    Rule(
        "SELECT g.account_id, g.waiting, count(a.id) FROM guards g LEFT JOIN approvals a "
        "ON a.account_id = g.account_id AND a.status = 'Open' GROUP BY g.account_id, g.waiting "
        "HAVING g.waiting <> count(a.id)",
        "account {0} counts {1} requests that wait, and has {2}",
    ),
    Rule(
        "SELECT a.id, a.account_id FROM approvals a LEFT JOIN guards g ON g.account_id = a.account_id "
        "WHERE g.account_id IS NULL",
        "request {0} is of account {1}, which has no limits",
    ),
)


class RequestEvents(msgspec.Struct):
    """The events of a request: their account, how often it was asked for and by whom, and its ends."""

    account_id: str
    asked: int = 0
    asked_by: str | None = None
    ends: list[tuple[str, int, str | None]] = msgspec.field(default_factory=list)


class Requests:
    """Collects the events of requests for approvals, in the order of all events."""

    def __init__(self) -> None:
        self._found: dict[str, RequestEvents] = {}

    def tell(self, account: str, event: Event) -> None:
        """Take an event of an account."""
        if not event.type.startswith("approval."):
            return
        found = self._found.setdefault(str(event.data.get("approvalId")), RequestEvents(account))
        if event.type == APPROVAL_ASKED:
            found.asked += 1
            found.asked_by = event.user_id
        elif event.type in ENDS.values():
            found.ends.append((event.type, event.at, event.user_id))

    def findings(self, fetch: Fetch, limit: int) -> Iterator[str]:
        """Yield a line for each broken row, and for each request whose events are not those of its row."""
        yield from by_rules(fetch, RULES)
        last, rows = "", fetch(_ROWS, ("", limit))
        while rows:
            for request, account, asked_by, status, decided_by, decided_at in rows:
                found = self._found.pop(request, RequestEvents(account))
                ends = [] if status == "Open" else [(ENDS.get(status), decided_at)]
                is_whose = all(by == decided_by for kind, _, by in found.ends if kind != APPROVAL_LAPSED)
                if (found.account_id, found.asked, found.asked_by) != (account, 1, asked_by):
                    yield f"request {request} of account {account} was asked for, and its events tell another story"
                elif [(kind, at) for kind, at, _ in found.ends] != ends or not is_whose:
                    yield f"request {request} is {status}, and its events tell of other ends"
            last = rows[-1][0]
            rows = fetch(_ROWS, (last, limit))
        for request in sorted(self._found)[:limit]:
            yield f"request {request} does not exist, and events tell of it"


_ROWS: Final = (
    "SELECT id, account_id, asked_by, status, decided_by, decided_at FROM approvals WHERE id > ? ORDER BY id LIMIT ?"
)
