"""What a replica has on disk: its log, how much it may have, and that all of it goes. It is quick to import."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable

_BLOCK_BYTES = 512
_ENTRY_BYTES = 1024
"""What a name in a directory counts, so that a million empty files are not free."""
_EVERY_S = 1.0
_REST_MIN = 10.0
"""A count takes at most the eleventh part of a keeper's time, however many files there are."""


class Log:
    """What a replica writes, in at most two files of a bounded size."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._open()

    def _open(self) -> None:
        self._descriptor = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def add(self, text: bytes) -> None:
        """Keep this; a full disk loses what is written, and stops nobody."""
        if self._size + len(text) > self._bytes_max // 2:
            os.close(self._descriptor)
            os.replace("log", "log.1")
            self._open()
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text)
        self._size += len(text)


def _below(path: str, seen: set[tuple[int, int]]) -> int:
    """Return what lies below a folder, in bytes; each file counts once. Links are not followed."""
    total, ask = 0, [path]
    while ask:
        with contextlib.suppress(OSError), os.scandir(ask.pop()) as entries:
            for entry in entries:
                total += _ENTRY_BYTES
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if (found.st_dev, found.st_ino) not in seen:
                        seen.add((found.st_dev, found.st_ino))
                        total += found.st_blocks * _BLOCK_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        ask.append(entry.path)
    return total


def _deleted(pids: Iterable[int], device: int, seen: set[tuple[int, int]]) -> int:
    """Return what deleted files that are still open hold on a device, in bytes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    found = os.stat(f"/proc/{pid}/fd/{name}")
                    key = (found.st_dev, found.st_ino)
                    if found.st_nlink == 0 and found.st_dev == device and stat.S_ISREG(found.st_mode):
                        total += 0 if key in seen else found.st_blocks * _BLOCK_BYTES
                        seen.add(key)
    return total


class Scale:
    """Weighs what a replica has on disk, now and then."""

    def __init__(self, folders: tuple[str, ...], bytes_max: int) -> None:
        self._folders = folders
        self._bytes_max = bytes_max
        self._next = time.monotonic() + _EVERY_S

    def rest_s(self) -> float:
        """Return how long until it is to be weighed again."""
        return max(0.0, self._next - time.monotonic())

    def is_over(self, pids: Iterable[int]) -> bool:
        """Weigh it; whether it has more than it may."""
        began = time.monotonic()
        seen: set[tuple[int, int]] = set()
        used = sum(_below(folder, seen) for folder in self._folders)
        with contextlib.suppress(OSError):
            used += _deleted(pids, os.stat(self._folders[0]).st_dev, seen)
        took = time.monotonic() - began
        self._next = began + took + max(_EVERY_S, took * _REST_MIN)
        return used > self._bytes_max


def remove(path: str) -> None:
    """Delete a directory with all that is in it; what is gone already is fine. Links are not followed.

    Whoever filled it may have made it as deep as no path is long, and taken our own rights away from us. So what lies
    two levels down is moved up before its folder goes.
    """
    number = 0
    try:
        while entries := list(os.scandir(path)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    _gone(os.unlink, entry.path)
                    continue
                _open(entry.path)
                for inner in list(os.scandir(entry.path)):
                    if inner.is_dir(follow_symlinks=False):
                        _open(inner.path)
                        number += 1
                        moved = f"{path}/.{os.getpid()}-{time.monotonic_ns()}-{number}"
                        os.rename(inner.path, moved)
                    else:
                        _gone(os.unlink, inner.path)
                _gone(os.rmdir, entry.path)
        os.rmdir(path)
    except FileNotFoundError:
        return  # Somebody else does the same.


def _gone(take: Callable[[str], None], path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        take(path)


def _open(path: str) -> None:
    """Let us into a folder; where it is not ours, it is as it is."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
