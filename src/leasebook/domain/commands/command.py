"""The base of all commands: named needs, one decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Needed
from leasebook.domain.book.project_scope import Projects
from leasebook.domain.book.tables import FORMER_NONCES, IDEMPOTENCY_RECORDS
from leasebook.domain.model.idempotency import IdempotencyKey, IdempotencyRecord
from leasebook.domain.model.instance import Instance
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.nonce import Nonce
from leasebook.domain.rules.approval import ApprovalNeeded, keep_request
from leasebook.domain.rules.resource.project_scope import check_command, check_written, veiled
from leasebook.domain.rules.resource.tag_policy import check_new_things
from leasebook.domain.rules.suspension import check_suspension
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import REMEMBERED as KEPT
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.rule_settings import Rules

Needs = Iterable[Needed]

IN_TRANSITION: Final = frozenset({"Creating", "Reconfiguring", "Releasing"})
"""Statuses in which an instance waits for its engine."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is to happen to the books.

    ``needs`` are rows whose keys the command carries; ``needs_more`` are rows whose keys are in rows of the first kind.
    Tables of the second kind come later in ``tables.TABLES`` than those of the first kind of the same command, so that
    the order of locks is kept within a command. ``decide`` returns
    the answer or raises Refusal; it writes only to the draft.
    """

    answer: ClassVar[Any] = None
    """The type of the answer, by which the answer kept for a client token is decoded."""

    moves_clock: ClassVar[bool] = False
    """Whether it moves or creates the store's virtual clock. Then no other batch runs at the same time."""

    obeys_tag_policy: ClassVar[bool] = True
    """Whether what it makes needs the tags of the account's policy. The demo's own objects do not."""

    token: IdempotencyKey | None = None
    by: str | None = None
    """The user who asks; None: no user does, it happens by itself."""
    why: str | None = None
    """The reason of an operator who acts in another account. The events of instances tell it to their owner."""
    within: Projects | None = None
    """The projects that the caller's policy is for, by their public ids; None: the whole account."""
    nonce: Nonce | None = None
    """The nonce of the request's signature. It is used up with the decision, even by a refusal."""

    def needs(self) -> Needs:
        """Yield needs known from the command alone."""
        return ()

    def needs_more(self, book: Book) -> Needs:  # noqa: ARG002 - most commands need no more
        """Yield needs known once the first are loaded."""
        return ()

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:
        """Decide; see the class."""
        raise NotImplementedError


class DueCommand(Command, frozen=True, kw_only=True):
    """Due work. It is decided as of its due time, even if it runs late (decision 6).

    ``seen_at`` is when it really runs, for the few kinds that need it; None: at its due time.
    """

    due: Due
    seen_at: Instant | None = None


class Engine(msgspec.Struct, frozen=True):
    """The part of an engine that rules can see: confirmations that it gives without being asked."""

    def confirmations(self, unit: Instance) -> Sequence[Command]:  # noqa: ARG002 - an ordinary engine must be asked
        """Return the engine's immediate reports about an instance in transition."""
        return ()


class Decision(msgspec.Struct, frozen=True):
    """The outcome of one command: its answer or its refusal."""

    answer: Any = None
    refusal: Refusal | None = None

    def result(self) -> Any:
        """Return the answer; raises the refusal."""
        if self.refusal is not None:
            raise self.refusal
        return self.answer


def decide(book: Book, command: Command, rules: Rules, now: Instant, engine: Engine) -> Decision:
    """Decide one command on the book, in place; a refusal leaves the book unchanged.

    The engine's immediate confirmations for instances in transition are decided right after it, with the commands that
    slower engines report by.
    """
    token = command.token
    if token is not None:
        before = book.get(IDEMPOTENCY_RECORDS, token.account_id, token.value)
        if before is not None:
            return _again(before, token, command)
    draft = Draft(book, now, command.within)
    try:
        check_command(command)
        check_suspension(draft, command)
        decided = Decision(answer=command.decide(draft, rules, now))
        kept_from = now
        check_new_things(draft, obeys=command.obeys_tag_policy)
        check_written(draft, command.within)
    except Refusal as refusal:
        draft, decided, kept_from = _refused(book, command, refusal, rules, now)
    if token is not None and (decided.refusal is None or decided.refusal.reason in KEPT):
        draft.put(IDEMPOTENCY_RECORDS, _remember(token, decided, kept_from))
    book.accept(draft, now, command.by, command.why)
    for row in list(draft.changed.values()):
        if type(row) is Instance and row.status in IN_TRANSITION:
            for report in engine.confirmations(row):
                decide(book, report, rules, now, engine)
    return decided


def _refused(
    book: Book, command: Command, refusal: Refusal, rules: Rules, now: Instant
) -> tuple[Draft, Decision, Instant]:
    """Return what a refused command leaves: nothing, or a request for an approval; and when its answer counts from.

    The answer to a client token is kept as long as the request waits, and then as long as any other.
    """
    draft = Draft(book, now)
    if not isinstance(refusal, ApprovalNeeded):
        return draft, Decision(refusal=veiled(refusal, command.within)), now
    try:
        answer, lapses_at = keep_request(draft, command, refusal, rules, now)
    except Refusal as too_many:
        return Draft(book, now), Decision(refusal=veiled(too_many, command.within)), now
    return draft, Decision(refusal=answer), lapses_at


def token_needs(command: Command) -> Needs:
    """Return the row that shows whether the command came before, by its client token."""
    token = command.token
    return () if token is None else ((IDEMPOTENCY_RECORDS, (token.account_id, token.value)),)


def nonce_needs(commands: Iterable[Command], book: Book) -> set[Needed]:
    """Return the rows not yet loaded that show whether the nonces of the commands' signatures were used before."""
    needs: set[Needed] = set()
    seconds: set[tuple[Instant, str]] = set()
    for command in commands:
        nonce = command.nonce
        if nonce is None:
            continue
        seconds.add((nonce.until, nonce.access_key_id))
        if nonce.may_be_former and not book.has(FORMER_NONCES, (nonce.access_key_id, nonce.value)):
            needs.add((FORMER_NONCES, (nonce.access_key_id, nonce.value)))
    for until, access_key_id in seconds:
        needs.update(book.nonce_needs(until, access_key_id))
    return needs


class _Refused(msgspec.Struct):
    reason: str
    message: str
    field: str | None


def _remember(token: IdempotencyKey, decided: Decision, kept_from: Instant) -> IdempotencyRecord:
    refusal = decided.refusal
    kept = decided.answer if refusal is None else _Refused(refusal.reason, refusal.message, refusal.field)
    return IdempotencyRecord(
        token.account_id, token.value, token.digest, refusal is not None, msgspec.json.encode(kept), kept_from
    )


def _again(before: IdempotencyRecord, token: IdempotencyKey, command: Command) -> Decision:
    try:
        before.check(token)
    except Refusal as refusal:
        return Decision(refusal=refusal)
    if before.refused:
        kept = msgspec.json.decode(before.answer, type=_Refused)
        return Decision(refusal=Refusal(kept.reason, kept.message, field=kept.field))
    return Decision(answer=msgspec.json.decode(before.answer, type=command.answer))
