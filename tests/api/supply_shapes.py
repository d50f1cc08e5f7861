"""The shape of what engines are said to have."""

from __future__ import annotations

import re
from typing import Any, Final

SEEN: Final[dict[str, Any]] = {
    "seenTime": (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+08:00"), None),
    "ageSeconds": (int, None),
    "trouble": (str, None),
}
ENGINE_REPORT: Final[dict[str, Any]] = {
    "nodes": [
        {
            "engine": str,
            "node": (str, None),
            "counts": bool,
            "engineTypes": [{"type": str, "units": (int, None)}],
            "troubleTime": (SEEN["seenTime"][0], None),
            **SEEN,
        }
    ],
    "stocks": [
        {
            "engine": str,
            "region": (str, None),
            "type": str,
            "stockSource": (re.compile("Set|Engine"), None),
            "stockTotal": int,
            "engineUnits": (int, None),
            "stockSold": int,
            "stockFree": int,
            "difference": int,
            "oversold": int,
            **SEEN,
        }
    ],
}
