"""The sentence about a form that was sent, on the page that its sender comes to."""

from __future__ import annotations

from typing import Final

from leasebook.console.frame.words import marked

NOTICES: Final[dict[str, str]] = {
    "topped-up": marked("The money is on the balance."),
    "account-renamed": marked("The account has its new name."),
    "account-suspended": marked("The account is suspended: nothing is bought or moved in it."),
    "account-resumed": marked("The account buys again."),
    "account-closed": marked("The account is closed."),
    "user-added": marked("The user was added. A policy says what the user may do."),
    "user-renamed": marked("The user has the new name."),
    "user-deleted": marked("The user was deleted, and the user's keys are disabled."),
    "policy-attached": marked("The policy is attached. It counts from the next call on."),
    "policy-detached": marked("The policy was taken away. It counts from the next call on."),
    "key-disabled": marked("The key is disabled. Calls that it signs are refused."),
    "key-enabled": marked("The key is enabled again."),
    "project-made": marked("The project was made."),
    "project-renamed": marked("The project has its new name."),
    "project-closed": marked("The project is closed. What it cost stays on record."),
    "purchase-approved": marked("The purchase was approved and made."),
    "purchase-rejected": marked("The purchase was rejected. The person who asked sees the reason."),
    "offering-set": marked("The offering is set."),
    "offering-closed": marked("It is sold no more. Instances that are held run on."),
    "offering-reopened": marked("It is sold again."),
    "offering-removed": marked("It is out of the catalogue."),
    "test-sent": marked("A test is on its way. The deliveries show what became of it."),
    "subscription-paused": marked("The subscription is paused. Events wait for it."),
    "subscription-activated": marked("The subscription gets events again."),
    "subscription-deleted": marked("The subscription was deleted. What waited for it is not sent."),
    "sent-again": marked("They are on their way again."),
    "clock-moved": marked("The clock was moved, and everything that was due until then is done."),
    "unit-ended": marked("The instance was ended, and its owner sees the reason."),
    "end-set": marked("The instance has its end, and its owner sees the reason."),
    "service-deleted": marked("The service was deleted."),
    "calendar-renewed": marked("The calendar has a new address. The former one shows nothing any more."),
}
"""By the query ``done`` of the page. Pages with sentences of their own give them as ``notice``."""
