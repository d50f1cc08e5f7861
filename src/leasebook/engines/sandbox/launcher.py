"""The first program in a sandbox: it gives up all rights that the command may not have, and becomes the command.

``python -I -S launcher.py ORDERS COMMAND ENVIRON REPORT``, each the number of an open file. It is a file by itself and
imports only modules that are quick to import, because it starts with every replica. In the sandbox only this file can
be trusted.

Orders are lines of a word and its value:

    uid        the command's user; its group has the same number
    limit      NAME VALUE, of ``setrlimit``
    landlock   restrict the command by the kernel's Landlock; the following allow:
    read       a path: read and execute everything below it
    list       a path: list folders below it
    write      a path: everything that the owner of the files may do
    device     a path: read, write and ioctl on devices below it
    bind       a TCP port, and ``connect``
    filter     the number of an open file with a filter of system calls
    ask        the number of the call ``seccomp``, and in hexadecimal digits a filter that asks the keeper
    folder     the command's working directory
    program    the file to execute

REPORT is a socket. It gets one byte 1 once the sandbox is closed, with the descriptor for the answers to ``ask``. After
that byte comes the reason if the command could not be executed. Text before that byte is the reason why the sandbox
could not be closed; then the command has not run.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from _socket import SCM_RIGHTS, SOL_SOCKET, socket

CLOSED = b"\x01"

_PR_CAPBSET_DROP, _CAPABILITIES_MAX, _CAPABILITY_VERSION_3 = 24, 64, 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 1, 38, 22, 2
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
# The same numbers on every processor.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ABI_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_BIND_TCP, _CONNECT_TCP = 1 << 0, 1 << 1
_PATHS = {
    "read": _READ,
    "list": _READ_DIR,
    "write": ~_IOCTL_DEV,
    "device": _READ_FILE | _READ_DIR | _WRITE_FILE | _IOCTL_DEV,
}
_PORTS = {"bind": _BIND_TCP, "connect": _CONNECT_TCP}
_SCOPED = 0b11
"""Abstract unix sockets, and signals."""
_ABI_REFER, _ABI_TRUNCATE, _ABI_NET, _ABI_IOCTL, _ABI_SCOPED = 2, 3, 4, 5, 6
_BASE = (1 << 13) - 1
"""Rights about files that the first Landlock had."""

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_abi() -> int:
    """Return which Landlock the kernel has; 0: none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ABI_VERSION))))


def _call(what: str, *arguments: object) -> int:
    done = int(_libc.syscall(*arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return done


def _prctl(what: str, option: int, value: object, more: object = 0) -> None:
    if _libc.prctl(option, value, more, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


class Landlock:
    """A set of rules that is being built. Rights that the kernel's Landlock does not know are left out."""

    def __init__(self) -> None:
        abi = landlock_abi()
        self._files = _BASE
        for since, right in ((_ABI_REFER, _REFER), (_ABI_TRUNCATE, _TRUNCATE), (_ABI_IOCTL, _IOCTL_DEV)):
            self._files |= right if abi >= since else 0
        self._net = _BIND_TCP | _CONNECT_TCP if abi >= _ABI_NET else 0
        rules = struct.pack("=QQQ", self._files, self._net, _SCOPED if abi >= _ABI_SCOPED else 0)
        # An older kernel refuses a longer structure only if there is something in what it does not know.
        self._set = _call("landlock", _CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)

    def add(self, word: str, value: str) -> None:
        """Allow what an order says; nothing where it says something else."""
        if word in _PATHS:
            self._path(value, _PATHS[word])
        elif word in _PORTS:
            self._port(int(value), _PORTS[word])

    def _path(self, path: str, rights: int) -> None:
        """Allow rights below a path; nothing where there is none."""
        try:
            beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            allowed = rights & self._files & (-1 if os.path.isdir(path) else _OF_FILES)
            rule = struct.pack("=Qi", allowed, beneath)
            _call(f"landlock {path}", _ADD_RULE, self._set, _PATH_BENEATH, rule, 0)
        finally:
            os.close(beneath)

    def _port(self, port: int, right: int) -> None:
        """Allow a TCP port."""
        if self._net:
            rule = struct.pack("=QQ", right, port)
            _call(f"landlock port {port}", _ADD_RULE, self._set, _NET_PORT, rule, 0)

    def close(self) -> None:
        """Restrict this process, and whatever it becomes and starts, for good."""
        _call("landlock", _RESTRICT_SELF, self._set, 0)
        os.close(self._set)


def _read(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 65_536):
        parts.append(part)
    return b"".join(parts)


def _limit(name: str, value: int) -> None:
    number = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(number)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (bound, bound))


def _become(number: int) -> None:
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)


def _bound_powers() -> None:
    """Drop all capabilities from the bounding set. That needs one; a process without it cannot pass any on."""
    for capability in range(_CAPABILITIES_MAX):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # Those that the kernel does not know are none.


def _give_up_powers() -> None:
    """Have no capability, even as root: with some of them Landlock is not asked."""
    header, none = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24)
    if _libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _shown(program: ctypes.Array[ctypes.c_char], size: int) -> bytes:
    """Return a struct sock_fprog: a length in instructions, and where they are."""
    return struct.pack("@HP", size // 8, ctypes.addressof(program))


def _ask(value: str) -> int:
    """Have some system calls asked about; returns the descriptor on which that is done."""
    number, _, digits = value.partition(" ")
    program = bytes.fromhex(digits)
    held = ctypes.create_string_buffer(program, len(program))
    shown = _shown(held, len(program))
    return _call("asking about system calls", int(number), _SET_MODE_FILTER, _NEW_LISTENER, shown)


def confine(orders: list[tuple[str, str]]) -> int | None:
    """Give up what the orders say; returns the descriptor of ``ask``. Raises OSError and ValueError."""
    _bound_powers()
    rules = Landlock() if any(word == "landlock" for word, _ in orders) else None
    filters = [_read(int(value)) for word, value in orders if word == "filter"]
    for word, value in orders:
        if word == "uid":
            _become(int(value))
        elif word == "limit":
            name, _, number = value.partition(" ")
            _limit(name, int(number))
        elif word == "folder":
            os.chdir(value)
        elif rules is not None:
            rules.add(word, value)
    _give_up_powers()
    _prctl("death of the parent", _PR_SET_PDEATHSIG, signal.SIGKILL)  # A new uid has made the kernel forget it.
    _prctl("no new privileges", _PR_SET_NO_NEW_PRIVS, 1)
    if rules is not None:
        rules.close()
    for program in filters:
        held = ctypes.create_string_buffer(program, len(program))
        _prctl("filter of system calls", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _shown(held, len(program)))
    asks = [value for word, value in orders if word == "ask"]
    return _ask(asks[0]) if asks else None


def _say_closed(report: int, asked: int | None) -> None:
    """Report that the sandbox is closed, and hand the descriptor for answers over; no process in here keeps it."""
    if asked is None:
        os.write(report, CLOSED)
        return
    channel = socket(fileno=report)
    channel.sendmsg([CLOSED], [(SOL_SOCKET, SCM_RIGHTS, struct.pack("i", asked))])
    channel.detach()
    os.close(asked)


def main(orders: int, command: int, environ: int, report: int) -> None:
    """Close the sandbox and execute the command. Never returns."""
    try:
        told = _read(orders).decode(errors="surrogateescape").splitlines()
        words = _read(command).decode(errors="surrogateescape").split("\0")[:-1]
        entries = _read(environ).decode(errors="surrogateescape").split("\0")[:-1]
        given = [(word, value) for word, _, value in (line.partition(" ") for line in told)]
        path = dict(given)["program"]
        os.set_inheritable(report, False)
        asked = confine(given)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _say_closed(report, asked)
        os.closerange(3, report)
        os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))
    except (OSError, ValueError, KeyError) as error:
        os.write(report, str(error).encode(errors="replace"))
        os._exit(127)
    try:
        os.execve(path, words, dict(entry.split("=", 1) for entry in entries))  # noqa: S606 - it is what this is for
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        os.write(report, f"{path} cannot be executed: {why}".encode(errors="replace"))
    finally:
        os._exit(127)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
