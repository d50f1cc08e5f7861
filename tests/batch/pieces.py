"""Helpers that the tests of the pieces share: callers, audit entries, and a store with one account."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from leasebook.batch import AuditWriter
from leasebook.batch.waiting import WaitingCall
from leasebook.domain.book.draft import Draft
from leasebook.domain.commands.command import Command
from leasebook.domain.record.audit_log import Entry, Line, read_body
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import QUOTA, Refusal
from leasebook.domain.values.rule_settings import Rules
from leasebook.security.audit_keys import AuditKeys
from tests.domain.test_audit import entry
from tests.life.test_moving import START
from tests.simulation.memory_store import MemoryStore


class SayCommand(Command, frozen=True, kw_only=True):
    """Is answered with its number, refused, or goes wrong."""

    number: int = 0
    is_refused: bool = False
    is_wrong: bool = False

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:  # noqa: ARG002
        if self.is_wrong:
            raise RuntimeError("a mistake")
        if self.is_refused:
            raise Refusal(QUOTA, "No.")
        return self.number


class BatchRecord:
    """The call behind a command, which has its entry written with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.written_codes: list[str] = []

    def decided(self, at: Instant, refusal: Refusal | None) -> Line:
        return line(self.name, at, "OK" if refusal is None else refusal.reason)

    def written(self, entry: Entry) -> None:
        self.written_codes.append(entry.code)


class LostEntries:
    """Counts entries that went to the server's log."""

    def __init__(self) -> None:
        self.count = 0

    def audit_lost(self, entries: int) -> None:
        self.count += entries


def line(name: str, at: Instant = START, code: str = "OK") -> Line:
    return "acc-1", entry(at, request_id=name, code=code)


def names(lines: list[Line]) -> list[str]:
    return [one.request_id for _, one in lines]


def call(command: Command | None = None, epoch: str | None = None, record: BatchRecord | None = None) -> WaitingCall:
    return WaitingCall(command or SayCommand(), epoch, asyncio.get_running_loop().create_future(), record)


def audit_writer(lost: LostEntries | None = None, waiting_max: int = 100) -> AuditWriter:
    numbers = count()
    return AuditWriter(
        keys=AuditKeys(b"k" * 32),
        new_chain=lambda: f"chain-{next(numbers)}",
        lost=lost or LostEntries(),
        keep_us=None,
        waiting_max=waiting_max,
    )


def written(store: MemoryStore) -> list[str]:
    """Return the names of the entries in the store, in their order."""
    return [one.request_id for _, page in sorted(store.audit.pages.items()) for one in read_body(page.body).entries]
