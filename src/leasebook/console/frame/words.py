"""Words of the API in the reader's language: statuses and kinds of events. Unknown ones are shown as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final


def marked(text: str) -> str:
    """Mark a text that is translated where it is shown."""
    return text


STATUSES: Final[dict[str, tuple[str, str]]] = {
    "Creating": (marked("Creating"), "warn"),
    "CreateFailed": (marked("Could not be created"), "bad"),
    "Running": (marked("Running"), "good"),
    "Stopped": (marked("Stopped"), "bad"),
    "Releasing": (marked("Releasing"), "warn"),
    "Released": (marked("Released"), ""),
    "Reconfiguring": (marked("Resizing"), "warn"),
    "ReconfigureFailed": (marked("Could not be resized"), "bad"),
    "BillingChanging": (marked("Billing changes"), "warn"),
}
"""By status: the word, and the class that colours it."""
SERVICE_STATUSES: Final[dict[str, tuple[str, str]]] = {
    "New": (marked("No replicas yet"), ""),
    "Deploying": (marked("Its replicas start"), "warn"),
    "Serving": (marked("Serving"), "good"),
    "Failed": (marked("Failed"), "bad"),
    "Stopped": (marked("Off"), "bad"),
}
"""By status of a service: the word, and the class that colours it."""
REPLICA_STATES: Final[dict[str, tuple[str, str]]] = {
    "Starting": (marked("Starting"), "warn"),
    "Ready": (marked("Healthy"), "good"),
    "Unhealthy": (marked("Does not answer"), "bad"),
    "Stopping": (marked("Stopping"), "warn"),
    "Gone": (marked("Ended"), ""),
    "Failed": (marked("Failed"), "bad"),
}
"""By state of a replica: the word, and the class that colours it."""
TIMINGS: Final = {"Prepaid": marked("Prepaid"), "Postpaid": marked("Postpaid")}
EVENTS: Final[dict[str, str]] = {
    "unit.bought": marked("Bought"),
    "unit.running": marked("Runs; its bill begins"),
    "unit.createFailed": marked("Could not be created"),
    "unit.resizing": marked("Is being resized"),
    "unit.resized": marked("Resized"),
    "unit.resizeFailed": marked("Could not be resized"),
    "unit.renewed": marked("Renewed"),
    "unit.renewalFailed": marked("Could not be renewed"),
    "unit.billingChanging": marked("Becomes postpaid at the end of its term"),
    "unit.billingChanged": marked("Is paid another way"),
    "unit.billingKept": marked("Stays prepaid"),
    "unit.stopped": marked("Stopped"),
    "unit.resumed": marked("Runs again"),
    "unit.releaseSet": marked("Got a release time"),
    "unit.releaseMoved": marked("Its release time was moved"),
    "unit.releaseCleared": marked("Its release time was cleared"),
    "unit.reminder": marked("A reminder was sent"),
    "unit.releasing": marked("Ended; its bill ends"),
    "unit.released": marked("Released; its units are free again"),
    "account.arrears": marked("The balance is below zero"),
    "account.recovered": marked("The debt is paid"),
    "account.budgetCrossed": marked("A part of the budget is spent"),
    "account.suspended": marked("The account was suspended"),
    "account.resumed": marked("The account was resumed"),
    "engine.trouble": marked("An engine is in trouble"),
    "replica.failing": marked("A replica keeps failing"),
    "replica.crashLoop": marked("No replica stays healthy"),
    "replica.recovered": marked("A replica is healthy again"),
    "approval.asked": marked("A purchase waits for an approval"),
    "approval.approved": marked("A purchase was approved"),
    "approval.rejected": marked("A purchase was rejected"),
    "approval.lapsed": marked("A request lapsed"),
    "resource.tagged": marked("Name or tags changed"),
    "resource.moved": marked("Moved to another project"),
    "service.activated": marked("A service runs again"),
    "service.deactivated": marked("A service was taken off"),
    "iam.userCreated": marked("A user was added"),
    "iam.userChanged": marked("A user was changed"),
    "iam.accessKeyCreated": marked("An access key was made"),
    "iam.accessKeyChanged": marked("An access key was changed"),
    "iam.serviceKeyCreated": marked("A key for calling services was made"),
    "iam.serviceKeyChanged": marked("A key for calling services was changed"),
    "iam.accountCreated": marked("The account was opened"),
    "iam.accountChanged": marked("The account's name or time zone was changed"),
    "iam.found": marked("Was there when the log began"),
    "account.closed": marked("The account was closed"),
    "account.tagPolicyChanged": marked("The tag policy was changed"),
    "approval.reminder": marked("A request still waits for an approval"),
    "engine.stockDiffers": marked("An engine has another number of units than are offered"),
    "engine.stockFits": marked("An engine has as many units as are offered"),
    "model.approved": marked("A version of a model was approved"),
    "model.approvalWithdrawn": marked("The approval of a version was withdrawn"),
    "service.logStoreAttached": marked("Lines of a service go to a log store"),
    "service.logStoreDetached": marked("Lines of a service go to no log store any more"),
    "subscription.confirming": marked("A mail address is asked for its consent"),
    "subscription.confirmed": marked("A mail address was confirmed"),
    "subscription.givenUp": marked("A delivery was given up"),
    "subscription.paused": marked("A subscription was paused"),
    "subscription.test": marked("A test of a subscription"),
}
RULES: Final[dict[str, str]] = {
    "permission": marked("Permission"),
    "releaseTime": marked("Release time"),
    "end": marked("End"),
    "stock": marked("Stock"),
    "units": marked("Limits of units"),
    "price": marked("Price"),
    "spend": marked("Budget"),
    "balance": marked("Balance"),
    "approval": marked("Approval"),
    "tags": marked("Tags"),
}
"""By rule of a quote."""

POLICIES: Final[dict[str, tuple[str, str]]] = {
    "QianfanFullControlAccessPolicy": (marked("Full control"), marked("everything in the account")),
    "QianfanServiceOperateAccessPolicy": (marked("Operate"), marked("buy, change, end and see what the account holds")),
    "QianfanReadAccessPolicy": (marked("Read"), marked("see everything in the account, its users included")),
    "QianfanServiceReadAccessPolicy": (marked("Read services"), marked("see what the account holds, runs and pays")),
    "QianfanDataFullControlAccessPolicy": (marked("Data: full control"), marked("list services")),
    "QianfanDataOperateAccessPolicy": (marked("Data: operate"), marked("list services")),
    "QianfanModelTuningFullControlAccessPolicy": (
        marked("Models: full control"),
        marked("make, delete and see models"),
    ),
    "QianfanModelTuningReadAccessPolicy": (marked("Models: read"), marked("see models")),
    "LeasebookOperatorPolicy": (
        marked("Operator"),
        marked("run the service; see every account, and end what it holds"),
    ),
    "LeasebookFleetReadPolicy": (
        marked("Read the fleet"),
        marked("see what every account holds and runs, without money"),
    ),
    "LeasebookBillingReadPolicy": (marked("Read all bills"), marked("see the money of every account")),
    "LeasebookSupportPolicy": (
        marked("Support"),
        marked("see every account without money, and end instances for a reason"),
    ),
}
"""By policy: its name for people, and its purpose in a few words (``contract/policies.py`` has it in full)."""
POLICY: Final = re.compile(r"\b(?:Qianfan|Leasebook)[A-Za-z]{1,40}Policy\b")
"""The name of a policy in a sentence."""

Translate = Callable[[str], str]


def status(translate: Translate, name: str, words: Mapping[str, tuple[str, str]] = STATUSES) -> tuple[str, str]:
    """Return the word for a status, and its class."""
    word, kind = words.get(name, (name, ""))
    return translate(word), kind


def word(translate: Translate, words: dict[str, str], name: str) -> str:
    """Return the word for a name, or the name where there is none."""
    return translate(words[name]) if name in words else name
