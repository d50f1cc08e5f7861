"""What the fields about signatures and refused calls mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SIGNATURE_MEANINGS: Final[Mapping[str, str]] = {
    "requires": (
        "What every signature must cover. SignedBody: the header x-bce-content-sha256. Nonce: the header x-bce-nonce, "
        "which makes a signature good once. Empty: nothing besides what bce-auth-v1 asks for."
    ),
    "KeyDetail.requires": "What every signature under this key must cover, besides what the user's must.",
    "UserDetail.requires": "What every signature under any of the user's keys must cover.",
    "SetKeyRulesRequest.accessKeyId": "The key that it is for; this or userId.",
    "SetKeyRulesRequest.userId": "The user whose keys it is for, those to come included; this or accessKeyId.",
    "rows": "One row a minute, address and access key.",
    "minute": "The minute, on the machine's clock.",
    "calls": "How many calls were refused.",
    "codes": "How many of them got which error code.",
    "firstTime": "When the first of them came.",
    "lastTime": "When the last of them came.",
    "isOverflow": "Whether the row counts all calls of its minute that were too many to be told apart.",
    "DescribeRefusedCallsRequest.address": "Only calls from this address, as rows show it.",
    "DescribeRefusedCallsRequest.accessKeyId": "Only calls that name this key.",
    "DescribeRefusedCallsRequest.startTime": "Only minutes from then on, on the machine's clock.",
    "DescribeRefusedCallsRequest.endTime": "Only minutes before then, on the machine's clock.",
    "RefusedCallsDetail.address": (
        "Where they came from; of an address of IP version 6 its network of 64 bits. Absent in an overflow row."
    ),
    "RefusedCallsDetail.accessKeyId": (
        "The key that they name. Absent where they name none, or more of the same address than are told apart."
    ),
    "RefusedCallsDetail.accountId": "The account whose key it is. Absent where there is no such key or nobody looked.",
    "RefusedCallsPage.maxKeys": "The rows a page that were used.",
}
