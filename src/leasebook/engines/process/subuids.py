"""The uids that a server which is not root may give to replicas: its user's range in /etc/subuid and /etc/subgid."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from pathlib import Path
from typing import Final

import msgspec
import structlog

from leasebook.engines.process import own_user
from leasebook.engines.process.keeper_disk import remove
from leasebook.engines.process.python import python_running

log = structlog.get_logger()

FILES: Final = (Path("/etc/subuid"), Path("/etc/subgid"))
FOLDERS: Final = ("/usr/bin", "/bin", "/usr/local/bin")
"""Fixed folders: with PATH, a user who may change that could replace the programs."""
_PROGRAMS: Final = ("newuidmap", "newgidmap")
_CLEAR_MAX_S: Final = 600.0


class NoRange(Exception):
    """The server has no range of uids for replicas. The message says why, and how to mend it."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """``count`` uids and gids that belong to this server's user, from these on, and what maps them."""

    programs: tuple[str, str]
    uid: int
    gid: int
    count: int

    @property
    def uids(self) -> tuple[int, int]:
        """The first and the last uid."""
        return self.uid, self.uid + self.count - 1

    def users(self, own: int) -> str:
        """Return the keeper's instructions (``own_user``) for a replica with this uid and the matching gid.

        Inside the namespace the gid has the uid's number. Outside it has its real one.
        """
        gid = self.gid + own - self.uid
        return own_user.lines((*self._mapping((own, own, 1), (own, gid, 1)), f"own {own}"))

    def everybody(self) -> tuple[str, ...]:
        """Return the instructions for a process that must reach the files of all replicas."""
        return self._mapping((self.uid, self.uid, self.count), (self.gid, self.gid, self.count))

    def _mapping(self, uids: tuple[int, int, int], gids: tuple[int, int, int]) -> tuple[str, ...]:
        asked = (("uid", self.programs[0], os.geteuid(), uids), ("gid", self.programs[1], os.getegid(), gids))
        return tuple(f"{kind} {program} 0 {us} 1 {' '.join(map(str, it))}" for kind, program, us, it in asked)


def find_range() -> Range:
    """Return what this server's user has been given. Raises NoRange."""
    programs = []
    for name in _PROGRAMS:
        found = next((path for folder in FOLDERS if os.access(path := f"{folder}/{name}", os.X_OK)), None)
        if found is None:
            raise NoRange(f"{name} is not installed (Debian: apt install uidmap)")
        programs.append(found)
    try:
        user = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise NoRange(f"uid {os.geteuid()} has no name in /etc/passwd, which newuidmap asks for") from None
    if user.pw_gid != os.getegid():
        raise NoRange(f"the server's group is not {user.pw_name}'s own, which newuidmap asks for")
    uids, gids = (_longest(path, user.pw_name, user.pw_uid) for path in FILES)
    return Range(programs=(programs[0], programs[1]), uid=uids[0], gid=gids[0], count=min(uids[1], gids[1]))


def _longest(path: Path, name: str, uid: int) -> tuple[int, int]:
    """Return the first number and the length of the longest range that a file gives to a user. Raises NoRange."""
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise NoRange(f"{path} cannot be read: {error.strerror}") from None
    found = []
    for line in text.splitlines():
        owner, *numbers = line.strip().split(":")
        if owner in (name, str(uid)) and len(numbers) == len(("first", "count")) and all(map(str.isdigit, numbers)):
            first, count = map(int, numbers)
            # A range with root or the server's own user in it is a mistake that must not be passed on.
            if count and first > 0 and not first <= uid < first + count:
                found.append((first, count))
    if not found:
        kind = "uids" if path == FILES[0] else "gids"
        raise NoRange(f"{path} has no range for {name} (usermod --add-sub{kind} FIRST-LAST {name})")
    return max(found, key=lambda one: one[1])


def in_use() -> set[int]:
    """Return the uids that something on this machine runs as."""
    found = set()
    for name in os.listdir("/proc"):  # noqa: PTH208 - thousands of names
        if name.isdigit():
            with contextlib.suppress(OSError):
                found.add(os.stat(f"/proc/{name}").st_uid)  # noqa: PTH116 - likewise
    return found


def clear(path: str) -> None:
    """Delete a folder that a replica may have filled, also under a uid of its own.

    Files that we may not delete stay, and a line in the log says so: they only take disk space.
    """
    try:
        remove(path)
    except PermissionError as error:
        try:
            clear_as(find_range(), path)
        except (NoRange, OSError) as why:
            log.warning("Files of a replica cannot be deleted", path=error.filename or path, why=str(why))


def clear_as(given: Range, path: str) -> None:
    """Delete a folder whose files belong to uids of a range. Raises OSError."""
    words = python_running("process.own_user", path, *given.everybody())
    try:
        done = subprocess.run(  # noqa: S603 - our own Python
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_CLEAR_MAX_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(str(error)) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(said[-1] if said else f"it ended with {done.returncode}")
