"""A purchase that waits for an approval, and what became of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro

ApprovalStatus = Literal["Open", "Approved", "Rejected", "Lapsed"]
ApprovalDeed = Literal["units", "quota", "replicas", "service", "resize"]
LapseReason = Literal["Time", "AccountClosed"]
PREFIX = "apr-"


class Approval(msgspec.Struct, frozen=True):
    """A request for an approval. ``id`` is ``apr-`` and the id that its order gets.

    ``command`` is the command that was refused, as JSON with the name of its class: the approval runs it. ``token`` is
    the client token that it came with. ``deed`` is what it does, ``reasons`` which limits it exceeds. ``price`` is the
    price when it was asked for, for a unit and a minute (postpaid) or a month (prepaid), and ``cost`` that of the term,
    or of 30 days by the minute: both in micro-units. ``count`` is the number of units that the instance is to have.

    ``remind_at`` is when the approvers are reminded next, ``reminded_at`` when they were reminded last. A request that
    is still open at ``lapses_at`` lapses. A request has one end: at ``decided_at`` it was approved or rejected by
    ``decided_by``, or it lapsed by itself (None). ``reason`` says why it was rejected or lapsed. An approved one has
    the order and the instance, and the service if it made one.
    """

    id: str
    account_id: str
    asked_by: str
    deed: ApprovalDeed
    command: str
    token: str | None
    reasons: str
    region: str
    type: str
    count: int
    payment_timing: PaymentTiming
    months: int
    release_at: Instant | None
    price: Micro
    cost: Micro
    self_approval: bool
    asked_at: Instant
    lapses_at: Instant
    remind_at: Instant | None
    status: ApprovalStatus = "Open"
    reminded_at: Instant | None = None
    decided_by: str | None = None
    decided_at: Instant | None = None
    reason: str | None = None
    order_id: str | None = None
    unit_id: str | None = None
    service_id: str | None = None

    @property
    def due_at(self) -> Instant | None:
        """When something happens to it by itself: a reminder, or that it lapses; None: never again."""
        if self.status != "Open":
            return None
        return self.lapses_at if self.remind_at is None else min(self.remind_at, self.lapses_at)


class Consent(msgspec.Struct, frozen=True):
    """The consent to a purchase at ``price`` at most, for a unit and a minute (postpaid) or a month (prepaid)."""

    price: Micro
