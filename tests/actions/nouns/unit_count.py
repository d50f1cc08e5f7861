"""Records of the actions of ``contract.nouns.resource.unit_count``."""

from __future__ import annotations

import re
from typing import Final

from tests.actions.record import FLEET_READERS, READERS, ActionRecord, of_own

COUNT = {
    "projectId": re.compile("default|prj-[0-9A-Za-z]+"),
    "type": str,
    "instances": int,
    "computeUnits": int,
    "usedComputeUnits": int,
}
RECORDS: Final = {
    "describe_unit_counts": ActionRecord(permitted=READERS | FLEET_READERS, body=of_own({}), shape={"counts": [COUNT]}),
}
