"""The clock of deadlines: the time since this machine started. It cannot be set, and it runs during suspension.

This module imports only modules that are quick to import, since every keeper imports it.
"""

from __future__ import annotations

import time


def boot() -> str:
    """Return a name of this start of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - pathlib is slow to import
        return file.read().strip()


def since_boot() -> float:
    """Return the seconds since the machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def moment(seconds: float | None) -> str:
    """Return the moment ``seconds`` from now as text; an empty text for None."""
    return "" if seconds is None else f"{boot()} {since_boot() + seconds!r}"


def left(text: str | None) -> float | None:
    """Return the seconds until the moment in a text of ``moment``.

    None: the text is empty, or it is from before the last start of the machine and has no meaning any more.
    """
    name, _, at = (text or "").partition(" ")
    return float(at) - since_boot() if at and name == boot() else None
