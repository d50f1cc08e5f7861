"""Answers that take long for large accounts, kept for a while, so that they cost a bounded share of the time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

KEPT_MAX: Final = 256
"""Answers in memory."""
KEEP_FROM_S: Final = 0.05
"""An answer that took less is not kept."""
KEEP_TIMES: Final = 20
"""An answer is kept for this many times as long as it took, so that making it takes a twentieth of the time."""


class _Kept(NamedTuple):
    answer: Any
    stamp: Hashable
    until: float


class KeptAnswers:
    """Answers by whose they are and what they say."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def find(self, key: Hashable, stamp: Hashable = None) -> Any | None:
        """Return an answer that is young enough, or whose stamp says that nothing has changed; None: neither."""
        kept = self._kept.get(key)
        if kept is None or (time.monotonic() >= kept.until and (stamp is None or stamp != kept.stamp)):
            return None
        return kept.answer

    def keep(self, key: Hashable, answer: Any, took_s: float, stamp: Hashable = None) -> None:
        """Keep an answer that took long; the one that was made longest ago goes."""
        if took_s < KEEP_FROM_S:
            self._kept.pop(key, None)
            return
        self._kept[key] = _Kept(answer, stamp, time.monotonic() + KEEP_TIMES * took_s)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
