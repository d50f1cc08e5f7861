"""Records of the actions of ``contract.nouns.resource.unit_count``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.record import READERS, ActionRecord

COUNT = {
    "projectId": re.compile("default|prj-[0-9A-Za-z]+"),
    "type": str,
    "instances": int,
    "computeUnits": int,
    "usedComputeUnits": int,
}
RECORDS: Final = {
    "describe_unit_counts": ActionRecord(permitted=READERS, body={}, shape={"counts": [COUNT]}),
}
