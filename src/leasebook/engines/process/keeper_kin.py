"""The processes that descend from one, and when each began; quick to import, because every keeper does."""

from __future__ import annotations

import contextlib
import os

from leasebook.engines.process.keeper_state import read


def began(pid: int) -> str | None:
    """Return when a process started, in ticks since boot (field 22 of its stat); None: it does not run.

    Together with the pid it identifies a process until the machine restarts. A zombie counts as gone.
    """
    try:
        text = read(f"/proc/{pid}/stat")
    except OSError:
        return None
    if text is None:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += [int(child) for child in (read(f"/proc/{pid}/task/{thread}/children") or "").split()]
    return found


def _children_scanned(pid: int) -> list[int]:
    """Find children where the kernel was built without lists of them, by asking every process for its parent."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = (read(f"/proc/{name}/stat") or "").rpartition(")")[2].split()
            if fields and int(fields[1]) == pid:
                found.append(int(name))
    return found


def kin(pid: int) -> list[int]:
    """Return the children of a process."""
    me = os.getpid()
    listed = os.path.exists(f"/proc/{me}/task/{me}/children")
    return _children(pid) if listed else _children_scanned(pid)


def descendants(pid: int) -> list[int]:
    """Return everything that a process started and that lives, those whose parents have ended included.

    The latter only where the process is a subreaper, which a keeper is.
    """
    found, ask = [], [pid]
    while ask:
        new = kin(ask.pop())
        found += new
        ask += new
    return found
