"""The tries of one call: how often it failed, and how long to wait before it is sent again."""

from __future__ import annotations

import random
import time
from typing import Any

from leasebook.client.caller import ActionOf, Retries, pause_before_next
from leasebook.client.errors import LeasebookError


class Tries:
    """Counts failures in a row. ``ends``: they may last for ``retries.within_s`` seconds from now on, all together.

    A stream does not end. For it the seconds count that have passed since it failed, however often: a server that is
    started again takes longer than a few tries. ``worked`` sets them back.
    """

    def __init__(self, retries: Retries, operation: ActionOf[Any], *, has_token: bool, ends: bool = True) -> None:
        self._retries = retries
        self._operation = operation
        self._has_token = has_token
        self._ends = ends
        self._began: float | None = time.monotonic() if ends else None
        self._failed = 0

    def worked(self) -> None:
        """Begin to count again."""
        self._failed = 0
        if not self._ends:
            self._began = None

    def pause_s(self, error: LeasebookError) -> float:
        """Return for how many seconds to wait before the next try; raises the error where there is none."""
        self._failed += 1
        if self._began is None:
            self._began = time.monotonic()
        pause = pause_before_next(
            self._retries,
            self._operation,
            has_token=self._has_token,
            failed=self._failed if self._ends else min(self._failed, max(1, self._retries.tries - 1)),
            spent_s=time.monotonic() - self._began,
            error=error,
            dice=random.random(),  # noqa: S311
        )
        if pause is None:
            raise error
        return pause
