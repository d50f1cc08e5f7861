"""A replica's files: its log, its disk limit, and their removal. This module is quick to import."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from leasebook.engines.process.keeper_state import write

_BLOCK_BYTES = 512
_ENTRY_BYTES = 4096
"""The bytes that an entry of a directory counts, so that a million empty files are not free."""
_LONG = 2000
"""Longest path that is passed to the kernel, in characters; its own limit is 4095."""
_SLICE_S = 0.05
_EVERY_S = 1.0
_REST_MIN = 10.0
"""A count takes at most the eleventh part of a keeper's time, however many files there are."""


class Log:
    """A replica's output, in at most two files of a bounded size.

    When the first of them is full, it becomes the second. ``rotated`` then has its inode, and how many bytes and lines
    the replica had written up to its end: so each byte that is still there has a place that does not change.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._before = 0
        self._lines = 0
        self._open()

    def _open(self) -> None:
        self._descriptor = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def add(self, text: bytes) -> None:
        """Append to the log. On a full disk the text is lost, and the replica goes on."""
        if self._size + len(text) > self._bytes_max // 2:
            self._rotate()
        with contextlib.suppress(OSError):
            os.write(self._descriptor, text)
        self._size += len(text)
        self._lines += text.count(b"\n")

    def _rotate(self) -> None:
        found = os.fstat(self._descriptor)
        self._before += found.st_size
        with contextlib.suppress(OSError):
            # Before the file is renamed: who reads meanwhile finds the inode under the one name or the other.
            write("rotated", f"{found.st_ino} {self._before} {self._lines}")
        os.close(self._descriptor)
        os.replace("log", "log.1")
        self._open()


def _below(path: str, seen: set[int]) -> Iterator[int]:
    """Yield the bytes of each file below a folder; each file counts once. Links are not followed.

    A replica can nest folders deeper than the longest path. The beginning of a long path is therefore opened, and the
    rest is relative to it. Raises Unseen for a folder that we may not read.
    """
    opened: list[int] = []
    # A base and a path relative to it. A path of None: everything below the last opened base is done, close it.
    ask: list[tuple[int | None, str | None]] = [(None, path)]
    try:
        while ask:
            base, name = ask.pop()
            if name is None:
                os.close(opened.pop())
                continue
            folder = _folder(name, base)
            if folder is None:
                continue
            opened.append(folder)
            if len(name) > _LONG:
                ask.append((folder, None))
                base, name = folder, "."
            for inner, size in _entries(folder, seen):
                ask += [(base, f"{name}/{inner}")] if inner is not None else []
                yield size
            if base != folder:
                os.close(opened.pop())
    except OSError as error:
        raise Unseen from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _entries(folder: int, seen: set[int]) -> Iterator[tuple[str | None, int]]:
    """Yield what each entry of a folder has, in bytes, with its name where it is a folder itself."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            size = _ENTRY_BYTES
            if found.st_nlink == 1 or found.st_ino not in seen:
                size += found.st_blocks * _BLOCK_BYTES
            is_folder = stat.S_ISDIR(found.st_mode)
            if found.st_nlink > 1 and not is_folder:
                # Only what has several names is met again.
                seen.add(found.st_ino)
            yield entry.name if is_folder else None, size


def _folder(name: str, base: int | None) -> int | None:
    """Open a folder; None where it is gone, or something else by now."""
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=base)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _deleted(pids: Iterable[int], device: int) -> Iterator[int]:
    """Yield what deleted files hold on a device that are open or mapped still, in bytes."""
    seen: set[int] = set()
    for pid in pids:
        for path, least in chain(_open_files(pid), _mapped_files(pid, device)):
            try:
                found = os.stat(path)
            except PermissionError:
                # Only root may look at a file that is mapped; others see how much of it is.
                yield least
                continue
            except OSError:
                continue
            is_file = found.st_nlink == 0 and found.st_dev == device and stat.S_ISREG(found.st_mode)
            if is_file and found.st_ino not in seen:
                seen.add(found.st_ino)
                yield found.st_blocks * _BLOCK_BYTES


def _open_files(pid: int) -> Iterator[tuple[str, int]]:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            yield f"/proc/{pid}/fd/{name}", 0


def _mapped_files(pid: int, device: int) -> Iterator[tuple[str, int]]:
    """Yield the deleted files that a process has mapped, and how much of each, as far as that lies on the device."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", "rb") as maps:
        for line in maps:
            if line.endswith(b" (deleted)\n"):
                where, _, _, major_minor, _ = line.split(None, 4)
                first, last = (int(number, 16) for number in where.split(b"-"))
                # Memory that several share counts as a deleted file, too, of another device.
                here = os.makedev(*(int(number, 16) for number in major_minor.split(b":"))) == device
                yield f"/proc/{pid}/map_files/{first:x}-{last:x}", last - first if here else 0


class Unseen(Exception):
    """Something is there that cannot be weighed."""


class Scale:
    """Weighs what a replica has on disk, now and then, and a little at a time: its keeper has other things to do."""

    def __init__(self, folders: tuple[str, ...], bytes_max: int) -> None:
        self._folders = folders
        self._bytes_max = bytes_max
        self._next = time.monotonic() + _EVERY_S
        self._parts: Iterator[int] | None = None
        self._used = 0

    def rest_s(self) -> float:
        """Return how long until it is to be weighed again, or further."""
        return max(0.0, self._next - time.monotonic())

    def is_over(self, pids: Callable[[], Iterable[int]]) -> bool:
        """Weigh on; whether it has more than it may, or does not let itself be weighed. ``pids`` are its processes."""
        began = time.monotonic()
        if self._parts is None:
            self._parts, self._used = self._weigh(pids), 0
        try:
            for part in self._parts:
                self._used += part
                if self._used > self._bytes_max:
                    return True
                if time.monotonic() - began > _SLICE_S:
                    break
            else:
                self._parts = None
        except Unseen:
            return True
        took = time.monotonic() - began
        # An unfinished count continues after a rest; a finished one starts again a second later.
        self._next = began + took + (took * _REST_MIN if self._parts else max(_EVERY_S, took * _REST_MIN))
        return False

    def _weigh(self, pids: Callable[[], Iterable[int]]) -> Iterator[int]:
        seen: set[int] = set()
        for folder in self._folders:
            yield from _below(folder, seen)
        yield from _deleted(pids(), os.stat(self._folders[0]).st_dev)


def remove(path: str) -> None:
    """Delete a directory and its content; missing files are no fault. Links are not followed.

    A replica can nest folders deeper than the longest path, and can take away our permissions. Folders two levels down
    are therefore moved up before their parent is deleted.
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
        return  # Another process deletes it too.


def _gone(take: Callable[[str], None], path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        take(path)


def _open(path: str) -> None:
    """Let us into a folder; where it is not ours, it is as it is."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
