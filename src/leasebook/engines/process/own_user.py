"""A user of its own for a replica whose server is not root: a user namespace with one of the server's subordinate uids.

``newuidmap`` and ``newgidmap`` make this namespace out of the server's range in ``/etc/subuid`` and ``/etc/subgid``;
bubblewrap cannot. The keeper enters it before anything else. Inside it is root, and outside it is the server's user; so
it has root's powers over the replica's processes and files, and over no others.

Its instructions are lines of a word and its value (``subuids`` writes them):

    uid     the program, and what it maps: a number in the namespace, one outside of it, how many; and so on
    gid     likewise, for groups
    own     the replica's uid and gid in the namespace. Absent: it gets none

``own_user.main(PATH, LINE...)`` in a Python of its own deletes a folder that a replica has filled. The module
imports only modules that are quick to import.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from leasebook.engines.process.keeper_disk import remove
from leasebook.engines.process.keeper_state import pairs

USERS = "users"
"""The file in a state directory that says all this. Not there: the replica has no user of its own, or its server is
root."""
FOLDERS = ("work", "tmp")

_NEW_USER = 0x10000000
_ALONE = "1"


def mapped() -> set[int]:
    """Return the uids that some process has mapped one by one into a user namespace, itself left out.

    They stand there from before anything runs as them, so that two who take the same one at once both see it.
    """
    found = set()
    me = str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdigit() and name != me:
            try:
                with open(f"/proc/{name}/uid_map", "rb") as file:
                    entries = [line.split() for line in file]
            except OSError:
                continue
            found |= {int(outside) for _, outside, count in entries if count == _ALONE.encode()}
    return found


def enter(instructions: str) -> None:
    """Enter a namespace by ``instructions``, for good. Raises OSError. The process must have no other threads."""
    orders = pairs(instructions)
    go, let_go = os.pipe()
    heard, said = os.pipe()
    # They have to stay outside, where what they execute is root.
    mappers = [_mapper(orders[kind].split(), go, let_go, said) for kind in ("uid", "gid")]
    os.close(go)
    os.close(said)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_NEW_USER) != 0:
            raise OSError(ctypes.get_errno(), f"no user namespace: {os.strerror(ctypes.get_errno())}")
        os.write(let_go, b"!" * len(mappers))
    finally:
        os.close(let_go)
        why = b""
        while part := os.read(heard, 4096):
            why += part
        os.close(heard)
        failed = [pid for pid in mappers if os.waitpid(pid, 0)[1] != 0]
    if failed:
        words = " ".join(why.decode(errors="replace").split())
        raise OSError(words or f"{orders['uid'].split()[0]} failed")


def _mapper(words: list[str], go: int, let_go: int, said: int) -> int:
    """Start what maps numbers into our namespace once we have one; return its pid."""
    words = [words[0], str(os.getpid()), *words[1:]]
    pid = os.fork()
    if pid == 0:
        try:
            os.close(let_go)
            if os.read(go, 1):
                os.dup2(said, 1)
                os.dup2(said, 2)
                os.execve(words[0], words, {})  # noqa: S606 - a fixed path
        except OSError as error:
            os.write(said, f"{words[0]}: {error.strerror}".encode())
        finally:
            os._exit(127)
    return pid


def settle(instructions: str) -> str:
    """Go into the namespace, and give the replica its folders. Raises OSError, also where its uid is another's.

    Returns the number (inode) by which all in this namespace are known.
    """
    enter(instructions)
    own = int(pairs(instructions)["own"])
    if own in mapped():
        raise OSError(f"uid {own} was taken by another replica of this machine in the same moment")
    for folder in FOLDERS:
        os.chown(folder, own, own)
    return str(os.stat("/proc/self/ns/user").st_ino)


def main(path: str, *instructions: str) -> None:
    """Delete a folder and its content as root of a namespace that contains the owners of the files."""
    enter(lines(instructions))
    remove(path)


def lines(instructions: Iterable[str]) -> str:
    """Return instructions as the text that ``enter`` reads."""
    return "".join(f"{line}\n" for line in instructions)
