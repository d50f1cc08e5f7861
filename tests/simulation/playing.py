"""Plays whole histories."""

from __future__ import annotations

from typing import Any

from leasebook.batch import AuditWriter
from leasebook.domain.book.tables import IDEMPOTENCY_RECORDS
from leasebook.domain.commands.command import Decision
from leasebook.security.audit_keys import AuditKeys
from tests.simulation.history import History
from tests.simulation.invariants import check_books
from tests.simulation.memory_books import Books
from tests.simulation.memory_store import MemoryStore
from tests.simulation.office import StoreHarness
from tests.simulation.witness import Witness


def sealing(key: bytes) -> AuditWriter:
    """Return what seals identities under a master key, as servers do it."""
    return AuditWriter(keys=AuditKeys(key), new_chain=lambda: "chain", lost=_Unlost(), keep_us=None)


class _Unlost:
    def audit_lost(self, entries: int) -> None:
        """Lose none."""
        raise AssertionError(f"{entries} audit entries were lost")


async def played(
    history: History, store: Any, *, batch: int = 1, part: int | None = None, key: bytes | None = None
) -> list[Decision]:
    """Play a history on time; returns its answers. With a master ``key`` identities are sealed, as servers do it."""
    audit_writer = None if key is None else sealing(key)
    office = StoreHarness(store, history.rules, history.engine, batch=batch, part=part, audit_writer=audit_writer)
    answers: list[Decision] = []
    for at, commands in history.rounds:
        await office.move(at)
        answers += await office.say(commands, at)
    return answers


async def watched(history: History, *, twice: bool = False) -> tuple[Books, Witness]:
    """Play a history on time, and check everything after every step; returns what came of it."""
    store, witness = MemoryStore(), Witness(history.rules, history.engine)
    office = StoreHarness(store, history.rules, history.engine, twice=twice, witness=witness.committed)
    for at, commands in history.rounds:
        await office.move(at)
        check_books(store.books(), history.rules, at)
        witness.check_metered(store.books(), at)
        for command in commands:
            before = _but_tokens(store.books())
            (decided,) = await office.say([command], at)
            after = store.books()
            if witness.answered(command, decided):
                assert _but_tokens(after) == before, "a refusal, or an answer given again, changed something"
            check_books(after, history.rules, at)
    witness.check_bills(store.books())
    return store.books(), witness


def _but_tokens(books: Books) -> Books:
    return books._replace(rows={name: rows for name, rows in books.rows.items() if name != IDEMPOTENCY_RECORDS.name})
