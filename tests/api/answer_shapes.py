"""What every action of the table answers: the very keys, and of what type or form their values are."""

from __future__ import annotations

import re
from typing import Any

from tests.api.answer_words import (
    AMOUNT,
    ANY_ID,
    HEX_ID,
    KEY_ID,
    MODEL_ID,
    PACKAGE_ID,
    QUOTA_ID,
    SERVICE_ID,
    SERVICE_KEY,
    SERVICE_KEY_ID,
    SET_ID,
    TIME,
    TIMING,
    UNIT_ID,
    Maybe,
)
from tests.api.notification_shapes import NOTIFICATION_SHAPES
from tests.api.scene import (
    ACCOUNT,
    CATALOG,
    CHARGE,
    CLOCK,
    EVENTS,
    IAM,
    MODEL,
    RESOURCES,
    SERVICE,
    UNITS,
)
from tests.api.supply_shapes import ENGINE_REPORT

Key = tuple[str, str]


PURCHASED = {"instanceId": UNIT_ID, "orderId": HEX_ID}
UNIT = {
    "instanceId": UNIT_ID,
    "region": str,
    "status": re.compile("Running|Released|Stopped|BillingChanging"),
    "type": str,
    "totalComputeUnits": int,
    "usedComputeUnits": int,
    "paymentTiming": TIMING,
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
    "duration": Maybe(int),
    "durationUnit": Maybe(re.compile("Month")),
}
EVENT = {
    "specversion": re.compile(r"1\.0"),
    "id": re.compile(r"\d+-\d+"),
    "source": re.compile(r"/v2/account/[0-9a-f]{32}"),
    "type": re.compile(r"(unit|account|subscription|engine|iam)\.[a-zA-Z]+"),
    "subject": Maybe(ANY_ID),
    "time": TIME,
    "datacontenttype": re.compile("application/json"),
    "data": dict,
}
AUDIT_ENTRY = {
    "time": TIME,
    "requestId": re.compile(r"[0-9a-f-]{36}"),
    "userId": Maybe(HEX_ID),
    "accessKeyId": Maybe(str),
    "address": str,
    "path": re.compile(r"/v2/[a-z]+"),
    "action": str,
    "status": int,
    "code": str,
    "message": Maybe(str),
    "body": str,
    "names": [str],
    "hasClientToken": bool,
    "chain": str,
    "page": int,
}
HASH = re.compile(r"[0-9a-f]{64}")
AUDIT_PROOF = {
    "publicKey": HASH,
    "chains": [{"chain": str, "page": int, "hash": HASH, "time": TIME}],
    "closures": [
        {
            **dict.fromkeys(("chain", "publicKey", "signature"), str),
            **dict.fromkeys(("firstPage", "lastPage", "entriesTotal"), int),
            **dict.fromkeys(("startTime", "endTime", "closedTime"), TIME),
            **dict.fromkeys(("hashBefore", "hashAfter"), HASH),
            "counts": dict,
        }
    ],
    "isTruncated": bool,
    "maxKeys": int,
    "nextMarker": Maybe(str),
}
ATTEMPT = {"time": TIME, "requestId": str, "userId": Maybe(HEX_ID), "action": str, "code": str, "message": Maybe(str)}
EXPLANATION = {
    "instanceId": ANY_ID,
    "alive": bool,
    "text": str,
    "endsTime": Maybe(TIME),
    "endsBy": Maybe(str),
    "cost": AMOUNT,
    "monthEndCost": AMOUNT,
    "currency": str,
    "events": [EVENT],
    "attempts": [ATTEMPT],
}
GUARD_RAILS = {
    "accountId": HEX_ID,
    "limits": dict,
    "used": Maybe({"units": dict, "userUnits": dict, "month": (str, None), "spend": AMOUNT, "userSpend": dict}),
}
USAGE = {"serviceId": SERVICE_ID, "serviceName": str, "replicasCount": int, "usedComputeUnits": int}
INSTANCE = {
    "instanceId": UNIT_ID,
    "paymentTiming": TIMING,
    "replicasCount": int,
    "status": re.compile("Running|Released|Stopped"),
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
}
SERVICE_DETAIL = {
    "serviceId": SERVICE_ID,
    "name": str,
    "description": str,
    "baseModel": str,
    "modelSetId": str,
    "modelId": str,
    "modelVersionId": str,
    "urlSuffix": str,
    "url": re.compile("http://leasebook.test/services/(translator|demo|svco-[0-9a-z]{12})"),
    "endpoint": str,
    "serviceType": re.compile("chat"),
    "protocolVersion": int,
    "runStatus": re.compile("New|Serving|Stopped"),
    "updateStatus": re.compile("None"),
    "chargeType": re.compile("ComputingUnit"),
    "payType": Maybe(re.compile("Prepay|Postpay|Prepay,Postpay")),
    "chargeStatus": re.compile("NotOpen|Opened"),
    "resourceConfig": {"type": str, "replicasCount": int, "region": Maybe(str), "qps": Maybe(float)},
    "creator": HEX_ID,
    "createTime": TIME,
    "counted": bool,
    "whyNotRun": Maybe(list),
}
ACCOUNT_DETAIL = {"accountId": HEX_ID, "balance": AMOUNT, "currency": str, "name": str, "timeZone": str}
ORDER = {
    "orderId": HEX_ID,
    "instanceId": ANY_ID,
    "kind": re.compile("Purchase|Renewal|Resize|Conversion"),
    "paymentTiming": TIMING,
    "region": str,
    "type": str,
    "count": int,
    "months": Maybe(int),
    "amount": AMOUNT,
    "createTime": TIME,
}
POSTING = {
    "postingId": re.compile(r"\d+"),
    "time": TIME,
    "kind": re.compile("TopUp|Purchase|Usage|Renewal|Resize|Conversion"),
    "debit": str,
    "credit": str,
    "amount": AMOUNT,
    "orderId": Maybe(HEX_ID),
    "instanceId": Maybe(ANY_ID),
    "minutes": Maybe(int),
    "count": Maybe(int),
    "price": Maybe(AMOUNT),
    "startTime": Maybe(TIME),
    "endTime": Maybe(TIME),
}
OFFERING = {
    "kind": re.compile("ComputingUnit|TPM"),
    "region": str,
    "type": str,
    "pricePerMinute": (AMOUNT, None),
    "pricePerMonth": (AMOUNT, None),
    "stockTotal": int,
    "stockFree": int,
    "stockSource": re.compile("Set|Engine"),
    "oversold": int,
}
CLOCK_DETAIL = {"now": TIME, "mode": re.compile("virtual")}
USER = {
    "userId": HEX_ID,
    "name": str,
    "isRoot": bool,
    "policies": [str],
    "requires": [re.compile("SignedBody|Nonce")],
    "accessKeys": [
        {
            "accessKeyId": KEY_ID,
            "status": re.compile("Active|Disabled"),
            "requires": [re.compile("SignedBody|Nonce")],
            "createTime": TIME,
            "lastUsedTime": Maybe(TIME),
        }
    ],
    "createTime": TIME,
}
QUOTA = {
    "instanceId": QUOTA_ID,
    "model": str,
    "tpm": int,
    "rpm": int,
    "count": int,
    "status": re.compile("Running|Released"),
    "paymentTiming": re.compile("Postpaid"),
    "startTime": TIME,
    "expiredTime": Maybe(TIME),
    "releaseTime": Maybe(TIME),
}
RULE = {
    "instanceId": UNIT_ID,
    "instanceType": re.compile("ComputingUnit"),
    "autoRenewTimeUnit": re.compile("Month"),
    "autoRenewTime": int,
    "status": re.compile("Running"),
    "expiredTime": TIME,
    "nextTryTime": TIME,
}
PACKAGE = {
    "packageId": PACKAGE_ID,
    "serviceName": str,
    "specification": re.compile(r"\d+"),
    "used": re.compile(r"\d+"),
    "status": re.compile("Active|Exhausted"),
    "creator": HEX_ID,
    "startTime": TIME,
    "expiredTime": TIME,
}
QUOTE = {
    "passed": bool,
    "verdicts": [{"rule": str, "passed": bool, "code": (str, None), "message": (str, None)}],
    "region": str,
    "type": str,
    "computeUnitCount": int,
    "paymentTiming": TIMING,
    "pricePerUnit": (AMOUNT, None),
    "priceUnit": re.compile("Minute|Month"),
    "amount": AMOUNT,
    "balanceNeeded": AMOUNT,
    "balance": AMOUNT,
    "currency": str,
    "quoteId": Maybe(HEX_ID),
    "quoteExpiredTime": Maybe(TIME),
}
OPERATION = {"operation": True, "message": str}
PRESET = {
    "serviceId": re.compile(r"svcp-[0-9a-f]{12}"),
    "name": str,
    "model": str,
    "serviceType": re.compile("chat"),
    "chargeType": re.compile("TPM"),
    "chargeStatus": re.compile("NotOpen|Opened"),
    "pricePerMinute": (AMOUNT, None),
}
SUMS = ("inputTokensTotal", "outputTokensTotal", "tokensTotal", "succeedCallTotal", "failureCallTotal", "callTotal")
METRICS = {
    "startTime": TIME,
    "endTime": TIME,
    "serviceList": [
        {
            "serviceId": SERVICE_ID,
            "serviceName": str,
            "appList": [{"appId": str, "metric": dict.fromkeys(SUMS, int)}],
        }
    ],
}
LINE = {
    "kind": re.compile("Purchase|Usage|Renewal|Resize|Conversion"),
    "startTime": TIME,
    "endTime": TIME,
    "minutes": Maybe(int),
    "count": int,
    "price": AMOUNT,
    "amount": AMOUNT,
}
BILLED = {
    "instanceId": ANY_ID,
    "kind": re.compile("ComputingUnit|TPM"),
    "region": str,
    "type": str,
    "paymentTiming": TIMING,
    "amount": AMOUNT,
    "lines": [LINE],
}
LIST = {"computeUnitInstanceList": [UNIT], "isTruncated": Maybe(bool), "maxKeys": Maybe(int), "nextMarker": Maybe(str)}
ENDS_A_PAGE = {"isTruncated": bool, "maxKeys": int, "nextMarker": Maybe(str)}

STATEMENT = {
    "accountId": HEX_ID,
    "month": re.compile(r"2030-\d\d"),
    "startTime": TIME,
    "endTime": TIME,
    "currency": str,
    "openingBalance": AMOUNT,
    "paidIn": AMOUNT,
    "charged": AMOUNT,
    "closingBalance": AMOUNT,
    "instances": [BILLED],
    **ENDS_A_PAGE,
}

MODEL_SET = {
    "modelSetId": SET_ID,
    "modelSetName": str,
    "source": re.compile("Custom|System"),
    "description": str,
    "creator": HEX_ID,
    "createTime": TIME,
}
MODEL_SETS = {"modelSetList": [{**MODEL_SET, "modelsCount": int}], "marker": Maybe(str), **ENDS_A_PAGE}
VERSION = {
    "modelId": MODEL_ID,
    "version": re.compile("V[0-9]+"),
    "description": str,
    "trusted": bool,
    "approvedBy": Maybe(HEX_ID),
    "approveTime": Maybe(TIME),
    "withdrawTime": Maybe(TIME),
    "servicesCount": int,
    "creator": HEX_ID,
    "createTime": TIME,
}
RUN = {
    "command": [str],
    "image": (str, None),
    "env": dict,
    "port": (int, None),
    "healthPath": (str, None),
    "cpus": (float, None),
    "memoryBytes": (int, None),
    "accelerators": int,
    "graceSeconds": float,
    "application": (str, None),
    "arguments": dict,
    "connects": list,
}
KEY_OF_A_SERVICE = {"keyId": SERVICE_KEY_ID, "name": str, "serviceId": Maybe(SERVICE_ID)}

REPLICAS = {
    "PurchaseComputeUnit": PURCHASED,
    "DescribeComputeUnits": {"instances": [INSTANCE]},
    "DescribeComputeUnit": {"instance": INSTANCE},
    "ReleaseComputeUnit": True,
    "AutoReleaseComputeUnit": True,
}
SHAPES: dict[Key, Any] = {
    **{(RESOURCES, name): shape for name, shape in REPLICAS.items()},
    **{(CHARGE, name): shape for name, shape in REPLICAS.items()},
    (CHARGE, "PurchaseServiceResource"): PURCHASED,
    (CHARGE, "DescribeServiceResources"): {"instances": [INSTANCE]},
    (CHARGE, "DescribeServiceResourceList"): {"instances": [INSTANCE]},
    (CHARGE, "DescribeServiceResource"): {"instance": INSTANCE},
    (CHARGE, "ReleaseServiceResource"): True,
    (CHARGE, "CreateAutoRenewRules"): True,
    (CHARGE, "DescribeAutoRenewRules"): {"rules": [RULE], **ENDS_A_PAGE},
    (CHARGE, "DeleteAutoRenewRules"): True,
    (CHARGE, "ResizeComputeUnit"): PURCHASED,
    (CHARGE, "PurchaseTPMResource"): {"instanceId": QUOTA_ID, "orderId": HEX_ID},
    (CHARGE, "DescribeTPMResource"): {"instances": [QUOTA]},
    (CHARGE, "ReleaseTPMResource"): True,
    (CHARGE, "ResizeTPMResource"): True,
    (CHARGE, "AutoReleaseTPMResource"): True,
    (CHARGE, "DescribePackageResources"): {"instances": [PACKAGE]},
    (CHARGE, "DescribePackageResource"): {"instance": PACKAGE},
    (CHARGE, "GrantPackageResource"): {"instance": PACKAGE},
    (UNITS, "ResizeComputeUnit"): PURCHASED,
    (UNITS, "RenewComputeUnit"): {**PURCHASED, "expiredTime": TIME},
    (UNITS, "ChangeBilling"): {**PURCHASED, "droppedReleaseTime": Maybe(TIME)},
    (UNITS, "QuotePurchase"): QUOTE,
    (UNITS, "PurchaseComputeUnit"): PURCHASED,
    (UNITS, "DescribeComputeUnits"): LIST,
    (UNITS, "DescribeComputeUnit"): {"computeUnitInstance": UNIT, "serviceUsageList": [USAGE]},
    (UNITS, "ReleaseComputeUnit"): True,
    (UNITS, "AutoReleaseComputeUnit"): True,
    (SERVICE, "CreateService"): {"serviceId": SERVICE_ID, "instanceId": Maybe(UNIT_ID), "orderId": Maybe(HEX_ID)},
    (SERVICE, "DescribeService"): SERVICE_DETAIL,
    (SERVICE, "DescribeServices"): {"serviceList": [SERVICE_DETAIL], "marker": Maybe(str), **ENDS_A_PAGE},
    (SERVICE, "ModifyService"): True,
    (SERVICE, "ScaleService"): True,
    (SERVICE, "DeactivateService"): OPERATION,
    (SERVICE, "ActivateService"): OPERATION,
    (SERVICE, "DeleteService"): True,
    (SERVICE, "DescribePresetServices"): {"serviceList": [PRESET]},
    (SERVICE, "DescribeServiceMetric"): METRICS,
    (SERVICE, "CountServiceCalls"): True,
    (SERVICE, "CreateServiceKey"): {**KEY_OF_A_SERVICE, "key": SERVICE_KEY},
    (SERVICE, "DescribeServiceKeys"): {
        "keyList": [
            {**KEY_OF_A_SERVICE, "status": re.compile("Active|Deleted"), "creator": HEX_ID, "createTime": TIME}
            | {"orphanReason": Maybe(str)}
        ],
        **ENDS_A_PAGE,
    },
    (SERVICE, "DeleteServiceKey"): True,
    (MODEL, "CreateCustomModelSet"): {"modelSetId": SET_ID},
    (MODEL, "CreateCustomModel"): {"modelSetId": SET_ID, "modelId": MODEL_ID, "version": re.compile("V[0-9]+")},
    (MODEL, "DeleteModel"): True,
    (MODEL, "DeleteModelSet"): True,
    (MODEL, "DescribeModelSets"): MODEL_SETS,
    (MODEL, "DescribeCustomModelSets"): MODEL_SETS,
    (MODEL, "DescribeSystemModelSets"): MODEL_SETS,
    (MODEL, "DescribeModelSet"): {**MODEL_SET, "modelList": [VERSION]},
    (MODEL, "DescribeModel"): {**MODEL_SET, **VERSION, "run": RUN},
    (MODEL, "ApproveModel"): {**MODEL_SET, **VERSION, "run": RUN},
    (MODEL, "WithdrawModelApproval"): {**MODEL_SET, **VERSION, "run": RUN},
    (ACCOUNT, "DescribeAccount"): ACCOUNT_DETAIL,
    (ACCOUNT, "TopUpAccount"): ACCOUNT_DETAIL,
    (ACCOUNT, "DescribeOrders"): {"orders": [ORDER], **ENDS_A_PAGE},
    (ACCOUNT, "DescribeStatement"): STATEMENT,
    (ACCOUNT, "SetReminders"): {"accountId": HEX_ID, "beforeSeconds": [int]},
    (ACCOUNT, "DescribeReminders"): {"accountId": HEX_ID, "beforeSeconds": [int]},
    (ACCOUNT, "DescribePostings"): {"postings": [POSTING], **ENDS_A_PAGE},
    (ACCOUNT, "DescribeAuditLog"): {"entries": [AUDIT_ENTRY], **ENDS_A_PAGE},
    (ACCOUNT, "DescribeAuditProof"): AUDIT_PROOF,
    (UNITS, "ExplainComputeUnit"): EXPLANATION,
    (SERVICE, "DescribeReplicas"): {"serviceId": SERVICE_ID, "ready": int, "replicas": [dict]},
    (SERVICE, "DescribeReplicaLogs"): {"logLines": [str], "why": (str, None)},
    (ACCOUNT, "SetGuardRails"): GUARD_RAILS,
    (ACCOUNT, "DescribeGuardRails"): GUARD_RAILS,
    (EVENTS, "DescribeEvents"): {"events": [EVENT], "nextMarker": Maybe(str), "isTruncated": bool, "maxKeys": int},
    (EVENTS, "FollowEvents"): [EVENT],
    (CATALOG, "DescribeOfferings"): {"offerings": [OFFERING]},
    (CATALOG, "DescribeEngines"): ENGINE_REPORT,
    (CATALOG, "SetOffering"): OFFERING,
    (CLOCK, "DescribeClock"): CLOCK_DETAIL,
    (CLOCK, "AdvanceClock"): CLOCK_DETAIL,
    (CLOCK, "ConfirmClock"): CLOCK_DETAIL,
    (IAM, "CreateAccount"): {
        "accountId": HEX_ID,
        "userId": HEX_ID,
        "accessKeyId": KEY_ID,
        "secretAccessKey": str,
    },
    (IAM, "CreateUser"): {"userId": HEX_ID, "accountId": HEX_ID},
    (IAM, "CreateAccessKey"): {"userId": HEX_ID, "accessKeyId": KEY_ID, "secretAccessKey": str},
    (IAM, "DisableAccessKey"): True,
    (IAM, "AttachPolicy"): True,
    (IAM, "DetachPolicy"): True,
    (IAM, "SetKeyRules"): True,
    (ACCOUNT, "DescribeRefusedCalls"): {
        "rows": [
            {
                "minute": TIME,
                "address": Maybe(str),
                "accessKeyId": Maybe(str),
                "accountId": Maybe(HEX_ID),
                "calls": int,
                "codes": dict,
                "firstTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"),
                "lastTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"),
                "isOverflow": bool,
            }
        ],
        "isTruncated": bool,
        "maxKeys": int,
        "nextMarker": Maybe(str),
    },
    (IAM, "DescribeUsers"): {"users": [USER]},
}

SHAPES |= NOTIFICATION_SHAPES


def misfit(value: Any, shape: Any, where: str = "result") -> str | None:
    """Return the first place where a value is not of a shape; None where there is none."""
    match shape:
        case dict():
            required = {name for name, inner in shape.items() if not isinstance(inner, Maybe)}
            if type(value) is not dict or not required <= set(value) <= set(shape):
                return f"{where}: {value}"
            inner = {name: shape[name].shape if isinstance(shape[name], Maybe) else shape[name] for name in value}
            found = (misfit(value[name], inner[name], f"{where}.{name}") for name in value)
        case list():
            if type(value) is not list:
                return f"{where}: {value}"
            found = (misfit(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value))
        case tuple():
            return None if any(misfit(value, one) is None for one in shape) else f"{where}: {value}"
        case re.Pattern():
            return None if type(value) is str and shape.fullmatch(value) else f"{where}: {value!r}"
        case type():
            return None if type(value) is shape else f"{where}: {value!r}"
        case _:
            return None if value is shape else f"{where}: {value!r}"
    return next((finding for finding in found if finding is not None), None)
