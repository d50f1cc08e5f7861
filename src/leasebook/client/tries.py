"""The tries of one call: how often it failed, and how long to wait before it is sent again."""

from __future__ import annotations

import random
import time
from typing import Any

from leasebook.client.caller import ActionOf, Retries, pause_before_next
from leasebook.client.errors import LeasebookError


class Tries:
    """Counts failures in a row. ``ends``: they may last for ``retries.within_s`` seconds from now on, all together.

    A stream does not end: what counts for it is the number alone, which ``worked`` sets back.
    """

    def __init__(self, retries: Retries, operation: ActionOf[Any], *, has_token: bool, ends: bool = True) -> None:
        self._retries = retries
        self._operation = operation
        self._has_token = has_token
        self._began = time.monotonic() if ends else None
        self._failed = 0

    def worked(self) -> None:
        """Begin to count again."""
        self._failed = 0

    def pause_s(self, error: LeasebookError) -> float:
        """Return for how many seconds to wait before the next try; raises the error where there is none."""
        self._failed += 1
        pause = pause_before_next(
            self._retries,
            self._operation,
            has_token=self._has_token,
            failed=self._failed,
            spent_s=0.0 if self._began is None else time.monotonic() - self._began,
            error=error,
            dice=random.random(),  # noqa: S311
        )
        if pause is None:
            raise error
        return pause
