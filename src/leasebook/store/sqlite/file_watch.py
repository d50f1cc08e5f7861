"""Whether the files that the embedded store has open are still those that its directory names.

A server goes on writing into a file that somebody removed or replaced, and everything is lost when it ends. So nothing
is acknowledged before the files were looked at: a few microseconds a batch.
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


_TO_CALLERS: Final = "the store's files were removed or replaced while it was served; whoever runs the service must act"


class _Seen(NamedTuple):
    """Which file a name led to, and how many bytes it had."""

    device: int
    inode: int
    size: int


class FileWatch:
    """Looks at the files of an open store; what is wrong once stays wrong until a restart.

    ``path`` is the database file, whose log lies beside it; ``lock`` is the file whose lock keeps other servers off.
    It answers as a concern of the service's health.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        # SQLite has the log beside the file that a link leads to.
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
        """Look every second from now on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def unready(self) -> str | None:
        """Return nothing: what is wrong with the files does not mend itself."""
        return None

    def broken(self) -> str | None:
        """Return what is wrong with the files, and what to do; None: nothing."""
        return self._broken

    def before_batch(self) -> None:
        """Raise Unavailable where nothing may be written any more."""
        if self._look(self._batch) is not None:
            raise Unavailable(_TO_CALLERS, self._broken or "")

    def before_reading(self) -> None:
        """Raise Unavailable where what would be read may not be the store; does not look."""
        if self._broken is not None:
            raise Unavailable(_TO_CALLERS, self._broken)

    def before_answer(self) -> None:
        """Raise OutcomeUnknown where a commit may have gone into a file that is not the store's any more."""
        if self._look(self._batch) is not None:
            raise OutcomeUnknown(_TO_CALLERS)

    def look(self) -> str | None:
        """Look at every file; returns what is wrong."""
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
                    # A log is made with the first write.
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
                # The log may become shorter; the database file does not, unless something is written over it.
                if now.size < seen.size and name == names[0]:
                    return f"{name} was cut from {seen.size} to {now.size} bytes while the store is served"
            self._seen[name] = now
        return None
