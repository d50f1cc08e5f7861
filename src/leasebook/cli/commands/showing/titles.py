"""The titles of columns, for people; the names of the contract stay in JSON, YAML and CSV."""

from __future__ import annotations

from typing import Final

from leasebook.cli.commands.language import _, marked

TITLES: Final[dict[str, str]] = {
    "instanceId": marked("Instance"),
    "serviceId": marked("Service"),
    "accountId": marked("Account"),
    "accountName": marked("Account name"),
    "userId": marked("User"),
    "userName": marked("User name"),
    "creator": marked("Creator"),
    "creatorName": marked("Creator name"),
    "projectId": marked("Project"),
    "projectName": marked("Project name"),
    "orderId": marked("Order"),
    "eventId": marked("Event"),
    "quoteId": marked("Quote"),
    "modelSetId": marked("Model set"),
    "modelId": marked("Version"),
    "packageId": marked("Package"),
    "subscriptionId": marked("Subscription"),
    "approvalId": marked("Request"),
    "accessKeyId": marked("Access key"),
    "requestId": marked("Call"),
    "name": marked("Name"),
    "description": marked("Description"),
    "tags": marked("Tags"),
    "status": marked("Status"),
    "runStatus": marked("Status"),
    "type": marked("Type"),
    "model": marked("Model"),
    "region": marked("Region"),
    "count": marked("Count"),
    "totalComputeUnits": marked("Units"),
    "usedComputeUnits": marked("Used"),
    "computeUnitCount": marked("Units"),
    "paymentTiming": marked("Paid"),
    "payType": marked("Paid"),
    "releaseTime": marked("Released"),
    "expiredTime": marked("Ends"),
    "startTime": marked("Since"),
    "endTime": marked("Until"),
    "createTime": marked("Made"),
    "time": marked("Time"),
    "now": marked("Time"),
    "mode": marked("Clock"),
    "kind": marked("Kind"),
    "amount": marked("Amount"),
    "balance": marked("Balance"),
    "currency": marked("Currency"),
    "spent": marked("Spent this month"),
    "budget": marked("Budget"),
    "services": marked("Services"),
    "timeZone": marked("Time zone"),
    "cost": marked("Cost"),
    "monthEndCost": marked("Cost at month's end"),
    "billed": marked("Billed"),
    "amortised": marked("Amortised"),
    "forecastBilled": marked("Billed, forecast"),
    "forecastAmortised": marked("Amortised, forecast"),
    "group": marked("Group"),
    "names": marked("Names"),
    "total": marked("Total"),
    "pricePerMinute": marked("A minute"),
    "pricePerMonth": marked("A month"),
    "pricePerUnit": marked("Price of a unit"),
    "stockFree": marked("Free"),
    "stockTotal": marked("Stock"),
    "stockSource": marked("Stock from"),
    "policies": marked("Policies"),
    "email": marked("Mail"),
    "action": marked("Action"),
    "code": marked("Code"),
    "message": marked("Message"),
    "address": marked("Address"),
    "subject": marked("Subject"),
    "reason": marked("Reason"),
    "month": marked("Month"),
    "url": marked("URL"),
    "urlSuffix": marked("Suffix of the URL"),
    "duration": marked("Months"),
    "replicasCount": marked("Replicas"),
    "openingBalance": marked("Opening balance"),
    "paidIn": marked("Paid in"),
    "charged": marked("Charged"),
    "closingBalance": marked("Closing balance"),
    "overdue": marked("Overdue"),
    "dueWithinHour": marked("Within an hour"),
    "lateSeconds": marked("Seconds late"),
    "oldestReleaseLateSeconds": marked("Seconds that the oldest release is late"),
    "done": marked("Done"),
    "verdicts": marked("Verdicts"),
    "rule": marked("Rule"),
    "passed": marked("Permitted"),
    "priceUnit": marked("Price for a"),
}
"""Titles by the last part of a column's name."""
WHOLE: Final[dict[str, str]] = {
    "prepaid.instances": marked("Prepaid instances"),
    "prepaid.units": marked("Prepaid units"),
    "postpaid.instances": marked("Postpaid instances"),
    "postpaid.units": marked("Postpaid units"),
    "group.account": marked("Account"),
    "group.project": marked("Project"),
    "group.user": marked("User"),
    "group.service": marked("Service"),
}
"""Titles of whole names, where the last part does not tell enough."""


def title(column: str) -> str:
    """Return the title of a column; the name in the contract where it has none."""
    if column in WHOLE:
        return _(WHOLE[column])
    if column.startswith("group.tag:"):
        # The key of a tag may have points.
        return column.removeprefix("group.")
    last = column.rpartition(".")[2]
    return _(TITLES[last]) if last in TITLES else column
