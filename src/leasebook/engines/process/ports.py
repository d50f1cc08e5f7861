"""Ports of replicas: which are free, and whether who listens on one is the replica that it was given to."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from leasebook.engines.contract import CannotRun, NoRoom
from leasebook.engines.process import keeper_kin

_PORT_MAX: Final = 65_535
_PRIVILEGED: Final = range(1, 1024)
_LISTENS: Final = b"0A"
"""The kernel's number for a TCP socket that listens; it lists all of those first."""
_PORT_AT, _STATE_AT, _UID_AT, _INODE_AT = 1, 3, 7, 9


class Owner(NamedTuple):
    """Whose a port is to be: a replica with this keeper, and with this uid of its own; None: with the keeper's."""

    port: int
    keeper: int
    uid: int | None


def is_free(port: int) -> bool:
    """Whether a server could listen on a port, on any address."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("", port))
        except OSError:
            return False
    return True


def choose(wanted: int | None, taken: set[int | None], ports: range) -> int | None:
    """Return the port of a replica: the one that it wants, one of ours for 0. Raises CannotRun and NoRoom."""
    if wanted is None:
        return None
    if not 0 <= wanted <= _PORT_MAX:
        raise CannotRun(f"There is no port {wanted}.")
    if wanted in _PRIVILEGED:
        raise CannotRun(f"Port {wanted} belongs to the system: ask for one from 1024 on, or for 0 to be given one.")
    if wanted:
        if wanted in own_ports():
            raise CannotRun(f"Port {wanted} is the server's own: ask for another, or for 0 to be given one.")
        if wanted in taken or not is_free(wanted):
            raise NoRoom(f"Port {wanted} is taken.")
        return wanted
    # The search begins at a random place, so that engines on other directories seldom try the same port.
    first = random.randrange(len(ports))  # noqa: S311 - guessing it gains nothing
    for offset in range(len(ports)):
        port = ports[(first + offset) % len(ports)]
        if port not in taken and is_free(port):
            return port
    raise NoRoom(f"No port from {ports[0]} to {ports[-1]} is free.")


def check_connects(connects: Iterable[int], ports: range) -> None:
    """Raise CannotRun for a port that no replica may connect to."""
    own = own_ports()
    for port in connects:
        if port in ports:
            raise CannotRun(f"Port {port} may not be connected to: replicas listen from {ports[0]} to {ports[-1]}.")
        if port in own:
            raise CannotRun(f"Port {port} may not be connected to: this server listens there.")


def listeners() -> Mapping[int, Mapping[str, int]]:
    """Return whose the sockets are that listen for TCP: by port, whatever their address, by inode, the maker's uid."""
    found: dict[int, dict[str, int]] = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/net/{name}", "rb") as table:  # noqa: PTH123
            next(table, None)
            for line in table:
                fields = line.split()
                if fields[_STATE_AT] != _LISTENS:
                    break
                port = int(fields[_PORT_AT].rpartition(b":")[2], 16)
                found.setdefault(port, {})[fields[_INODE_AT].decode()] = int(fields[_UID_AT])
    return found


def _sockets(pid: int | str) -> set[str]:
    """Return the inodes of the sockets that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - as quick as can be
            with contextlib.suppress(OSError):
                kind, _, inode = os.readlink(f"/proc/{pid}/fd/{name}").partition(":")  # noqa: PTH115
                if kind == "socket":
                    found.add(inode.strip("[]"))
    return found


def own_ports() -> frozenset[int]:
    """Return the ports that this process listens on: the server's own."""
    ours = _sockets("self")
    return frozenset(port for port, inodes in listeners().items() if inodes.keys() & ours)


class Listeners:
    """Tells whether all who listen on a replica's port are processes of that replica.

    Who has a socket open is looked up once; after that it is enough that the same sockets listen.
    """

    def __init__(self) -> None:
        self._known: dict[str, frozenset[str]] = {}

    def strangers(self, replicas: Mapping[str, Owner]) -> dict[str, str]:
        """Return the reason not to trust a replica's port, for each replica whose port another process listens on.

        ``replicas`` are by name. A port without a listener is no fault. The owner of a socket is the process that has
        it open. If we may not see that because the replica has a uid of its own, the owner is the uid that made the
        socket.
        """
        if not replicas:
            self._known.clear()
            return {}
        found = {}
        there = listeners()
        for name in self._known.keys() - replicas.keys():
            del self._known[name]
        for name, owner in replicas.items():
            port, made = owner.port, there.get(owner.port, {})
            inodes = frozenset(made)
            if not inodes or self._known.get(name) == inodes:
                continue
            if owner.uid is not None and os.geteuid() not in (0, owner.uid):
                mine = {inode for inode, uid in made.items() if uid == owner.uid}
            else:
                mine = {inode for one in keeper_kin.descendants(owner.keeper) for inode in _sockets(one)}
            if inodes <= mine:
                self._known[name] = inodes
            else:
                self._known.pop(name, None)
                found[name] = f"port {port}: a process listens there that is none of this replica's"
        return found
