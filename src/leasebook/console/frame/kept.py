"""Answers that take long for large accounts, kept for a while, so that they cost a bounded share of the time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

KEPT_MAX: Final = 256
"""Answers in memory."""
KEEP_FROM_S: Final = 0.05
"""An answer that took less is not kept, or only while its stamp is the same."""
KEEP_TIMES: Final = 20
"""An answer is kept for this many times as long as it took, so that making it takes a twentieth of the time."""
STAMPED_S: Final = 30.0
"""An answer is not kept for longer by its stamp: on a shared store a change may be committed after a later one."""


class _Kept(NamedTuple):
    answer: Any
    stamp: Hashable
    until: float
    stamped_until: float


class KeptAnswers:
    """Answers by whose they are and what they say."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def find(self, key: Hashable, stamp: Hashable = None) -> Any | None:
        """Return an answer that is young enough, or whose stamp says that nothing has changed; None: neither."""
        kept, now = self._kept.get(key), time.monotonic()
        if kept is None:
            return None
        is_unchanged = stamp is not None and stamp == kept.stamp and now < kept.stamped_until
        return kept.answer if now < kept.until or is_unchanged else None

    def keep(
        self, key: Hashable, answer: Any, took_s: float, stamp: Hashable = None, *, also_quick: bool = False
    ) -> None:
        """Keep an answer that took long; the one that was made longest ago goes.

        ``also_quick``: keep one that was quick, too, while its stamp is the same.
        """
        is_long = took_s >= KEEP_FROM_S
        if not (is_long or also_quick):
            self._kept.pop(key, None)
            return
        now = time.monotonic()
        self._kept[key] = _Kept(answer, stamp, now + KEEP_TIMES * took_s if is_long else now, now + STAMPED_S)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
