"""Deciding a batch: which rows it needs, and in which order its commands are decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasehold.commands.command import Command, Decided, DueCommand, Engine, decide, token_needs
from leasehold.domain.agenda import agenda_of
from leasehold.domain.book import REMEMBERED, SERVICES, UNITS, Book, Need, Shelf, Table
from leasehold.domain.calendar import Instant
from leasehold.domain.rules import Rules
from leasehold.sequencer.ports import Transaction

FIRST: frozenset[Table[Any]] = frozenset({REMEMBERED, UNITS, SERVICES})
"""Tables whose rows tell which others are needed. They are loaded, and locked, before all others."""

DEFERRED = Decided(answer=None)
"""The outcome of due work that must wait its turn: something earlier fell due while the batch was decided."""


async def load(transaction: Transaction, commands: Sequence[Command]) -> Book:
    """Load what the commands need, in the one order of tables in which all batches lock."""
    book = Book()
    first: set[Need | Shelf] = set()
    rest: set[Need | Shelf] = set()
    for command in commands:
        for need in (*token_needs(command), *command.needs()):
            (first if not isinstance(need, Shelf) and need[0] in FIRST else rest).add(need)
    if first:
        await transaction.load(first, book)
    for command in commands:
        rest.update(need for need in command.needs_more(book) if _missing(book, need))
    if rest:
        await transaction.load(rest, book)
    return book


def _missing(book: Book, need: Need | Shelf) -> bool:
    return isinstance(need, Shelf) or not book.has(*need)


def decide_all(book: Book, commands: Sequence[Command], rules: Rules, now: Instant, engine: Engine) -> list[Decided]:
    """Decide a batch on its book, in order.

    Due work is decided as of its own due time, never before it, and strictly in the order of those times:
    what a piece of work makes due anew goes before later work, which is put off to a batch of its own.
    """
    outcomes: list[Decided] = []
    turn: Instant | None = None
    for command in commands:
        if not isinstance(command, DueCommand):
            outcomes.append(decide(book, command, rules, now, engine))
            continue
        due = command.due
        if due.at > now or (turn is not None and due.at > turn):
            outcomes.append(DEFERRED)
            continue
        before = agenda_of(book.get(UNITS, due.unit_id))
        outcomes.append(decide(book, command, rules, due.at, engine))
        for item in agenda_of(book.get(UNITS, due.unit_id)) - before:
            if turn is None or item.at < turn:
                turn = item.at
    return outcomes
