"""The file of new secrets: access keys and webhook secrets, a line of JSON each, readable by its owner alone.

Before a call that makes a secret, the file gets a line with the call and its client token. After the answer it gets the
secret. A run that ends between the two loses nothing: the next run finds the call without its secret, and repeats it
with the same token, for which the service gives the same secret to the same user again.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from leasebook.cli.house import words
from leasebook.cli.terminal.texts import _

REPEATED_FOR: Final = timedelta(hours=40)
"""How long a call is repeated for its secret. The service keeps its answer for 48 hours or longer."""
_MODE: Final = 0o600
_OTHERS: Final = 0o077


class BadSecretsFile(Exception):
    """The file cannot be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Asked:
    """A call that makes a secret, and the name of the thing that it is for.

    ``by`` is the id of the user who calls: the service gives the secret again to that user alone, and no other service
    has a user of that id. ``known`` are the ids of the things of its kind that were there before.
    """

    of: str
    by: str
    path: str
    action: str
    body: Mapping[str, Any]
    known: Sequence[str]
    time: str

    @property
    def token(self) -> str:
        """The client token of the call."""
        return str(self.body["clientToken"])

    def is_repeatable(self, now: datetime) -> bool:
        """Whether the service still has the answer."""
        return now - datetime.fromisoformat(self.time) < REPEATED_FOR


class SecretsFile:
    """The lines of a file that is locked for this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._asked: dict[str, Asked] = {}
        for line in _lines(descriptor):
            self._take(line)
        self._needs_break = _is_torn(descriptor)

    def open_calls(self) -> list[Asked]:
        """Return the calls whose secrets are not in the file."""
        return list(self._asked.values())

    def asking(self, asked: Asked) -> None:
        """Note a call before it is sent."""
        if asked.token not in self._asked:
            self._write(
                {
                    "asked": asked.of,
                    **{name: getattr(asked, name) for name in ("by", "path", "action", "time")},
                    "known": list(asked.known),
                    "body": dict(asked.body),
                }
            )

    def answered(self, asked: Asked, secret: Mapping[str, Any]) -> None:
        """Note the secret that a call was answered with."""
        self._write({"secretOf": asked.of, **secret, "token": asked.token, "time": asked.time})

    def given_up(self, asked: Asked) -> None:
        """Note that the secret of a call cannot be had any more."""
        self._write({"lost": asked.of, "token": asked.token})

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        data = (("\n" if self._needs_break else "") + text).encode()
        self._needs_break = False
        written = 0
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        os.fsync(self._descriptor)
        self._take(line)

    def _take(self, line: Mapping[str, Any]) -> None:
        if "asked" in line:
            asked = Asked(
                line["asked"], line["by"], line["path"], line["action"], line["body"], line["known"], line["time"]
            )
            self._asked[asked.token] = asked
        else:
            self._asked.pop(str(line.get("token")), None)


@contextmanager
def locked(path: Path) -> Iterator[SecretsFile]:
    """Open the file, or create it, and lock it; raises BadSecretsFile.

    A link is never followed, and a file that others can read or write is refused.
    """
    descriptor = _opened(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadSecretsFile(words.secrets_busy(path)) from None
        _check(path, descriptor)
        try:
            opened = SecretsFile(path, descriptor)
        except _NotOurs:
            raise BadSecretsFile(words.secrets_not_ours(path)) from None
        yield opened
    finally:
        os.close(descriptor)


class _NotOurs(ValueError):
    """A line is not one of ours."""


def calls_without_secrets(path: Path) -> list[Asked]:
    """Return the calls in a file whose secrets are not in it, without changing or locking it; none if it is missing."""
    if not path.exists():
        return []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadSecretsFile(words.secrets_unusable(path, str(error.strerror))) from None
    try:
        _check(path, descriptor)
        return SecretsFile(path, descriptor).open_calls()
    except _NotOurs:
        raise BadSecretsFile(words.secrets_not_ours(path)) from None
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            return os.open(path, flags)
        os.fchmod(descriptor, _MODE)
        _keep_name(path)
    except OSError as error:
        raise BadSecretsFile(words.secrets_unusable(path, str(error.strerror))) from None
    return descriptor


def _keep_name(path: Path) -> None:
    """Have the new file's name survive a power cut."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(path: Path, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise BadSecretsFile(words.secrets_unusable(path, _(words.NOT_A_PLAIN_FILE)))
    if found.st_uid != os.geteuid():
        raise BadSecretsFile(words.secrets_unusable(path, _(words.NOT_YOURS)))
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise BadSecretsFile(words.secrets_open(path))


def _content(descriptor: int) -> bytes:
    parts = []
    at = 0
    while part := os.pread(descriptor, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def _is_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _lines(descriptor: int) -> Iterator[dict[str, Any]]:
    """Yield the lines; the last one may be torn by a power cut, and is passed over then."""
    *whole, last = _content(descriptor).split(b"\n")
    for line in (*whole, last):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            if not line.startswith(b'{"'[: len(line)]):
                raise _NotOurs from None
            continue
        if not isinstance(found, dict) or not {"asked", "secretOf", "lost"} & found.keys():
            raise _NotOurs
        yield found


def stamp(now: datetime) -> str:
    """Write a time for a line."""
    return now.astimezone(UTC).isoformat(timespec="seconds")
