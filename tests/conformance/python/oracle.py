"""Signs requests with the signer of bce-python-sdk, without sending anything: one line of JSON each, in and out."""

import calendar
import json
import sys
import time

from baidubce.auth.bce_credentials import BceCredentials
from baidubce.auth.bce_v1_signer import sign


def encoded(pairs: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in pairs.items()}


for line in sys.stdin:
    asked = json.loads(line)
    authorization = sign(
        BceCredentials(asked["access_key"], asked["secret_key"]),
        asked["method"].encode(),
        asked["path"].encode(),
        encoded(asked["headers"]),
        encoded(asked["query"]),
        timestamp=calendar.timegm(time.strptime(asked["timestamp"], "%Y-%m-%dT%H:%M:%SZ")),
        expiration_in_seconds=asked["expires_s"],
        headers_to_sign=[name.encode() for name in asked["signed_headers"]],
    )
    print(json.dumps(authorization.decode()))
