"""The forms that values of answers have."""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Maybe(NamedTuple):
    """A key that is there in some answers only."""

    shape: Any


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00")
AMOUNT = re.compile(r"-?\d+\.\d{2,6}")
HEX_ID = re.compile(r"[0-9a-f]{32}")
UNIT_ID = re.compile(r"unit-[0-9A-Za-z]{8}")
QUOTA_ID = re.compile(r"tpm-[0-9A-Za-z]{8}")
ANY_ID = re.compile(r"(unit|tpm)-[0-9A-Za-z]{8}")
PACKAGE_ID = re.compile(r"pkg-[0-9a-z]{12}")
SERVICE_ID = re.compile(r"svco-[0-9a-z]{12}")
SET_ID = re.compile(r"am-[0-9a-z]{12}")
MODEL_ID = re.compile(r"amv-[0-9a-z]{12}")
SERVICE_KEY_ID = re.compile(r"key-[0-9a-z]{12}")
SERVICE_KEY = re.compile(r"lsk-[0-9a-z]{12}-[A-Za-z0-9_-]{43}")
KEY_ID = re.compile(r"AK[0-9A-Za-z]+")
TIMING = re.compile("Prepaid|Postpaid")
