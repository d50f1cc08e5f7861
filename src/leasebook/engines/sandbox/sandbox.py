"""Isolates a replica from this machine, from the control plane and from other replicas.

Bubblewrap gives it namespaces of its own, which contain only the files that it may see. Inside, the kernel's Landlock
and a filter of system calls apply; ``launcher`` closes both and becomes the command. The server tries once which of
these this machine has.
"""

from __future__ import annotations

import os
import platform
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from leasebook.engines.process.subuids import Range
from leasebook.engines.sandbox import entering, launcher, seccomp

Mode = Literal["require", "prefer", "off"]

FOLDER: Final = "/replica"
"""Where a replica finds its working directory under bubblewrap. It is its home, too."""
ACCOUNTS: Final = ("passwd", "group")
UIDS: Final = (2_000_000_000, 2_000_009_999)
GIB: Final = 1 << 30

_LAUNCHER: Final = str(Path(launcher.__file__).absolute())
_LAUNCHER_INSIDE: Final = "/run/leasebook/launcher.py"
_PYTHON: Final = str(Path(sys.executable).resolve())
"""Past a virtual environment's links, so that only its own prefix is needed to start it."""
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
_ETC: Final = tuple(
    f"/etc/{name}"
    for name in (
        *("alternatives", "ca-certificates", "crypto-policies", "fonts", "gai.conf", "host.conf", "hosts"),
        *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "OpenCL"),
        *("pki/ca-trust", "pki/tls/certs", "protocols", "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf"),
        *("timezone", "vulkan"),
    )
)
"""Files that libraries read. They have no accounts, no keys and no settings of a server."""
_KERNEL: Final = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_KERNEL_ACCELERATED: Final = ("/sys/bus", "/sys/class", "/sys/devices", "/sys/module", "/sys/dev")
"""The first describe processors; drivers of accelerators and their libraries read the others."""
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
_OPEN_FILES_MAX: Final = 65_536


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas are to be kept apart.

    ``require``: what no operator trusts runs only where nothing is missing, the rest in as much as there is.
    ``prefer``: everything in as much as there is. ``off``: as the server itself, without any of it.

    ``paths`` may be read besides the system's and those of our Python; ``hidden`` are never shown, wherever they lie.
    ``uids`` (first and last) are given out to replicas where we may. ``disk_max_bytes`` is what a replica may have in
    its working directory and ``/tmp``, ``processes_max`` how many processes and threads.
    """

    mode: Mode = "require"
    paths: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    uids: tuple[int, int] = UIDS
    disk_max_bytes: int = 32 * GIB
    processes_max: int = 4096


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a sandbox that this machine has. ``landlock`` is the version in its kernel (0: none).

    ``own_uids``: the server is root and gives replicas the uids of ``Sandbox.uids``. ``subuids``: it is not root, and
    gives them subordinate uids of its user; None: it gives none, and ``shared`` is the reason.

    ``missing`` names the parts that a complete sandbox lacks, each with its remedy.
    """

    bwrap: str | None = None
    landlock: int = 0
    filtered: bool = False
    own_uids: bool = False
    subuids: Range | None = None
    shared: str | None = None
    missing: tuple[str, ...] = ()

    def uids(self, sandbox: Sandbox) -> tuple[int, int] | None:
        """Return the first and the last uid that replicas may have for their own; None: there is none."""
        if self.own_uids:
            return sandbox.uids
        return None if self.subuids is None else self.subuids.uids

    @property
    def any(self) -> bool:
        """Whether there is anything to put a replica into."""
        return self.bwrap is not None or self.landlock > 0 or self.filtered


class Occupant(msgspec.Struct, frozen=True, kw_only=True):
    """The program to isolate, the resources that it may use, and its directories on this machine."""

    program: str
    work: str
    tmp: str
    accounts: str
    """A folder with ``passwd`` and ``group``, which it sees instead of the machine's."""
    uid: int | None = None
    port: int | None = None
    connects: tuple[int, ...] = ()
    memory_bytes: int | None = None
    data_max_bytes: int | None = None
    devices: tuple[str, ...] = ()
    """Files of devices that it owns or shares."""


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """How to start an occupant: command line, instructions for bubblewrap and the launcher, and the filter."""

    execute: tuple[str, ...]
    mounts: tuple[str, ...]
    orders: str
    filter: bytes
    home: str
    tmp: str


def own_paths() -> tuple[str, ...]:
    """Return where our own Python, its virtual environment and this package are; examples run on them."""
    package = Path(__file__).parents[2]
    return tuple(dict.fromkeys(str(Path(path)) for path in (sys.base_prefix, sys.prefix, str(package))))


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def visible(sandbox: Sandbox) -> tuple[str, ...]:
    """Return what every replica may read, apart from its own."""
    return (*_SYSTEM, *_ETC, *own_paths(), *sandbox.paths)


def is_seen(sandbox: Sandbox, path: str) -> bool:
    """Whether every replica may read a path."""
    return any(is_below(path, folder) for folder in visible(sandbox)) and not any(
        is_below(path, folder) for folder in sandbox.hidden
    )


def unseen(sandbox: Sandbox, program: str) -> str | None:
    """Return why a program cannot be run in the sandbox; None: it can be seen there."""
    return outside(sandbox, program) or outside(sandbox, str(Path(program).resolve()), program)


def outside(sandbox: Sandbox, path: str, program: str | None = None) -> str | None:
    """Return why a path, at which a program is, is not seen in the sandbox; nothing is looked up for that."""
    if is_seen(sandbox, path):
        return None
    return (
        f"{program or path} cannot be seen from the sandbox of a replica: {path} is none of the system's paths. "
        "The operator may add its folder to engines_process.paths."
    )


def confine(sandbox: Sandbox, layers: Layers, occupant: Occupant) -> Confinement:
    """Return how an occupant is started in as much of a sandbox as there is."""
    inside = layers.bwrap is not None
    home, tmp = (FOLDER, "/tmp") if inside else (occupant.work, occupant.tmp)  # noqa: S108 - its own
    orders = [f"program {occupant.program}"]
    if inside and occupant.uid is not None:
        orders.append(f"uid {occupant.uid}")
    # Only that uid may get at its folder.
    orders.append(f"folder {home}")
    orders += [f"limit {name} {value}" for name, value in _limits(sandbox, occupant)]
    if layers.landlock:
        orders += ["landlock", *_rules(sandbox, occupant, home, tmp, inside=inside)]
    filter_ = seccomp.here(datagrams=bool(occupant.connects)) if layers.filtered else b""
    if layers.filtered:
        number, program = seccomp.asking(platform.machine())
        orders.append(f"ask {number} {program.hex()}")
    numbers = {name: number for number, name in entering.FILES.items()}
    files = (*(str(numbers[name]) for name in (entering.ORDERS, "command", "environ")), str(entering.REPORT_FD))
    mounts: tuple[str, ...] = ()
    if layers.bwrap is None:
        orders += [f"filter {numbers[entering.FILTER]}"] if filter_ else []
        execute = (_PYTHON, "-I", "-S", _LAUNCHER, *files)
    else:
        seccomp_words = ("--seccomp", str(numbers[entering.FILTER])) if filter_ else ()
        mounts = (*_namespaces(occupant.uid), *_mounts(sandbox, occupant), *seccomp_words)
        execute = (layers.bwrap, "--args", str(numbers[entering.MOUNTS]))
        execute += ("--", _PYTHON, "-I", "-S", _LAUNCHER_INSIDE, *files)
    text = "".join(f"{line}\n" for line in orders)
    return Confinement(execute=execute, mounts=mounts, orders=text, filter=filter_, home=home, tmp=tmp)


def _limits(sandbox: Sandbox, occupant: Occupant) -> Iterator[tuple[str, int]]:
    yield "CORE", 0
    yield "NPROC", sandbox.processes_max
    yield "FSIZE", sandbox.disk_max_bytes
    yield "NOFILE", _OPEN_FILES_MAX
    if occupant.data_max_bytes is not None:
        yield "DATA", occupant.data_max_bytes


def _rules(sandbox: Sandbox, occupant: Occupant, home: str, tmp: str, *, inside: bool) -> Iterator[str]:
    """Yield the rules for Landlock. They allow the mounted files; without mounts of its own they allow the same few."""
    accelerated = _KERNEL_ACCELERATED if occupant.devices else ()
    for path in (*visible(sandbox), "/etc/passwd", "/etc/group", "/proc", *_KERNEL, *accelerated):
        yield f"read {path}"
    for path in (home, tmp):
        yield f"write {path}"
    if inside:
        yield "list /"
        yield "write /dev/shm"
        yield "device /dev"
    else:
        for path in (*(f"/dev/{name}" for name in _DEVICES), *occupant.devices):
            yield f"device {path}"
    if occupant.port:
        yield f"bind {occupant.port}"
    for port in occupant.connects:
        yield f"connect {port}"


def _namespaces(uid: int | None) -> Iterator[str]:
    # The network is the machine's, because the gateway and the health checks have to get at the replica.
    yield from ("--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "replica")
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
    if uid is None:
        yield "--unshare-user"
    else:
        # For the launcher, which becomes that user and gives up all of them for good.
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            yield from ("--cap-add", capability)


def _mounts(sandbox: Sandbox, occupant: Occupant) -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    shared = min(occupant.memory_bytes or GIB, sandbox.disk_max_bytes)
    yield from ("--perms", "1777", "--size", str(shared), "--tmpfs", "/dev/shm")  # noqa: S108 - its own
    yield from _devices(occupant.devices)
    for path in _SYSTEM:
        yield from _shown(path)
    yield from ("--bind", occupant.tmp, "/tmp")  # noqa: S108 - its own
    kernel = (*_KERNEL, *(_KERNEL_ACCELERATED if occupant.devices else ()))
    shown = sorted((*own_paths(), *sandbox.paths), key=lambda path: path.count("/"))
    files = [(path, path) for path in (*_ETC, *kernel, *shown)]
    files += [(f"{occupant.accounts}/{name}", f"/etc/{name}") for name in ACCOUNTS]
    files.append((_LAUNCHER, _LAUNCHER_INSIDE))
    made: dict[str, None] = {}
    for _, path in files:
        made |= dict.fromkeys(str(folder) for folder in reversed(Path(path).parents))
    for folder in made:
        # Otherwise bubblewrap makes folders that only it can open. Existing ones stay as they are.
        if folder != "/" and not any(is_below(folder, mounted) for mounted in (*_SYSTEM, *shown)):
            yield from ("--perms", "0755", "--dir", folder)
    for source, path in files:
        yield from ("--ro-bind-try", source, path)
    for path in sandbox.hidden:
        if any(is_below(path, folder) for folder in (*_SYSTEM, *shown)) and Path(path).is_dir():
            yield from ("--tmpfs", path, "--remount-ro", path)
    yield from ("--bind", occupant.work, FOLDER)
    # Both lie in memory that nothing counts.
    yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/")


def _devices(devices: Sequence[str]) -> Iterator[str]:
    for folder in dict.fromkeys(str(Path(device).parent) for device in devices):
        if folder != "/dev":
            yield from ("--perms", "0755", "--dir", folder)
    for device in devices:
        yield from ("--dev-bind-try", device, device)


def _shown(path: str) -> Iterator[str]:
    """Show a folder of the system as it is: where the machine has a link, a link."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if is_link:
        yield from ("--symlink", str(Path(path).readlink()), path)
    else:
        yield from ("--ro-bind", path, path)


def accounts(uid: int | None) -> tuple[str, str]:
    """Return ``passwd`` and ``group`` as a replica of this uid sees them; None: of ours."""
    number, group = (os.geteuid(), os.getegid()) if uid is None else (uid, uid)
    return (
        f"root:x:0:0:root:/:/bin/false\nreplica:x:{number}:{group}:replica:{FOLDER}:/bin/sh\n",
        f"root:x:0:\nreplica:x:{group}:\n",
    )


def checked_paths(paths: Sequence[str], hidden: Sequence[str]) -> str | None:
    """Return why replicas cannot be shown these paths; None where they can."""
    for path in paths:
        for folder in hidden:
            if is_below(path, folder) or is_below(str(Path(path).resolve()), folder):
                return f"{path} lies in {folder}, which no replica may see"
    return None
