"""Who waits for a batch, and what a batch is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from leasebook.batch.audit_writer import AuditContext
from leasebook.batch.ports import DueDone, DueRequest
from leasebook.domain.commands.command import Command, Decision
from leasebook.domain.record.agenda import Due
from leasebook.domain.record.audit_log import Line


class WaitingCall:
    """A command, and the future of whoever waits for its outcome.

    ``party`` is the account that asks; None: this service itself. ``patient``: whether it waits for rows that somebody
    else holds; due work does not, since it comes again by itself.
    """

    __slots__ = ("command", "epoch", "future", "note", "party", "patient", "until")

    def __init__(
        self,
        command: Command,
        epoch: str | None,
        future: asyncio.Future[Decision],
        note: AuditContext | None = None,
        party: str | None = None,
        *,
        patient: bool = True,
    ) -> None:
        self.command = command
        self.epoch = epoch
        self.future = future
        self.note = note
        self.party = party
        self.patient = patient
        self.until: float | None = None
        """When its patience ends, on the loop's clock, once it was put aside."""

    def is_current(self, epoch: str | None) -> bool:
        """Whether the caller's identity is still what it was when it was looked up."""
        return self.epoch is None or self.epoch == epoch

    def answer(self, decided: Decision) -> None:
        """Hand over the outcome; whoever asked may have gone."""
        if not self.future.done():
            self.future.set_result(decided)

    def fail(self, error: BaseException) -> None:
        """Say what went wrong."""
        if not self.future.done():
            self.future.set_exception(error)


class Batch(msgspec.Struct):
    """What is taken together: due work, as far as it is asked for, and then callers in their order."""

    callers: list[WaitingCall]
    request: DueRequest | None = None
    wants_due: asyncio.Future[list[DueDone]] | None = None
    notes: list[Line] = []
    """Entries of calls that reached no batch; they go with whichever comes next."""
    held_up: list[DueDone] = []
    """Due work that was left out because somebody else holds its rows."""

    def __bool__(self) -> bool:
        return bool(self.callers) or self.request is not None or bool(self.notes)

    @property
    def is_moving(self) -> bool:
        """Whether it moves the virtual clock to what is due next. Then order is everything, and nothing is left out."""
        return self.request is not None and self.request.moving

    @property
    def moves_clock(self) -> bool:
        """Whether the store's virtual clock will stand elsewhere afterwards."""
        return self.is_moving or any(waiting.command.moves_clock for waiting in self.callers)

    def answer_due(self, due: Sequence[Due], outcomes: Sequence[Decision]) -> None:
        """Say what became of the due work."""
        if self.wants_due is not None and not self.wants_due.done():
            done = [DueDone(item, outcome) for item, outcome in zip(due, outcomes, strict=False)]
            self.wants_due.set_result([*done, *self.held_up])
