"""The attacks of a tenant's command, each by itself: ``python -I -S sandbox_attacks.py TARGETS``, a file of JSON.

It prints a line for each: the attack's name, and ``did it`` or what kept it from that. It imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
SYSCALLS = {
    "x86_64": {"keyctl": 250, "io_uring_setup": 425, "close_range": 436},
    "aarch64": {"keyctl": 219, "io_uring_setup": 425, "close_range": 436},
}
UNSHARE_FILES = 2
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
MPTCP, FAST_OPEN = 262, 0x20000000


class Failed(Exception):
    """It did not work, and nothing of the system said why."""


def _done(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _call(name: str, *arguments: Any) -> int:
    return int(LIBC.syscall(SYSCALLS[os.uname().machine][name], *arguments))


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def environment_of(pid: int, secret: str) -> None:
    if secret.encode() not in read(f"/proc/{pid}/environ"):
        raise Failed("it is another process")


def memory_of(pid: int) -> None:
    for line in read(f"/proc/{pid}/maps").splitlines():
        span, rights, *_ = line.split()
        if rights.startswith(b"rw"):
            with open(f"/proc/{pid}/mem", "rb", 0) as file:
                file.seek(int(span.partition(b"-")[0], 16))
                file.read(1)
            return
    raise Failed("it has no memory")


def connect(port: int, protocol: int = 0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as made:
        made.settimeout(2)
        made.connect(("127.0.0.1", port))


def connect_by_sending(port: int) -> None:
    with socket.socket() as made:
        made.sendto(b"GET / HTTP/1.0\r\n\r\n", FAST_OPEN, ("127.0.0.1", port))
        made.getpeername()


def bind(port: int) -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", port))


def listen_anywhere(family: int) -> None:
    with socket.socket(family) as made:
        made.listen()


def datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"out", ("127.0.0.1", port))


def abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(f"\0{name}")


def trace(pid: int) -> None:
    _done(LIBC.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0x40000000)
    LIBC.ptrace(PTRACE_DETACH, pid, None, None)


def mount() -> None:
    _done(LIBC.mount(b"none", b"/mnt", b"tmpfs", 0, None))
    LIBC.umount2(b"/mnt", 2)


def unshare(flags: int) -> None:
    child = os.fork()
    if child == 0:
        os._exit(ctypes.get_errno() & 0xFF if LIBC.unshare(flags) < 0 else 0)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(code, os.strerror(code))


def io_uring() -> None:
    if _call("io_uring_setup", 1, None) < 0 and ctypes.get_errno() != errno.EFAULT:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write_system() -> None:
    path = f"/usr/leasebook-attack-{os.getpid()}"
    with open(path, "w"):
        os.unlink(path)


def write(path: str) -> None:
    with open(path, "r+b"):
        pass


def attacks(at: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Return every attack, by what it is."""
    return {
        "read the master key": lambda: read(f"{at['data']}/master.key"),
        "read the database": lambda: read(f"{at['data']}/leasebook.db"),
        "write the database": lambda: write(f"{at['data']}/leasebook.db"),
        "list the data directory": lambda: os.listdir(at["data"]),
        "read the server's environment": lambda: environment_of(at["server"], at["secret"]),
        "read another replica's environment": lambda: environment_of(at["other"], at["other_secret"]),
        "read another replica's memory": lambda: memory_of(at["other"]),
        "get at another replica's root": lambda: os.listdir(f"/proc/{at['other']}/root"),
        "read another replica's working directory": lambda: os.listdir(at["other_work"]),
        "read another replica's orders": lambda: read(f"{at['other_state']}/environ"),
        "read its own state directory": lambda: read(f"{at['own_state']}/keep"),
        "move its own deadline": lambda: write(f"{at['own_state']}/ends"),
        "read the accounts of the machine": lambda: read("/etc/shadow"),
        "write to the system": write_system,
        "signal the server": lambda: os.kill(at["server"], signal.SIGCONT),
        "signal another replica": lambda: os.kill(at["other"], signal.SIGCONT),
        "signal its keeper": lambda: os.kill(at["keeper"], signal.SIGCONT),
        "trace another replica": lambda: trace(at["other"]),
        "connect to the control plane": lambda: connect(at["server_port"]),
        "connect to the control plane by MPTCP": lambda: connect(at["server_port"], MPTCP),
        "connect to the control plane by sending": lambda: connect_by_sending(at["server_port"]),
        "connect to another replica": lambda: connect(at["other_port"]),
        "listen on another port": lambda: bind(at["free_port"]),
        "listen where the kernel chooses": lambda: listen_anywhere(socket.AF_INET),
        "listen where the kernel chooses, by IPv6": lambda: listen_anywhere(socket.AF_INET6),
        "send by UDP": lambda: datagram(at["udp_port"]),
        "get at an abstract socket": lambda: abstract(at["abstract"]),
        "listen to all packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "make raw packets": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
        "ask for all sockets": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close(),
        "mount": mount,
        "make a namespace of mounts": lambda: unshare(0x00020000),
        "make a namespace of users": lambda: unshare(0x10000000),
        "get at keys of the kernel": lambda: _done(_call("keyctl", 0, -3, 1)),
        "use io_uring": io_uring,
        "have open files that are not its process's": lambda: _done(_call("close_range", 1000, 1001, UNSHARE_FILES)),
    }


def main(targets: str) -> None:
    with open(targets) as file:
        at = json.load(file)
    for name, attack in attacks(at).items():
        try:
            attack()
            outcome = "did it"
        except (OSError, Failed) as error:
            outcome = str(error)
        print(f"{name}: {outcome}", flush=True)
    print("done", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1])
