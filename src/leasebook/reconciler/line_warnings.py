"""Warnings about lines that do not reach the log store: few, however many lines a replica writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from leasebook.domain.model.replica import Replica

AGAIN_S: Final = 60.0
"""Shortest time between two warnings of one kind about one service, in seconds: its owner decides how much it writes,
and must not fill the operator's log with that."""


class _Pending:
    """Lines of one service that no warning was about yet, and the facts of the last of them."""

    def __init__(self) -> None:
        self.lines = 0
        self.facts: dict[str, object] = {}
        self.not_before = 0.0


class LineWarnings:
    """Counts lines by service and kind of warning; logs each sum at once, and from then on once in AGAIN_S.

    ``now_s`` is a clock that never jumps, in seconds.
    """

    def __init__(self, log: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        self._log: Final = log
        self._now_s: Final = now_s
        self._pending: Final[dict[tuple[str, str], _Pending]] = {}

    def count(self, sentence: str, row: Replica, lines: int, **facts: object) -> None:
        """Count lines of a replica for a warning."""
        pending = self._pending.setdefault((row.service_id, sentence), _Pending())
        pending.lines += lines
        pending.facts = {"name": row.name, **facts}

    def say(self) -> None:
        """Log the warnings that are due, and forget services that have had none for AGAIN_S."""
        now_s = self._now_s()
        for (service_id, sentence), pending in list(self._pending.items()):
            if now_s < pending.not_before:
                continue
            if not pending.lines:
                del self._pending[service_id, sentence]
                continue
            self._log.warning(sentence, service_id=service_id, lines=pending.lines, **pending.facts)
            pending.lines, pending.not_before = 0, now_s + AGAIN_S
