"""The command for each piece of due work."""

from __future__ import annotations

from leasebook.domain.commands.account.approval import DoApprovalDue
from leasebook.domain.commands.command import DueCommand
from leasebook.domain.commands.instance.due import DoDue
from leasebook.domain.record.agenda import Due, DueKind


def due_command(due: Due) -> DueCommand:
    """Return the command that does a piece of due work."""
    return DoApprovalDue(due=due) if due.kind is DueKind.APPROVAL else DoDue(due=due)
