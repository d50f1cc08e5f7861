"""The report of a server that serves, for the programs that started it: its address and its keys."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import msgspec

from leasebook import __version__
from leasebook.ports.clock import Mode


class ReadyReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A server that answers calls.

    ``url`` is its address with the path prefix, ``admin_url`` that of the operators' port, or None. ``access_key`` is
    the first root's. ``secret_key`` is its secret if this start made the key; None: the environment gave the key, or
    an earlier start made it. ``credentials_file`` is the file in the data directory with both, or None.
    """

    url: str
    admin_url: str | None
    access_key: str
    secret_key: str | None
    credentials_file: str | None
    clock: Mode
    store: str
    pid: int = msgspec.field(default_factory=os.getpid)
    version: str = __version__

    def encoded(self) -> bytes:
        """Return it as one line of JSON, with its line break."""
        return msgspec.json.encode(self) + b"\n"


class Announcer:
    """Tells programs that the server serves: in a file, on standard output, or not at all."""

    def __init__(self, file: Path | None = None, *, prints: bool = False, output: TextIO | None = None) -> None:
        """``prints``: the report is the only text on standard output, in place of the one for people."""
        self._file = file
        self.prints = prints
        self._output = output or sys.stdout
        self._written: os.stat_result | None = None

    def prepare(self) -> None:
        """Remove the file that an earlier server left, so that its presence says that this one serves.

        Raises OSError if the file cannot be removed, or its folder cannot be written to.
        """
        if self._file is None:
            return
        self._file.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=self._file.parent):
            pass

    def ready(self, report: ReadyReport) -> None:
        """Publish the report. The file appears whole, under its name, with mode 0600. Raises OSError."""
        if self._file is not None:
            self._write(self._file, report.encoded())
        if self.prints:
            self._output.write(report.encoded().decode())
            self._output.flush()

    def _write(self, file: Path, content: bytes) -> None:
        # The file may have a secret in it: mkstemp makes files with mode 0600, whatever the umask.
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as draft:
                draft.write(content)
            self._written = Path(name).stat()
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def over(self) -> None:
        """Remove the file again, unless another server has put its own there meanwhile."""
        if self._file is None or self._written is None:
            return
        with suppress(OSError):
            found = self._file.stat()
            if (found.st_dev, found.st_ino) == (self._written.st_dev, self._written.st_ino):
                self._file.unlink()
        self._written = None
