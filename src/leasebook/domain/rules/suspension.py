"""The table of commands that a suspended account refuses: nothing is bought or made in it, and every end is allowed.

A closed account refuses them too, and those of ``REFUSED_IF_CLOSED``. Every other command is in ``ALLOWED``, so that a
new command is placed on purpose. The tables have the names of the classes, because the classes import this module. The
check is part of every decision (``commands.command.decide``), on the
account's row, which the batch has locked: a purchase that comes with the suspension is decided before or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final, NamedTuple

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import Need
from leasebook.domain.book.tables import ACCOUNTS, INSTANCES, USERS
from leasebook.domain.model.account import Account
from leasebook.domain.model.limits import is_no_later
from leasebook.domain.values.refusal import SUSPENDED, Refusal


class Suspension(NamedTuple):
    """Whose account counts for a command, and when a suspended account refuses it."""

    account_of: Callable[[Any], str]
    refuses: Callable[[Draft, Any], bool] = lambda _draft, _command: True


def _is_later(draft: Draft, command: Any) -> bool:
    unit = draft.get(INSTANCES, command.unit_id)
    before = None if unit is None else unit.release_at
    return before is not None and not is_no_later(command.release_at, before)


def _grows(draft: Draft, command: Any) -> bool:
    """Whether the service gets more replicas on the instance than it has there."""
    unit = draft.get(INSTANCES, command.unit_id)
    placed = () if unit is None else unit.placements
    return bool(command.replicas > sum(one.replicas for one in placed if one.service_id == command.service_id))


def _makes_a_user(draft: Draft, command: Any) -> bool:
    """Whether it is the first sign-in of a person; users who exist sign in as their keys sign."""
    return draft.get(USERS, command.user_id) is None


_OWN: Final = Suspension(attrgetter("account_id"))
_BUYER: Final = Suspension(attrgetter("purchase.account_id"))
_MAKER: Final = Suspension(attrgetter("new.account_id"))

REFUSED: Final = {
    "BuyUnits": _BUYER,
    "BuyReplicas": _BUYER,
    "QuoteUnits": _BUYER,
    "QuoteChange": _OWN,
    "Resize": _OWN,
    "Renew": _OWN,
    "SetAutoRenew": Suspension(_OWN.account_of, lambda _draft, command: command.months is not None),
    "ChangeBilling": _OWN,
    # An earlier release, and the first one, end something sooner.
    "ScheduleRelease": Suspension(_OWN.account_of, _is_later),
    "CreateService": _MAKER,
    "DeployService": _MAKER,
    "ScaleService": Suspension(_OWN.account_of, _grows),
    "SwitchService": Suspension(_OWN.account_of, lambda _draft, command: command.active),
    "AttachLogStore": _OWN,
    "CreateServiceKey": _OWN,
    "CreateModelSet": Suspension(attrgetter("owner_id")),
    "CreateModel": _OWN,
    "CreateUser": _OWN,
    "SignInByOpenId": Suspension(_OWN.account_of, _makes_a_user),
    "AnswerDevice": Suspension(_OWN.account_of, lambda _draft, command: command.key is not None),
    "CreateAccessKey": _OWN,
    "CreateHook": _OWN,
    "GrantPackage": _OWN,
    "CreateProject": _OWN,
    "MoveResource": _OWN,
}
"""The commands that a suspended or closed account refuses, by the names of their classes."""
REFUSED_IF_CLOSED: Final = {
    "TopUp": _OWN,
    "EnableAccessKey": _OWN,
    "ChangePolicies": Suspension(_OWN.account_of, lambda _draft, command: command.attach),
}
"""Further commands that a closed account refuses."""
ALLOWED: Final = frozenset(
    {
        # Of the house, and of the store.
        *("CreateAccount", "RenameAccount", "SuspendAccount", "ResumeAccount", "CloseAccount", "SetGuardRails"),
        "SetTagPolicy",
        *("SetOffering", "CloseOffering", "ReopenOffering", "RemoveOffering", "ReportSupply", "ClaimHome"),
        *("BootstrapStore", "TakeRootKey", "StockCatalogue", "LoadDemo", "LoadExamples", "TakeNewName"),
        *("MoveClock", "NoteClock", "TurnMasterKey", "Reseal", "EndTurning", "ProveWriting"),
        # They end something, or record what happened.
        *("Release", "DeleteService", "DeleteModel", "DeleteModelSet", "DetachLogStore", "WithdrawApproval"),
        *("DeleteUser", "DisableAccessKey", "DeleteServiceKey", "DeleteHook", "EndHook"),
        *("ConfirmRunning", "ConfirmFailed", "ConfirmResized", "ConfirmResizeFailed", "ConfirmReleased"),
        *("HoldLeases", "TakeLeases", "GiveBackLease", "BeginStart", "WriteReplica", "GiveUpCreating", "Settled"),
        *("CountCalls", "ForgetMinutes", "UseNonce", "NoteRefused", "ChangeTags"),
        *("FoldCosts", "SpendSignIn", "AskForKey", "SetPassword"),
        *("AddSecondFactor", "UseSecondFactor", "RemoveSecondFactor"),
        *("EnqueueDeliveries", "EnqueueAcross", "ClaimLanes", "DeliveryDone"),
        # Due work and links run other rules, which ask for the account's status themselves where they buy.
        *("DoDue", "UseLink"),
        # Approvals run the purchase, whose own rule counts. Requests end without buying.
        *("ApprovePurchase", "RejectPurchase", "DoApprovalDue"),
        # They change existing rows, and neither buy nor make anything.
        *("RenameUser", "SetUserContact", "SetKeyRules", "SetReminders", "ModifyService", "ApproveModel"),
        *("ModifyProject", "CloseProject"),
        *("SetHook", "TestHook", "ConfirmHook", "Redeliver", "RedeliverGivenUp", "TryAgain"),
    }
)
"""The commands that every account allows."""
_REFUSED_IF_CLOSED: Final = REFUSED | REFUSED_IF_CLOSED


def suspension_needs(command: Any) -> Iterator[Need]:
    """Yield the account of a command that a suspended or closed account may refuse: purchases load that row anyway."""
    rule, asked = _rule_of(command)
    if rule is not None:
        yield ACCOUNTS, (rule.account_of(asked),)


def check_suspension(draft: Draft, command: Any) -> None:
    """Raise Refusal (SUSPENDED) if the account of the command is suspended or closed, and refuses it."""
    rule, asked = _rule_of(command)
    if rule is None:
        return
    # Straight from the rows: tests of single rules load no account.
    account: Account | None = draft.book.rows[ACCOUNTS].get((rule.account_of(asked),))
    if account is None or account.status == "Active" or not rule.refuses(draft, asked):
        return
    if account.status == "Closed":
        raise Refusal(
            SUSPENDED,
            f"The account {account.id} is closed, and a closed account stays closed: its books can be read, and "
            "nothing is bought, made or paid in it any more. CreateAccount (/v2/iam) opens another one.",
        )
    if type(asked).__name__ in REFUSED:
        raise Refusal(
            SUSPENDED,
            f"The account {account.id} is suspended: {account.status_reason} Instances can be released, and whatever "
            "runs goes on. An operator ends the suspension with ResumeAccount (/v2/iam).",
        )


def _rule_of(command: Any) -> tuple[Suspension | None, Any]:
    """Return the rule for a command, and the command that it is about: links and approvals run another one."""
    name = type(command).__name__
    if name in ("UseLink", "ApprovePurchase"):
        command = command.does
        name = type(command).__name__
    return _REFUSED_IF_CLOSED.get(name), command
