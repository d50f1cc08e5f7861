"""Signals that ask a server to stop before it serves: while it is imported, opens its store, or waits for one."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class AskedToStop:
    """Ends this process at once, and well, where it is asked to stop before it serves.

    Without it Ctrl-C prints where Python was, and as the first process of a container SIGTERM does nothing.
    """

    def __init__(self) -> None:
        self._asked = False

    def listen(self) -> AskedToStop:
        """Heed the signals from now on, until the event loop takes them over."""
        for number in SIGNALS:
            signal.signal(number, self._end)
        return self

    def look(self) -> None:
        """End now where a signal came at a moment at which Python cannot be left, as in a destructor."""
        if self._asked:
            raise SystemExit(0)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        raise SystemExit(0)
