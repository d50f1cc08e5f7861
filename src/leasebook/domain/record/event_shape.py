"""The data of each type of event: its fields, with the meaning and an example of each.

The names are those that callers see. ``userId`` may be in the data of every type: the user who asked for the change;
beside it ``userName``, if the user is of the account. ``instanceName`` may be in the data of an instance's event.
``operatorReason`` is in the data of an instance's event if an operator changed the instance for its owner.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from leasebook.domain.record import event as e

Whose = Literal[
    "the instance's account",
    "the operator's account",
    "the account that owns the version",
    "the account itself",
    "the account of the subscription",
]

FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "status": ("The instance's status now.", "Running"),
    "computeUnitCount": ("Its number of units now.", 2),
    "paymentTiming": ("Prepaid or Postpaid.", "Postpaid"),
    "releaseTime": ("Its release time now; null: none.", "2026-12-01T20:00:00+08:00"),
    "expiredTime": ("The end of its term now; null: it has no term.", "2026-12-30T08:00:00+08:00"),
    "region": ("Its region.", "bj"),
    "type": ("The type of units.", "gpu-1"),
    "orderId": ("The order of the purchase.", "de30de30de30de30de30de30de30de30"),
    "failure": ("Why it failed.", "no power"),
    "nextTryTime": ("When it is tried again; null: it is not.", "2026-12-28T08:00:00+08:00"),
    "reason": ("Why it happened.", "Schedule"),
    "endTime": ("When it ended.", "2026-12-01T20:00:00+08:00"),
    "charged": ("The cost of the instance in all.", "225.00"),
    "deadline": ("The release or the expiry.", "2026-12-01T20:00:00+08:00"),
    "offsetSeconds": ("How many seconds before it the reminder is.", 3600),
    "what": ("Which of the two comes near: release or expiry.", "release"),
    "buyerId": ("The user who bought the instance.", "f0e1d2c3b4a5968778695a4b3c2d1e0f"),
    "buyerName": ("The buyer's name now.", "alice"),
    "balance": ("The account's balance; of a closed account the last one, paid out or written off.", "-29.00"),
    "percent": ("The percentage of the budget that was reached.", 50),
    "month": ("The calendar month.", "2026-12"),
    "spent": ("The charges of the month.", "512.50"),
    "budget": ("The budget of the month.", "1000.00"),
    "engine": ("The engine.", "process"),
    "serviceId": ("The service.", "svco-k3j4h5g6f7d8"),
    "replica": ("The replica's number on the instance.", 0),
    "state": ("The replica's state.", "Starting"),
    "message": ("The engine's message, with the last lines of the output.", "it ended with exit code 3"),
    "downSince": ("Since when no replica of the service has stayed healthy, or had.", "2026-12-01T20:00:00+08:00"),
    "failures": ("How often in a row it failed.", 3),
    "subscriptionId": ("The subscription.", "sub-k3j4h5g6f7d8"),
    "eventId": ("The event that was not delivered.", "179599052232700003-1"),
    "untilTime": ("Until when the link in the mail is valid.", "2026-12-02T08:00:00+08:00"),
    "regions": ("The regions that offer the type.", ["bj"]),
    "offered": ("How many units are offered there.", 16),
    "engineUnits": ("How many units the engine has.", 8),
    "difference": ("The engine's units less those on offer.", -8),
    "oversold": ("How many units are sold beyond what the engine has.", 0),
    "modelId": ("The version.", "amv-k3j4h5g6f7d8"),
    "modelSetId": ("The model set.", "am-k3j4h5g6f7d8"),
    "version": ("The number of the version.", "1"),
    "logProject": ("The project of the log store.", "team"),
    "logStoreName": ("The log store.", "replicas"),
    "logRegion": ("The region of the log store.", "bj"),
    "accountId": ("The account.", "00112233445566778899aabbccddeeff"),
    "targetUserId": ("The user that changed.", "f0e1d2c3b4a5968778695a4b3c2d1e0f"),
    "accessKeyId": ("The access key.", "AK0123456789abcdef"),
    "serviceKeyId": ("The service key.", "key-k3j4h5g6f7d8"),
    "accountStatus": ("The account's status, if that is why it failed.", "Suspended"),
    "operatorReason": ("The reason that an operator gave.", "It has had no traffic for a week."),
    "resourceId": ("The instance, quota, package, service or other thing.", "unit-c7aM0na9"),
    "name": ("Its name now; null: none.", "training"),
    "tags": ("Its tags now.", {"team": "vision"}),
    "policy": ("The tag policy now.", {"required": ["team"], "allowed": {"team": ["speech", "vision"]}}),
    "projectId": (
        "The project that it belongs to now, or whose budget it is; of a purchase left out: the default one.",
        "prj-k3j4h5g6f7d8",
    ),
    "formerProjectId": ("The project that it belonged to before.", "default"),
    "now": ("The changed fields as they are now; of a new row, all fields.", {"name": "research"}),
    "before": ("The changed fields as they were.", {"name": "team"}),
    "approvalId": ("The request for an approval.", "apr-de30de30de30de30de30de30de30de30"),
    "askedBy": ("The user whose purchase it is.", "f0e1d2c3b4a5968778695a4b3c2d1e0f"),
    "approvedBy": ("The user who approved the purchase, if it needed an approval.", "00e1d2c3b4a5968778695a4b3c2d1e0f"),
    "cost": ("The price of the term, or of 30 days by the minute.", "1512.00"),
    "lapseTime": ("When the request lapses without a decision.", "2026-12-04T08:00:00+08:00"),
    "instanceId": ("The instance.", "unit-c7aM0na9"),
    "tagKey": ("The key of the tag whose budget it is.", "team"),
    "tagValue": ("The value of that tag.", "vision"),
}
"""Every field: its meaning and an example."""


class EventShape(NamedTuple):
    """The data of a type of event: fields that are always there, and those that may be. ``example`` replaces examples.

    ``on_unit``: the event's subject is an instance; None: it is one if the event is about an instance.
    """

    whose: Whose
    always: tuple[str, ...]
    sometimes: tuple[str, ...] = ()
    on_unit: bool | None = True
    example: dict[str, Any] = {}  # noqa: RUF012 - nothing changes it

    def data(self) -> dict[str, Any]:
        """Return an example of the data, with every field that is always there."""
        return {name: FIELDS[name][1] for name in self.always} | self.example


def _on_unit(*always: str, sometimes: tuple[str, ...] = (), **example: Any) -> EventShape:
    return EventShape("the instance's account", always, sometimes, True, example)


def _of_account(whose: Whose, *always: str, sometimes: tuple[str, ...] = (), **example: Any) -> EventShape:
    return EventShape(whose, always, sometimes, False, example)


_STORY: Final = ("computeUnitCount", "paymentTiming", "releaseTime", "expiredTime")
_STOCK: Final = ("engine", "type", "regions", "offered", "engineUnits", "difference", "oversold")
_VERSION: Final = ("modelId", "modelSetId", "version")
_REQUEST: Final = (
    *("approvalId", "askedBy", "type", "computeUnitCount", "paymentTiming", "cost", "reason", "lapseTime"),
)
_WHY: Final = "needsApproval.units is 4 of gpu-1, and this makes 8"

SHAPES: Final[dict[str, EventShape]] = {
    e.BOUGHT: _on_unit(
        *("status", "computeUnitCount", "paymentTiming", "region", "type", "orderId"),
        sometimes=("releaseTime", "expiredTime", "name", "tags", "approvedBy", "projectId"),
        status="Creating",
    ),
    e.RUNNING: _on_unit("status", sometimes=("expiredTime",)),
    e.CREATE_FAILED: _on_unit("status", "failure", sometimes=_STORY, status="CreateFailed"),
    e.RESIZING: _on_unit("status", sometimes=(*_STORY, "approvedBy"), status="Reconfiguring"),
    e.RESIZED: _on_unit("status", "computeUnitCount", sometimes=_STORY),
    e.RESIZE_FAILED: _on_unit("status", "failure", sometimes=_STORY, status="ReconfigureFailed"),
    e.RENEWED: _on_unit("expiredTime"),
    e.RENEWAL_FAILED: _on_unit("nextTryTime", sometimes=("accountStatus", "reason")),
    e.BILLING_CHANGING: _on_unit("status", sometimes=_STORY, status="BillingChanging"),
    e.BILLING_CHANGED: _on_unit(
        "paymentTiming", sometimes=("status", "computeUnitCount", "releaseTime", "expiredTime")
    ),
    e.BILLING_KEPT: _on_unit("status", sometimes=_STORY),
    e.STOPPED: _on_unit("status", sometimes=_STORY, status="Stopped"),
    e.RESUMED: _on_unit("status", sometimes=_STORY),
    e.RELEASE_SET: _on_unit("releaseTime"),
    e.RELEASE_MOVED: _on_unit("releaseTime"),
    e.RELEASE_CLEARED: _on_unit("releaseTime", releaseTime=None),
    e.REMINDED: _on_unit("deadline", "offsetSeconds", "what", "buyerId", sometimes=("links", "buyerName")),
    e.RELEASING: _on_unit("status", "reason", "endTime", "charged", sometimes=_STORY, status="Releasing"),
    e.RELEASED: _on_unit("status", sometimes=_STORY, status="Released"),
    e.ARREARS: _of_account("the account itself", "balance"),
    e.RECOVERED: _of_account("the account itself", "balance", balance="471.00"),
    e.ACCOUNT_SUSPENDED: _of_account("the account itself", "reason", reason="The invoice of May is not paid."),
    e.ACCOUNT_RESUMED: _of_account("the account itself"),
    e.ACCOUNT_CLOSED: _of_account("the account itself", "balance", balance="12.50"),
    e.TAGGED: EventShape(
        "the account itself",
        ("resourceId", "name", "tags", "before"),
        on_unit=None,
        example={"before": {"name": None, "tags": {}}},
    ),
    e.TAG_POLICY_CHANGED: _of_account("the account itself", "policy", "before", before={"required": [], "allowed": {}}),
    e.BUDGET_CROSSED: _of_account(
        "the account itself", "percent", "month", "spent", "budget", sometimes=("projectId", "tagKey", "tagValue")
    ),
    e.ENGINE_TROUBLE: _on_unit("engine", "serviceId", "replica", "state", "message", message="the disk is full"),
    e.HOOK_TESTED: _of_account("the account of the subscription", "subscriptionId"),
    e.HOOK_PAUSED: _of_account(
        "the account of the subscription", "subscriptionId", "reason", reason="The receiver answered 410."
    ),
    e.HOOK_GAVE_UP: _of_account(
        "the account of the subscription", "subscriptionId", "eventId", "reason", reason="The receiver answered 500."
    ),
    e.HOOK_CONFIRMING: _of_account("the account of the subscription", "subscriptionId", "untilTime"),
    e.HOOK_CONFIRMED: _of_account("the account of the subscription", "subscriptionId"),
    e.STOCK_DIFFERS: _of_account("the operator's account", *_STOCK),
    e.STOCK_FITS: _of_account("the operator's account", *_STOCK, offered=8, difference=0),
    e.MODEL_APPROVED: _of_account("the account that owns the version", *_VERSION),
    e.MODEL_WITHDRAWN: _of_account("the account that owns the version", *_VERSION),
    e.IAM_ACCOUNT_CREATED: _of_account("the account itself", "accountId", "now"),
    e.IAM_ACCOUNT_CHANGED: _of_account("the account itself", "accountId", "now", "before"),
    e.IAM_USER_CREATED: _of_account("the account itself", "targetUserId", "now"),
    e.IAM_USER_CHANGED: _of_account("the account itself", "targetUserId", "now", "before"),
    e.IAM_KEY_CREATED: _of_account("the account itself", "accessKeyId", "now", now={"status": "Active"}),
    e.IAM_KEY_CHANGED: _of_account(
        "the account itself", "accessKeyId", "now", "before", now={"status": "Disabled"}, before={"status": "Active"}
    ),
    e.IAM_SERVICE_KEY_CREATED: _of_account("the account itself", "serviceKeyId", "now", now={"status": "Active"}),
    e.IAM_SERVICE_KEY_CHANGED: _of_account(
        "the account itself", "serviceKeyId", "now", "before", now={"status": "Deleted"}, before={"status": "Active"}
    ),
    e.IAM_FOUND: _of_account(
        "the account itself",
        "now",
        sometimes=("accountId", "targetUserId", "accessKeyId", "serviceKeyId"),
        accountId="0011",
    ),
    e.REPLICA_FAILING: _on_unit("engine", "serviceId", "replica", "failures", "message"),
    e.CRASH_LOOP: _on_unit("engine", "serviceId", "downSince", "message"),
    e.REPLICA_RECOVERED: _on_unit("engine", "serviceId", "downSince"),
    e.LOG_STORE_ATTACHED: _of_account(
        "the account itself", "serviceId", "logProject", "logStoreName", sometimes=("logRegion",)
    ),
    e.LOG_STORE_DETACHED: _of_account("the account itself", "serviceId"),
    e.APPROVAL_ASKED: _of_account("the account itself", *_REQUEST, reason=_WHY),
    e.APPROVAL_REMINDER: _of_account("the account itself", *_REQUEST, reason=_WHY),
    e.APPROVAL_APPROVED: _of_account(
        "the account itself", "approvalId", "askedBy", "orderId", "instanceId", sometimes=("serviceId",)
    ),
    e.APPROVAL_REJECTED: _of_account(
        "the account itself", "approvalId", "askedBy", "reason", reason="Use the instance that is there."
    ),
    e.APPROVAL_LAPSED: _of_account("the account itself", "approvalId", "askedBy", "reason", reason="Time"),
    e.SERVICE_OFF: EventShape("the account itself", ("serviceId",), ("operatorReason",), on_unit=False),
    e.SERVICE_ON: _of_account("the account itself", "serviceId"),
    e.MOVED: EventShape("the account itself", ("resourceId", "projectId", "formerProjectId"), on_unit=None),
}
"""The shape of each type's data."""
