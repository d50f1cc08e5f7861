"""Which system calls a replica may make: a filter for the kernel (seccomp), assembled here, for x86_64 and aarch64.

It lists the refused calls, so that unknown programs go on working. It has three kinds of calls: those that leave a
sandbox or enter another process, those that affect the whole machine, and those that make a TCP connection past
Landlock, which sees only ``bind`` and ``connect`` of plain TCP:

* sockets of other kinds: only AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK for routes (read only without capabilities);
  no raw sockets, no protocol but TCP and UDP. An MPTCP socket connects as TCP, and Landlock lets it;
* ``sendto`` and its kin with MSG_FASTOPEN, which connect without ``connect``;
* io_uring, whose calls no filter sees.

``listen`` is not decided here but by the replica's keeper (``asking``): Landlock does not see it where the socket was
not bound before.

UDP has no ports that Landlock could bound. So a replica has it only where it may connect somewhere (name servers are
asked by UDP); then it may send UDP anywhere.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from typing import Final

# Of linux/filter.h and linux/seccomp.h.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _KILL, _ERRNO, _ASK = 0x7FFF0000, 0x80000000, 0x00050000, 0x7FC00000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32: Final = 0x40000000
"""Calls of the x32 kind have this bit in their number, and would be none on the list."""

_NAMESPACES: Final = 0x7E020080
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME."""
_CLONE_FILES, _CLONE_THREAD, _CLOSE_RANGE_UNSHARE = 0x400, 0x10000, 2
"""A thread with open files of its own hides them from who lists those of its process, and so from the disk's count."""
_FAST_OPEN: Final = 0x20000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_STREAM, _DATAGRAM, _KIND = 1, 2, 0xF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

Numbers = tuple[int | None, int | None]
"""The number of a call on x86_64 and on aarch64; None: it has none there."""

REFUSED: Final[Mapping[str, Numbers]] = {
    # Into another process, and out of the sandbox.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # Parts of the kernel that few programs need and that many holes were found in.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "sysfs": (139, None),
    "ustat": (136, None),
    "nfsservctl": (180, 42),
    "lookup_dcookie": (212, 18),
    # The whole machine.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "create_module": (174, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "iopl": (172, None),
    "ioperm": (173, None),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "syslog": (103, 116),
    "vhangup": (153, 58),
}
"""Answered with EPERM."""
UNKNOWN: Final[Mapping[str, Numbers]] = {
    # A filter cannot look into the memory that holds clone3's flags. Libraries fall back to clone.
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""Answered with ENOSYS, so that programs do without."""
_CLONE: Final[Numbers] = (56, 220)
_CLOSE_RANGE: Final[Numbers] = (436, 436)
_IOCTL: Final[Numbers] = (16, 29)
_SOCKETS: Final[tuple[Numbers, ...]] = ((41, 198), (53, 199))
"""socket and socketpair."""
_SENDS: Final[Mapping[Numbers, int]] = {(44, 206): 3, (46, 211): 2, (307, 269): 3}
"""sendto, sendmsg and sendmmsg, and which of their arguments has the flags."""

_LISTEN: Final[Numbers] = (50, 201)
_SECCOMP: Final[Numbers] = (317, 277)

ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""The kernel's number of each, and its place in ``Numbers``."""


class NoFilter(Exception):
    """There is no filter for the processors of this machine."""


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _argument(number: int) -> bytes:
    """Load the lower half of an argument. The kernel looks at no more of those that are looked at here."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * number)


def _fails(number: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | number)


_PASS: Final = _instruction(_RETURN, _ALLOW)


def _if_call(number: int, then: bytes) -> bytes:
    """Run a block for one call. It must return; the call's number is loaded before and after."""
    return _instruction(_EQUAL, number, 0, len(then) // 8) + then


def _unless(value: int, then: bytes, code: int = _EQUAL) -> bytes:
    return _instruction(code, value, len(then) // 8, 0) + then


def _if(value: int, then: bytes, code: int = _EQUAL) -> bytes:
    return _instruction(code, value, 0, len(then) // 8) + then


def _socket(*, datagrams: bool) -> bytes:
    """Decide about a socket; see the module."""
    families = (
        _if(_AF_UNIX, _PASS)
        # Routes are protocol 0.
        + _if(_AF_NETLINK, _argument(2) + _if(0, _PASS) + _fails(errno.EPROTONOSUPPORT))
        + _if(_AF_INET, b"" + _internet(datagrams=datagrams))
        + _if(_AF_INET6, b"" + _internet(datagrams=datagrams))
    )
    return _argument(0) + families + _fails(errno.EAFNOSUPPORT)


def _internet(*, datagrams: bool) -> bytes:
    tcp, udp = 6, 17
    kind = _argument(1) + _instruction(_AND, _KIND)
    one_of = {_STREAM: tcp} | ({_DATAGRAM: udp} if datagrams else {})
    for number, protocol in one_of.items():
        passes = _argument(2) + _if(0, _PASS) + _if(protocol, _PASS) + _fails(errno.EPROTONOSUPPORT)
        kind += _if(number, passes)
    return kind + _fails(errno.EACCES)


def assemble(machine: str, *, datagrams: bool) -> bytes:
    """Return the filter for a kind of processor; ``datagrams``: whether UDP is allowed. Raises NoFilter.

    It is an array of ``struct sock_filter``, as ``bwrap --seccomp`` and ``prctl`` take it.
    """
    if machine not in ARCHITECTURES:
        raise NoFilter(f"there is no filter of system calls for {machine} (only for {' and '.join(ARCHITECTURES)})")
    architecture, place = ARCHITECTURES[machine]
    program = _instruction(_LOAD, _ARCHITECTURE)
    program += _unless(architecture, _instruction(_RETURN, _KILL))
    program += _instruction(_LOAD, _NUMBER)
    if machine == "x86_64":
        program += _if(_X32, _instruction(_RETURN, _KILL), _AT_LEAST)
    for calls, error in ((REFUSED, errno.EPERM), (UNKNOWN, errno.ENOSYS)):
        for numbers in calls.values():
            if (number := numbers[place]) is not None:
                program += _if_call(number, _fails(error))
    namespaces = _argument(0) + _if(_NAMESPACES, _fails(errno.EPERM), _ANY_BIT)
    files = _instruction(_AND, _CLONE_THREAD | _CLONE_FILES) + _if(_CLONE_THREAD, _fails(errno.EPERM))
    program += _if_call(_CLONE[place] or 0, namespaces + files + _PASS)
    own_files = _argument(2) + _if(_CLOSE_RANGE_UNSHARE, _fails(errno.EINVAL), _ANY_BIT) + _PASS
    program += _if_call(_CLOSE_RANGE[place] or 0, own_files)
    pushes = _argument(1) + _if(_TIOCSTI, _fails(errno.EPERM)) + _if(_TIOCLINUX, _fails(errno.EPERM)) + _PASS
    program += _if_call(_IOCTL[place] or 0, pushes)
    for numbers in _SOCKETS:
        program += _if_call(numbers[place] or 0, _socket(datagrams=datagrams))
    for numbers, flags in _SENDS.items():
        send = _argument(flags) + _if(_FAST_OPEN, _fails(errno.EOPNOTSUPP), _ANY_BIT) + _PASS
        program += _if_call(numbers[place] or 0, send)
    return program + _PASS


def asking(machine: str) -> tuple[int, bytes]:
    """Return the number of ``seccomp``, and the filter by which ``listen`` is asked about. Raises NoFilter.

    It goes beside ``assemble``, which has looked at the processor before.
    """
    if machine not in ARCHITECTURES:
        raise NoFilter(f"there is no filter of system calls for {machine} (only for {' and '.join(ARCHITECTURES)})")
    _, place = ARCHITECTURES[machine]
    program = _instruction(_LOAD, _NUMBER) + _if(_LISTEN[place] or 0, _instruction(_RETURN, _ASK)) + _PASS
    return _SECCOMP[place] or 0, program


def here(*, datagrams: bool) -> bytes:
    """Return the filter for this machine. Raises NoFilter."""
    return assemble(platform.machine(), datagrams=datagrams)
