"""Deciding a batch: which rows it needs, and in which order its commands are decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from leasebook.batch.ports import Transaction
from leasebook.domain.book.book import Book
from leasebook.domain.book.loads import KeysOfUser, Needed, NotLoaded, OfferingsOfType, SuspendedInstances, UsageTotals
from leasebook.domain.book.store_queries import Asked
from leasebook.domain.book.tables import INSTANCES, SERVICES, Table
from leasebook.domain.commands.command import Command, Decision, DueCommand, Engine, decide, token_needs
from leasebook.domain.record import identity_log
from leasebook.domain.record.agenda import Due, DueKind, agenda_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules

FIRST: frozenset[Table[Any]] = frozenset({INSTANCES, SERVICES})
"""Tables whose rows tell which others are needed. They are loaded, and locked, before all others but client tokens."""

DEFERRED = Decision(answer=None)
"""The outcome of due work that must wait its turn: something earlier fell due while the batch was decided."""


def needs_of(command: Command, book: Book) -> set[Needed]:
    """Return every row that a command needs, as far as the rows tell that are loaded."""
    needs = {*token_needs(command), *command.needs()}
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

    Rows that are ``barred`` are not touched, and commands that need one are not to be decided on the book.
    """
    book = Book() if book is None else book
    if barred:
        # Once, before anything is loaded; and again once it is known which rows more are needed.
        commands = [command for command in commands if barred.isdisjoint(needs_of(command, book))]
    tokens: set[Needed] = set()
    first: set[Needed] = set()
    rest: set[Needed] = set()
    for command in commands:
        tokens.update(token_needs(command))
        for need in command.needs():
            (first if _tells(need) else rest).add(need)
    if first:
        await transaction.load(tokens | first, book)
    else:
        # A token tells of no other row, so it costs no round trip of its own.
        rest |= tokens
    more: set[Needed] = set()
    if barred:
        commands = [command for command in commands if barred.isdisjoint(needs_of(command, book))]
        rest &= {need for command in commands for need in needs_of(command, book)}
    for command in commands:
        more.update(command.needs_more(book))
    # Most of a batch needs the same few rows, so each is looked for once.
    rest.update(need for need in more if _missing(book, need))
    rest.update(identity_log.needs_of(rest))
    if rest:
        await transaction.load(rest, book)
    return book


def _tells(need: Needed) -> bool:
    if isinstance(need, OfferingsOfType | UsageTotals | KeysOfUser | Asked):
        return False
    return isinstance(need, SuspendedInstances) or need[0] in FIRST


def _missing(book: Book, need: Needed) -> bool:
    return isinstance(need, OfferingsOfType | SuspendedInstances | UsageTotals | KeysOfUser | Asked) or not book.has(
        *need
    )


def decide_in_parts(
    book: Book, commands: Sequence[Command], rules: Rules, now: Instant, engine: Engine, size: int | None
) -> Iterator[list[Decision]]:
    """Decide a batch on its book, in order, and return the outcomes of so many commands at a time; None: of all.

    Due work is decided as of its own due time, never before it, and strictly in its order (``Due``): what a
    piece of work makes due anew goes before what comes after that, which is put off to a batch of its own. So it
    makes no difference how late it is done, and how much of it together.
    """
    outcomes: list[Decision] = []
    turn: Due | None = None
    last = max((command.due.at for command in commands if isinstance(command, DueCommand)), default=None)
    for command in commands:
        if len(outcomes) == size:
            yield outcomes
            outcomes = []
        if not isinstance(command, DueCommand):
            outcomes.append(decide(book, command, rules, now, engine))
            continue
        due = command.due
        if due.at > now or (turn is not None and due > turn):
            outcomes.append(DEFERRED)
            continue
        if due.kind is DueKind.REMIND:
            command = msgspec.structs.replace(command, seen_at=now)  # noqa: PLW2901 - the same work, done now
        if due.at == last:
            # Nothing that comes after it is later, and work makes nothing due that would be before itself.
            outcomes.append(decide(book, command, rules, due.at, engine))
            continue
        before = agenda_of(book.get(INSTANCES, due.unit_id))
        outcomes.append(decide(book, command, rules, due.at, engine))
        for item in agenda_of(book.get(INSTANCES, due.unit_id)) - before:
            if turn is None or item < turn:
                turn = item
    yield outcomes
