"""Logs an outage once instead of every second."""

from __future__ import annotations

from typing import Any


class OutageLog:
    """An outage of one operation. Its first failure is logged as a warning, and further ones at debug level."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._is_on = False

    def goes_on(self, sentence: str, **facts: object) -> None:
        """Log that the operation failed again."""
        (self._log.debug if self._is_on else self._log.warning)(sentence, **facts)
        self._is_on = True

    def ends(self) -> None:
        """Take note that the operation succeeded."""
        self._is_on = False
