"""Whether this process may use a file or a directory, and what the operator can do where it may not."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Final

FILE: Final = os.R_OK | os.W_OK
READ: Final = os.R_OK
DIRECTORY: Final = os.R_OK | os.W_OK | os.X_OK
LOOK: Final = os.R_OK | os.X_OK


class NoAccess(Exception):
    """A file or directory may not be used; the message says why, and what mends it, in one line."""


def check_access(path: Path, wanted: int) -> None:
    """Raise NoAccess where this process may not use a path as ``wanted``: FILE or READ; DIRECTORY or LOOK.

    Links are followed. A missing path is no fault. The file is not opened: closing it would drop every lock that this
    process has on it.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise NoAccess(f"{path} cannot be looked at: {error.strerror}. {_who()} must be able to.") from None
    is_directory = bool(wanted & os.X_OK)
    if is_directory and not stat.S_ISDIR(found.st_mode):
        raise NoAccess(f"{path} is not a directory. Move it away, or choose another directory.")
    if not is_directory and not stat.S_ISREG(found.st_mode):
        raise NoAccess(f"{path} is not a regular file. Move it away, and restore what was there.")
    if os.access(path, wanted, effective_ids=True):
        return
    if wanted & os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY:
        raise NoAccess(
            f"{path} lies on a file system that is mounted read-only. Mount it writable, or choose another directory."
        )
    mode = "700" if is_directory else "600"
    use = "read and write" if wanted & os.W_OK else "read"
    raise NoAccess(
        f"{_who()} may not {use} {path}: it belongs to {_name(found.st_uid)} and has mode "
        f"{stat.S_IMODE(found.st_mode):04o}. {_remedy(path, found.st_uid, mode)}"
    )


def _remedy(path: Path, owner: int, mode: str) -> str:
    if owner == os.geteuid():
        return f"Run: chmod {mode} {path}"
    return f"Start the server as {_name(owner)}, or run as root: chown {os.geteuid()} {path} && chmod {mode} {path}"


def _who() -> str:
    return f"This process ({_name(os.geteuid())})"


def _name(uid: int) -> str:
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
