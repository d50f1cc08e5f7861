"""A command that waits for its decision, and the batch that takes it."""

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
    """A command, and the future of the caller that waits for its decision.

    ``epoch`` is that of the caller's identity when it was looked up; None: the command has no caller whose identity
    could change. ``note`` is the call, whose audit entry is written with the decision. ``party`` is the account that
    calls; None: this service itself. ``patient``: whether the command waits for rows that another session has locked;
    due work does not, because the agenda asks for it again.
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
        """The loop's time at which it waits no longer for locked rows; None: it has not waited for any yet."""

    def is_current(self, epoch: str | None) -> bool:
        """Whether the caller's identity is still what it was when it was looked up."""
        return self.epoch is None or self.epoch == epoch

    def answer(self, decision: Decision) -> None:
        """Give the caller the decision, unless it has gone."""
        if not self.future.done():
            self.future.set_result(decision)

    def fail(self, error: BaseException) -> None:
        """Give the caller an error, unless it has an answer or has gone."""
        if not self.future.done():
            self.future.set_exception(error)


class Batch(msgspec.Struct):
    """The work that is loaded, decided and committed together: due work if it is requested, then callers in order."""

    callers: list[WaitingCall]
    request: DueRequest | None = None
    due_reply: asyncio.Future[list[DueDone]] | None = None
    """Gets what became of the due work that ``request`` asks for."""
    lines: list[Line] = []
    """Audit entries of calls that needed no batch. They are written with whichever batch comes next."""
    locked_out: list[DueDone] = []
    """Due work that is left out because another session has locked its rows."""
    is_open: bool = False
    """Whether its transaction has begun. Before that no command is decided, so that callers can still be taken out."""
    is_contended: bool | None = None
    """Whether another server competes for the rows; None: they are not loaded yet, so that it is not known."""

    def __bool__(self) -> bool:
        return bool(self.callers) or self.request is not None or bool(self.lines)

    @property
    def is_moving(self) -> bool:
        """Whether the batch moves the virtual clock to the next due work. It then keeps all its due work, in order."""
        return self.request is not None and self.request.moving

    @property
    def moves_clock(self) -> bool:
        """Whether the batch may change the time of the store's virtual clock."""
        return self.is_moving or any(waiting.command.moves_clock for waiting in self.callers)

    def answer_due(self, due: Sequence[Due], decisions: Sequence[Decision]) -> None:
        """Reply to the request for due work. ``decisions`` may go on after those of the due work."""
        if self.due_reply is not None and not self.due_reply.done():
            done = [DueDone(item, decision) for item, decision in zip(due, decisions, strict=False)]
            self.due_reply.set_result([*done, *self.locked_out])

    def fail_due(self, error: Exception) -> None:
        """Reply to the request for due work that it failed."""
        if self.due_reply is not None and not self.due_reply.done():
            self.due_reply.set_exception(error)
