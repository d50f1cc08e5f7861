"""The log of the services of kits: errors only, from the first kit that is started to the end of the last."""

from __future__ import annotations

import logging
import threading
from typing import Final

import structlog


class _Quiet:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kits = 0

    def keep(self) -> bool:
        with self._lock:
            if not self._kits:
                if structlog.is_configured():
                    return False
                structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
            self._kits += 1
            return True

    def forget(self) -> None:
        with self._lock:
            self._kits -= 1
            if not self._kits:
                structlog.reset_defaults()


_QUIET: Final = _Quiet()


def keep() -> bool:
    """Have services log errors only; returns False where this program has set structlog up: then its rules hold."""
    return _QUIET.keep()


def forget() -> None:
    """Undo one ``keep`` that returned True; the last one brings the rules from before back."""
    _QUIET.forget()
