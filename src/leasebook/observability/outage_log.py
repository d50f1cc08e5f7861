"""Saying once, and not every second, that something waits for the store."""

from __future__ import annotations

from typing import Any


class OutageLog:
    """A stretch of time in which something does not go: the first line of it is a warning, the others are for debug."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._is_on = False

    def goes_on(self, sentence: str, **facts: object) -> None:
        """It does not go now."""
        (self._log.debug if self._is_on else self._log.warning)(sentence, **facts)
        self._is_on = True

    def ends(self) -> None:
        """It went."""
        self._is_on = False
