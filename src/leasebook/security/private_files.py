"""Files and directories that only their owner may read, and a process that others cannot inspect."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FILE: Final = 0o600
_PR_SET_DUMPABLE: Final = 4


class TooOpen(Exception):
    """Other users may read or write the service's private files; the message names the command that mends it."""


def check_private(directory: Path, names: Iterable[str]) -> None:
    """Raise TooOpen if other users can open a directory, or one of these files in it.

    A missing file is no fault. Links are followed, and the mode of their target counts.
    """
    _check(directory, "700")
    for name in names:
        _check(directory / name, "600")


def _check(path: Path, wanted: str) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    if mode & OTHERS:
        raise TooOpen(
            f"{path} has mode {mode:04o}: others on this machine may read or change what is in it. "
            f"Run: chmod {wanted} {path}"
        )


def create_private(path: Path) -> None:
    """Make an empty file with mode 0600, whatever the umask; one that exists stays as it is. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, _FILE)
    finally:
        os.close(descriptor)


def opened_private(path: str, flags: int) -> int:
    """Open a file that is made with mode 0600: an ``opener`` for ``open``. One that exists is narrowed."""
    descriptor = os.open(path, flags, _FILE)
    os.fchmod(descriptor, _FILE)
    return descriptor


def keep_to_itself(variables: Iterable[str]) -> None:
    """Let no other process look into this one, nor find these variables of the environment in it."""
    _close_to_others()
    _forget(variables)


def _close_to_others() -> None:
    """Keep other processes of the same user out of this one: no debugger, no core dump, no reading of its memory.

    A program that it starts is not kept so: the kernel lets go of it with the new program.
    """
    # A system without the call has nothing to keep out either; Linux has had it since 2.4.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _forget(names: Iterable[str]) -> None:
    """Take variables out of the environment, and their values out of the memory that /proc/PID/environ shows.

    To unset one only takes its name off a list: its text stays where the kernel put it at the start.
    """
    wanted = {name.encode() for name in names if name in os.environ}
    if not wanted:
        return
    entries = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    index = 0
    while entry := entries[index]:
        index += 1
        text = ctypes.string_at(entry)
        name, _, value = text.partition(b"=")
        if name in wanted and value:
            ctypes.memset(entry + len(name) + 1, 0, len(value))
    for name in wanted:
        del os.environ[name.decode()]
