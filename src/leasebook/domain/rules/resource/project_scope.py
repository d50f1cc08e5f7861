"""The rules for a caller who has its policy for some projects of the account, and not for all of it.

The check is part of every decision (``commands.command.decide``). ``SCOPED`` has the commands that this caller may
ask for, by the names of their classes, because the classes import this module: every other command is refused, so a new
one is, until it is entered here on purpose. After the command itself, the rows that it writes are checked: none may be
of another project, whatever the command forgot.
"""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.project_scope import Projects, may_change
from leasebook.domain.book.tables import SERVICES
from leasebook.domain.values.refusal import BALANCE, DENIED, QUOTA, Refusal

SCOPED: Final = frozenset(
    {
        *("BuyUnits", "BuyReplicas", "Resize", "Renew", "SetAutoRenew", "ChangeBilling", "ScheduleRelease", "Release"),
        *("CreateService", "DeployService", "ModifyService", "ScaleService", "SwitchService", "DeleteService"),
        *("AttachLogStore", "DetachLogStore", "ChangeTags", "MoveResource", "CreateServiceKey", "DeleteServiceKey"),
        *("CreateHook", "SetHook", "DeleteHook", "TestHook"),
    }
)
"""The commands that are confined to the caller's projects."""

_VEILED: Final = {
    BALANCE: (
        "The balance of the account does not cover this. Ask for less, or ask those who look after the account to top "
        "it up."
    ),
    QUOTA: (
        "A limit of the account or of the project does not allow this. Ask for less, or ask a manager of the account: "
        "DescribeGuardRails (/v2/account) shows the limits, and what is used of them, to users with a policy for the "
        "whole account."
    ),
}


def check_command(command: Any) -> None:
    """Raise Refusal (DENIED) for a command that a policy for projects does not permit."""
    if command.within is not None and type(command).__name__ not in SCOPED:
        raise _denied()


def check_written(draft: Draft, within: Projects | None) -> None:
    """Raise Refusal (DENIED) if a command wrote a row that belongs to another project, or did before."""
    if within is None:
        return
    services = draft.book.rows[SERVICES]
    for (table, key), row in draft.changed.items():
        before = draft.book.rows[table].get(key)
        if not all(one is None or may_change(table, one, within, services) for one in (row, before)):
            raise _denied()


def veiled(refusal: Refusal, within: Projects | None) -> Refusal:
    """Return a refusal as the caller may read it: without the balance, and without what the account holds and spent."""
    if within is None or refusal.reason not in _VEILED or refusal.tells_no_use:
        return refusal
    return Refusal(refusal.reason, _VEILED[refusal.reason], field=refusal.field)


def _denied() -> Refusal:
    return Refusal(
        DENIED,
        "This takes a policy for the whole account, and this key's user has it for projects only. A manager of the "
        "account can attach one (AttachPolicy without projectIds, /v2/iam).",
    )
