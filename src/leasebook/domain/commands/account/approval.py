"""Approvals: the decision on a purchase that waits for one, and what happens to it by itself."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.project_scope import Projects
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, APPROVALS, IDEMPOTENCY_RECORDS, USERS
from leasebook.domain.commands.command import Command, DueCommand, Needs
from leasebook.domain.commands.instance.purchase import BuyReplicas, BuyUnits
from leasebook.domain.commands.instance.resize import Resize
from leasebook.domain.commands.service.service import CreateService
from leasebook.domain.model.approvals.approval import Approval, ApprovalDeed, Consent
from leasebook.domain.record.agenda import approval_due
from leasebook.domain.rules.approval import end_request, next_reminder
from leasebook.domain.rules.resource.project_scope import check_written
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.refusal import BAD_VALUE, DENIED, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

Deed = BuyUnits | BuyReplicas | CreateService | Resize
CLASSES: Final[dict[ApprovalDeed, type[Deed]]] = {
    "units": BuyUnits,
    "quota": BuyUnits,
    "replicas": BuyReplicas,
    "service": CreateService,
    "resize": Resize,
}
_encode: Final = msgspec.json.Encoder().encode


def command_of(row: Approval) -> Deed:
    """Return the command that a request waits with."""
    return msgspec.json.decode(row.command, type=CLASSES[row.deed])


def no_approval(approval_id: str) -> Refusal:
    """Return the refusal (NO_RESOURCE) for a request that the caller does not see."""
    return Refusal(
        NO_RESOURCE,
        f"There is no request {approval_id[:64]!r} for an approval here. DescribeApprovals (/v2/account) lists them.",
        field="approvalId",
    )


class OfApproval(Command, frozen=True, kw_only=True):
    """A decision on an open request. Returns the request after it."""

    answer: ClassVar[type] = Approval

    account_id: str
    approval_id: str

    def needs(self) -> Needs:
        """The request, its account, and the limits of the account, which count what waits."""
        yield APPROVALS, (self.approval_id,)
        yield ACCOUNTS, (self.account_id,)
        yield ACCOUNT_LIMITS, (self.account_id,)

    def open(self, draft: Draft, rules: Rules, now: Instant) -> Approval:
        """Return the request; raises Refusal if there is none (NO_RESOURCE), or if it has ended (WRONG_STATE)."""
        row = draft.get(APPROVALS, self.approval_id)
        if row is None or row.account_id != self.account_id:
            raise no_approval(self.approval_id)
        zone = rules.written_zone
        if row.status == "Open" and now < row.lapses_at:
            return row
        ended = "lapsed" if row.status == "Open" else row.status.lower()
        at = row.lapses_at if row.decided_at is None else row.decided_at
        by = "" if row.decided_by is None else f" by {row.decided_by}"
        raise Refusal(
            WRONG_STATE,
            f"The request {row.id} was {ended}{by} at {rfc3339(at, zone)}. Each request is decided once."
            if row.status in ("Approved", "Rejected")
            else f"The request {row.id} lapsed at {rfc3339(at, zone)}. The purchase can be asked for again.",
            field="approvalId",
        )


class ApprovePurchase(OfApproval, frozen=True, kw_only=True):
    """Approve a request: its purchase is made now, for the user who asked, by the command that was refused.

    Price, stock, limits and balance are checked as for any purchase. ``does`` is that command (``command_of``) with new
    ids for what it makes, ``client_token`` the client token that it came with, and ``buyers`` are the policies that
    permit it.
    """

    does: Deed
    client_token: str | None
    buyers: frozenset[str]

    def needs(self) -> Needs:
        """The request, the needs of the purchase, the user who asked, and the answer kept for that user."""
        yield from super().needs()
        yield from self.does.needs()
        yield USERS, (_asker(self.does),)
        if self.client_token is not None:
            yield IDEMPOTENCY_RECORDS, (self.account_id, self.client_token)

    def needs_more(self, book: Book) -> Needs:
        """The further needs of the purchase."""
        return self.does.needs_more(book)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Approval:
        """Raises Refusal: the request has ended, is the approver's own, or its purchase cannot be made now."""
        row = self.open(draft, rules, now)
        if self.by == row.asked_by and not row.self_approval:
            raise Refusal(
                DENIED,
                "Another user has to approve this request: it is the caller's own. The limit allows own approvals with "
                "selfApproval (SetGuardRails, /v2/account).",
                field="approvalId",
            )
        within = self._check_asker(draft, row)
        draft.asked_by = row.asked_by
        draft.within = within
        done = self._made(draft, row, rules, now)
        check_written(draft, within)
        draft.within = None
        if self.client_token is not None:
            kept = draft.get(IDEMPOTENCY_RECORDS, self.account_id, self.client_token)
            if kept is not None:
                kept = msgspec.structs.replace(kept, refused=False, answer=_encode(done))
                draft.put(IDEMPOTENCY_RECORDS, kept)
        return end_request(
            draft,
            row,
            status="Approved",
            decided_by=self.by,
            decided_at=now,
            order_id=done.order_id,
            unit_id=done.unit_id,
            service_id=getattr(done, "service_id", None),
        )

    def _check_asker(self, draft: Draft, row: Approval) -> Projects | None:
        """Return the projects in which the user who asked may buy, None: in all; raises Refusal (WRONG_STATE)."""
        asker = draft.require(USERS, row.asked_by)
        if asker.deleted_at is not None:
            problem = "was deleted"
        elif asker.is_root or not self.buyers.isdisjoint(asker.policies):
            return None
        else:
            # A policy for projects: the purchase is made in one of them, as its command was refused in one.
            held = (one.project_ids for one in asker.project_policies if one.policy in self.buyers)
            within = frozenset(project_id for ids in held for project_id in ids)
            if within:
                return within
            problem = "may not buy any more"
        raise Refusal(
            WRONG_STATE,
            f"The user {row.asked_by}, who asked for this, {problem}. Reject the request (RejectPurchase, "
            "/v2/account); another user may buy the same.",
            field="approvalId",
        )

    def _made(self, draft: Draft, row: Approval, rules: Rules, now: Instant) -> Any:
        """Run the command; a value of it that was good once and is not any more is no mistake of the approver."""
        try:
            return _with_consent(self.does, Consent(row.price)).decide(draft, rules, now)
        except Refusal as refusal:
            reason = WRONG_STATE if refusal.reason == BAD_VALUE else refusal.reason
            raise Refusal(reason, f"The purchase cannot be made now: {refusal.message}") from None


class RejectPurchase(OfApproval, frozen=True, kw_only=True):
    """Reject a request. An approver may reject an own one."""

    reason: str

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Approval:
        """Raises Refusal: there is no request of that id (NO_RESOURCE), or it has ended (WRONG_STATE)."""
        row = self.open(draft, rules, now)
        return end_request(draft, row, status="Rejected", decided_by=self.by, decided_at=now, reason=self.reason)


class DoApprovalDue(DueCommand, frozen=True, kw_only=True):
    """Remind the approvers of an open request, or let it lapse. Returns whether that was still due.

    Each piece is done once: only while the request itself says that it is due at that time.
    """

    answer: ClassVar[type] = bool

    def needs(self) -> Needs:
        """The request."""
        yield APPROVALS, (self.due.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The limits of its account, which count what waits."""
        row = book.get(APPROVALS, self.due.unit_id)
        if row is not None:
            yield ACCOUNT_LIMITS, (row.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Do the work as of its due time, which is ``now`` here."""
        row = draft.get(APPROVALS, self.due.unit_id)
        if row is None or approval_due(row) != self.due:
            return False
        if row.lapses_at == now:
            end_request(draft, row, status="Lapsed", decided_at=now, reason="Time")
            return True
        seen_at = now if self.seen_at is None else max(now, self.seen_at)
        after = next_reminder(row.lapses_at, seen_at, rules)
        if seen_at >= row.lapses_at:
            # The work is late, and the request is over.
            draft.put(APPROVALS, msgspec.structs.replace(row, remind_at=None))
        else:
            draft.put(APPROVALS, msgspec.structs.replace(row, remind_at=after, reminded_at=now))
        return True


def _asker(does: Deed) -> str:
    return does.by if isinstance(does, Resize) else _purchase(does).by


def _purchase(does: BuyUnits | BuyReplicas | CreateService) -> Any:
    return does.purchase


def _with_consent(does: Deed, consent: Consent) -> Deed:
    if isinstance(does, Resize):
        return msgspec.structs.replace(does, consent=consent)
    purchase = msgspec.structs.replace(_purchase(does), consent=consent)
    return msgspec.structs.replace(does, purchase=purchase)
