"""The clock of deadlines: the time since this machine started, which nobody sets, and which counts while it sleeps.

It imports only what is quick to import, since every keeper does.
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
    """Return the moment in so many seconds as text; nothing for None."""
    return "" if seconds is None else f"{boot()} {since_boot() + seconds!r}"


def left(text: str | None) -> float | None:
    """Return in how many seconds the moment of such a text is.

    None: there is none; or it was before the machine was started again, and nobody knows any more when that is.
    """
    name, _, at = (text or "").partition(" ")
    return float(at) - since_boot() if at and name == boot() else None
