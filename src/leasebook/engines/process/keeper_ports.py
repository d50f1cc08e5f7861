"""Restricts a replica to its own ports: the kernel passes each ``listen`` to the keeper. Quick to import.

A socket that listens without having been bound gets a port from the kernel, and Landlock does not see that. The machine
has some ten thousand of these ports, and without a free one no process on it can connect to anything. The filter of
system calls therefore passes each ``listen`` to the keeper, which does it for the replica or refuses it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from _socket import AF_INET, AF_INET6, CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket, socketpair

_PIDFD_GETFD = 438
"""The same number on every processor, as every call since Linux 5.1."""
# SECCOMP_IOCTL_NOTIF_RECV, _SEND and _ID_VALID, with the sizes of what they are given.
_RECEIVE, _SEND, _IS_VALID = 0xC0502100, 0xC0182101, 0x40082102
_ASKED_BYTES, _ARGUMENTS_AT = 80, 32
_BACKLOG_MAX = (1 << 31) - 1
_DESCRIPTOR = struct.Struct("i")

_libc = ctypes.CDLL(None, use_errno=True)


def pair() -> tuple[int, int]:
    """Return two ends of a channel on which a replica's launcher reports, and hands over what ``Listens`` takes."""
    ours, theirs = socketpair()
    return ours.detach(), theirs.detach()


def heard(descriptor: int) -> tuple[bytes, int | None]:
    """Return all that comes on a channel until it ends, and the descriptor that came with it, if so."""
    found, handed = b"", None
    channel = socket(fileno=descriptor)
    try:
        while True:
            part, beside, _, _ = channel.recvmsg(65_536, CMSG_LEN(_DESCRIPTOR.size))
            for level, kind, data in beside:
                if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                    handed = _DESCRIPTOR.unpack_from(data)[0]
            if not part:
                return found, handed
            found += part
    finally:
        channel.detach()


class Listens:
    """Answers a replica's calls of ``listen``; ``port`` is the one TCP port that it may listen on, None: there is none.

    The keeper listens for it, on the very socket that the replica has. So it does not matter what the replica puts in
    that socket's place meanwhile.
    """

    def __init__(self, descriptor: int, port: int | None) -> None:
        self.descriptor = descriptor
        self._port = port

    def answer(self) -> None:
        """Answer one call, if there is one."""
        asked = bytearray(_ASKED_BYTES)
        # Who asked may have been killed meanwhile.
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.descriptor, _RECEIVE, asked)
            number, thread = struct.unpack_from("=QI", asked)
            ours, backlog = struct.unpack_from("=QQ", asked, _ARGUMENTS_AT)
            error = 0
            try:
                self._listen(number, thread, ours & 0xFFFF_FFFF, backlog & 0xFFFF_FFFF)
            except OSError as problem:
                error = problem.errno or errno.EACCES
            fcntl.ioctl(self.descriptor, _SEND, struct.pack("=QqiI", number, 0, -error, 0))

    def _listen(self, number: int, thread: int, descriptor: int, backlog: int) -> None:
        process = os.pidfd_open(_process_of(thread))
        try:
            # Otherwise another process could have that number by now.
            fcntl.ioctl(self.descriptor, _IS_VALID, struct.pack("=Q", number))
            taken = int(_libc.syscall(_PIDFD_GETFD, process, ctypes.c_uint(descriptor), 0))
            if taken < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(process)
        try:
            listening = socket(fileno=taken)
        except OSError:
            os.close(taken)
            raise
        try:
            if listening.family in (AF_INET, AF_INET6) and listening.getsockname()[1] != self._port:
                raise PermissionError(errno.EACCES, "not its port")
            listening.listen(min(backlog, _BACKLOG_MAX))
        finally:
            listening.close()


def _process_of(thread: int) -> int:
    """Return the process that a thread is of."""
    with open(f"/proc/{thread}/status", "rb") as status:
        for line in status:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ProcessLookupError(errno.ESRCH, "it is gone")
