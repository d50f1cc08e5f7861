"""Requests for approvals as values: how long answers are kept, and the work that falls due, however late."""

from __future__ import annotations

import msgspec
import pytest

from leasebook.domain.book.book import Book
from leasebook.domain.book.tables import ACCOUNT_LIMITS, APPROVALS, IDEMPOTENCY_RECORDS
from leasebook.domain.commands.account.approval import DoApprovalDue
from leasebook.domain.commands.command import Engine, decide
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.model.limits import AccountLimits, GuardRules
from leasebook.domain.record.agenda import Due, DueKind, approval_due
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant
from leasebook.domain.values.refusal import APPROVAL
from leasebook.domain.values.rule_settings import Rules
from tests.domain.test_buying_rules import NOW, book, buy

RULES = Rules(approval_keep_us=72 * HOUR_US, approval_remind_us=(DAY_US, HOUR_US))
TOKEN = IdempotencyKey("acc-1", "once", "digest")
LAPSES = Instant(NOW + 72 * HOUR_US)


def asked() -> tuple[Book, Approval]:
    """A book in which a purchase was asked for with a client token."""
    made = book()
    rules = GuardRules(needs_approval=ApprovalLimit(units={"*": 0}))
    made.load(ACCOUNT_LIMITS, ("acc-1",), AccountLimits("acc-1", rules))
    made.load(IDEMPOTENCY_RECORDS, ("acc-1", "once"), None)
    decided = decide(made, msgspec.structs.replace(buy(3), token=TOKEN), RULES, NOW, Engine())
    assert decided.refusal is not None
    assert decided.refusal.reason == APPROVAL
    row = made.get(APPROVALS, "apr-order-new")
    assert row is not None
    return made, row


def waiting(made: Book) -> int:
    guard = made.get(ACCOUNT_LIMITS, "acc-1")
    assert guard is not None
    return guard.waiting


def do(made: Book, at: Instant, seen_at: Instant | None = None) -> bool:
    """Do a request's work of that time; returns whether it was due."""
    work = DoApprovalDue(due=Due(at, DueKind.APPROVAL, "apr-order-new"), seen_at=seen_at)
    return bool(decide(made, work, RULES, at, Engine()).answer)


def test_a_client_tokens_answer_is_kept_from_the_end_of_the_request_on() -> None:
    made, row = asked()
    kept = made.get(IDEMPOTENCY_RECORDS, "acc-1", "once")
    assert kept is not None
    assert kept.refused
    assert (kept.created_at, row.lapses_at) == (LAPSES, LAPSES)


def test_due_work_is_done_once_each_and_the_request_ends_once() -> None:
    made, row = asked()
    assert approval_due(row) == Due(Instant(LAPSES - DAY_US), DueKind.APPROVAL, row.id)
    for at in (Instant(LAPSES - DAY_US), Instant(LAPSES - HOUR_US), LAPSES):
        assert do(made, at)
        after = made.get(APPROVALS, row.id)
        assert not do(made, at)
        assert made.get(APPROVALS, row.id) == after
    ended = made.get(APPROVALS, row.id)
    assert ended is not None
    assert (ended.status, ended.decided_at, approval_due(ended), waiting(made)) == ("Lapsed", LAPSES, None, 0)
    types = [event.type for event in made.events["acc-1"]]
    assert types == ["approval.asked", "approval.reminder", "approval.reminder", "approval.lapsed"]


@pytest.mark.parametrize(
    ("late_us", "reminders", "next_at"),
    [
        (0, 1, Instant(LAPSES - HOUR_US)),
        (22 * HOUR_US, 1, Instant(LAPSES - HOUR_US)),
        (23 * HOUR_US, 1, LAPSES),
        (24 * HOUR_US, 0, LAPSES),
    ],
)
def test_a_late_reminder_is_given_once_in_the_place_of_all_that_are_late_and_none_after_the_end(
    late_us: int, reminders: int, next_at: Instant
) -> None:
    made, row = asked()
    first = Instant(LAPSES - DAY_US)
    assert do(made, first, Instant(first + late_us))
    after = made.get(APPROVALS, row.id)
    assert after is not None
    assert approval_due(after) == Due(next_at, DueKind.APPROVAL, row.id)
    assert [event.type for event in made.events["acc-1"]].count("approval.reminder") == reminders
