"""Words of the API in the reader's language: statuses and kinds of events. Unknown ones are shown as they are."""

from __future__ import annotations

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

Translate = Callable[[str], str]


def status(translate: Translate, name: str, words: Mapping[str, tuple[str, str]] = STATUSES) -> tuple[str, str]:
    """Return the word for a status, and its class."""
    word, kind = words.get(name, (name, ""))
    return translate(word), kind


def word(translate: Translate, words: dict[str, str], name: str) -> str:
    """Return the word for a name, or the name where there is none."""
    return translate(words[name]) if name in words else name
