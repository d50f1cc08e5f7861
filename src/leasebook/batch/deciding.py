"""Which rows a batch needs, and in which order its commands are decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from leasebook.batch.ports import Transaction
from leasebook.domain.book.book import Book
from leasebook.domain.book.charged_tags import charged_tags
from leasebook.domain.book.loads import (
    ChargedTags,
    KeysOfUser,
    Needed,
    NotLoaded,
    OfferingsOfType,
    SuspendedInstances,
    UsageTotals,
    WholeAccount,
)
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import APPROVALS, INSTANCES, SERVICES, Table
from leasebook.domain.commands.command import Command, Decision, DueCommand, Engine, decide, nonce_needs, token_needs
from leasebook.domain.record import identity_log
from leasebook.domain.record.agenda import NOTHING, Due, DueKind, agenda_of, approval_due
from leasebook.domain.rules.suspension import suspension_needs
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules

FIRST: frozenset[Table[Any]] = frozenset({INSTANCES, SERVICES, APPROVALS})
"""Tables whose rows name further rows that are needed. They are loaded and locked first, after idempotency records."""

SEEN: frozenset[DueKind] = frozenset({DueKind.REMIND, DueKind.APPROVAL})
"""Kinds of due work that depend on when it is really done: late reminders are left out."""

DUE_DEFERRED = Decision(answer=None)
"""The decision on due work that must wait, because the batch made something due that comes before it."""


def needs_of(command: Command, book: Book) -> set[Needed]:
    """Return every row that a command needs, as far as the rows loaded so far show."""
    needs = {*token_needs(command), *nonce_needs([command], book), *suspension_needs(command), *command.needs()}
    with suppress(NotLoaded):
        needs.update(command.needs_more(book))
    return needs


async def load(
    transaction: Transaction,
    commands: Sequence[Command],
    book: Book | None = None,
    barred: frozenset[Needed] = frozenset(),
) -> Book:
    """Load what the commands need, in the one order of tables in which all batches lock.

    Commands that need a row in ``barred`` are skipped: no row is loaded for them, and the caller must not decide them.
    """
    book = Book() if book is None else book
    if barred:
        # Now, before anything is loaded, and again below, when it is known which further rows are needed.
        commands = [command for command in commands if barred.isdisjoint(needs_of(command, book))]
    tokens = nonce_needs(commands, book)
    first: set[Needed] = set()
    rest: set[Needed] = set()
    for command in commands:
        tokens.update(token_needs(command))
        rest.update(suspension_needs(command))
        for need in command.needs():
            (first if _names_others(need) else rest).add(need)
    if first:
        await transaction.load(tokens | first, book)
    else:
        # An idempotency record names no other row, so it needs no round trip before the others.
        rest |= tokens
    more: set[Needed] = set()
    if barred:
        commands = [command for command in commands if barred.isdisjoint(needs_of(command, book))]
        rest &= {need for command in commands for need in needs_of(command, book)}
    for command in commands:
        more.update(command.needs_more(book))
    # Most commands of a batch need the same few rows, so each row is loaded once.
    rest.update(need for need in more if _missing(book, need))
    rest.update(identity_log.needs_of(rest))
    if rest:
        await transaction.load(rest, book)
    # Hardly ever: another server has filled pages of nonces, or this one has just started.
    while pages := nonce_needs(commands, book):
        await transaction.load(pages, book)
    # Whether the charges of an account are counted by tag is in its limits, which are loaded last.
    tags = charged_tags(book)
    if tags is not None:
        await transaction.load({tags}, book)
    return book


def _names_others(need: Needed) -> bool:
    if isinstance(need, OfferingsOfType | UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked):
        return False
    return isinstance(need, SuspendedInstances) or need[0] in FIRST


def _missing(book: Book, need: Needed) -> bool:
    special = OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | WholeAccount | ChargedTags | Asked
    return isinstance(need, special) or not book.has(*need)


def decide_in_parts(
    book: Book, commands: Sequence[Command], rules: Rules, now: Instant, engine: Engine, size: int | None
) -> Iterator[list[Decision]]:
    """Decide a batch on its book, in order, and yield the decisions on ``size`` commands at a time; None: on all.

    Due work is decided as of its own due time, never before it, and strictly in its order (``Due``). If a piece of
    work makes something due, all work that does not come before its time and kind is deferred to another batch. So the
    result does not depend on how late the work is done, nor on how much of it one batch takes.
    """
    # A nonce stays used even if its command is refused: otherwise a copied request, refused for lack of stock, could be
    # sent again later and buy.
    replayed = book.use_nonces(
        (number, command.nonce) for number, command in enumerate(commands) if command.nonce is not None
    )
    outcomes: list[Decision] = []
    next_due: tuple[Instant, DueKind] | None = None
    last = max((command.due.at for command in commands if isinstance(command, DueCommand)), default=None)
    for number, command in enumerate(commands):
        if len(outcomes) == size:
            yield outcomes
            outcomes = []
        if number in replayed:
            outcomes.append(Decision(refusal=replayed[number]))
            continue
        if not isinstance(command, DueCommand):
            outcomes.append(decide(book, command, rules, now, engine))
            continue
        due = command.due
        if due.at > now or (next_due is not None and (due.at, due.kind) >= next_due):
            outcomes.append(DUE_DEFERRED)
            continue
        if due.kind in SEEN:
            command = msgspec.structs.replace(command, seen_at=now)  # noqa: PLW2901 - the same work, with the present time
        if due.at == last:
            # No work in this batch is later, and work makes nothing due before its own time: there is nothing to defer.
            outcomes.append(decide(book, command, rules, due.at, engine))
            continue
        before = _agenda(book, due)
        outcomes.append(decide(book, command, rules, due.at, engine))
        for item in _agenda(book, due) - before:
            if next_due is None or (item.at, item.kind) < next_due:
                next_due = item.at, item.kind
    yield outcomes


def _agenda(book: Book, due: Due) -> frozenset[Due]:
    """Return all due work of the instance, or of the request for an approval, that a piece of due work is about."""
    if due.kind is not DueKind.APPROVAL:
        return agenda_of(book.get(INSTANCES, due.unit_id))
    own = approval_due(book.get(APPROVALS, due.unit_id))
    return NOTHING if own is None else frozenset([own])
