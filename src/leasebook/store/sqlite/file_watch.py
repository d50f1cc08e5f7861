"""A watch on the open files of the embedded store: they must stay the files that the directory names.

A server keeps writing to a file that was removed or replaced, and the file vanishes when the server ends. Therefore
each acknowledgement checks the files first: a few microseconds a batch.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from leasebook.batch import OutcomeUnknown, Unavailable

log = structlog.get_logger()

LOOK_EVERY_S: Final = 1.0
REMEDY: Final = (
    "Nothing is acknowledged any more. Stop the server, put the right files back or restore a backup, and start it "
    "again"
)


_TO_CALLERS: Final = "the store's files were removed or replaced while it was served; the server's operator must act"


class _Seen(NamedTuple):
    """The file that a name led to, and its size in bytes."""

    device: int
    inode: int
    size: int


class FileWatch:
    """Watches the files of an open store; a fault stays a fault until a restart.

    ``path`` is the database file, with its log beside it; ``lock`` is the file whose lock keeps other servers off. It
    answers as a concern of the service's health.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        # SQLite keeps the log beside the file that a link leads to.
        real = path.resolve()
        self._batch = (str(path.absolute()), f"{real}-wal", f"{real}-shm")
        self._all = (*self._batch, str(lock.absolute()))
        self._seen: dict[str, _Seen] = {}
        self._broken: str | None = None
        self._mutex = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watch", daemon=True)
        self.look()

    def start(self) -> None:
        """Check every second from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop checking."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def unready(self) -> str | None:
        """Return None: a fault of the files does not pass by itself."""
        return None

    def broken(self) -> str | None:
        """Return the fault of the files and the remedy; None: no fault."""
        return self._broken

    def before_batch(self) -> None:
        """Raise Unavailable if the store may no longer be written."""
        if self._look(self._batch) is not None:
            raise Unavailable(_TO_CALLERS, self._broken or "")

    def before_reading(self) -> None:
        """Raise Unavailable if a known fault makes reads unreliable; does not check the files itself."""
        if self._broken is not None:
            raise Unavailable(_TO_CALLERS, self._broken)

    def before_answer(self) -> None:
        """Raise OutcomeUnknown if a commit may have gone into a file that is no longer the store's."""
        if self._look(self._batch) is not None:
            raise OutcomeUnknown(_TO_CALLERS)

    def look(self) -> str | None:
        """Check every file; returns the fault."""
        return self._look(self._all)

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_S):
            if self.look() is not None:
                return

    def _look(self, names: tuple[str, ...]) -> str | None:
        if self._broken is None and (wrong := self._wrong(names)) is not None:
            with self._mutex:
                if self._broken is None:
                    self._broken = f"{wrong}. {REMEDY}."
                    log.critical("the store's files were changed while it is served", reason=self._broken)
        return self._broken

    def _wrong(self, names: tuple[str, ...]) -> str | None:
        for name in names:
            seen = self._seen.get(name)
            try:
                found = os.stat(name)  # noqa: PTH116 - half as quick as a Path's, and asked twice a batch
            except FileNotFoundError:
                if seen is None:
                    # The log is created by the first write.
                    continue
                return f"{name} was removed, or its directory was moved, while the store is served"
            except OSError as error:
                return f"{name} cannot be looked at any more ({error.strerror}) while the store is served"
            now = _Seen(found.st_dev, found.st_ino, found.st_size)
            if now == seen:
                continue
            if seen is not None:
                if now[:2] != seen[:2]:
                    return f"{name} was replaced by another file, or mounted over, while the store is served"
                # The log may shrink; the database file shrinks only if another program writes over it.
                if now.size < seen.size and name == names[0]:
                    return f"{name} was cut from {seen.size} to {now.size} bytes while the store is served"
            self._seen[name] = now
        return None
