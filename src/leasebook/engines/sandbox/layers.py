"""The parts of a sandbox that this machine has: found out by trying them, and reported to the operator."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from leasebook.domain.model.replica import Isolation
from leasebook.engines.process import keeper_ports
from leasebook.engines.process.own_user import FOLDERS, USERS
from leasebook.engines.process.python import python_running
from leasebook.engines.process.subuids import NoRange, clear, clear_as, find_range
from leasebook.engines.sandbox import entering, launcher, seccomp
from leasebook.engines.sandbox.sandbox import ACCOUNTS, Layers, Occupant, Sandbox, accounts, confine

log = structlog.get_logger()

BWRAP_PATHS: Final = ("/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap")
"""Fixed paths: with PATH, a user who may change that could replace the program."""
_LANDLOCK_TCP, _LANDLOCK_SCOPED = 4, 6
_TRY_MAX_S: Final = 20.0
_MESSAGE_MAX: Final = 300
_DONE: Final = 7
"""The exit code of a successful trial, which no failure has."""


def find_layers(sandbox: Sandbox) -> Layers:
    """Return what this machine has for replicas; tried once in the life of this process."""
    return Layers() if sandbox.mode == "off" else _found(sandbox.paths, sandbox.uids, BWRAP_PATHS)


@functools.lru_cache
def _found(paths: tuple[str, ...], uids: tuple[int, int], bwrap_paths: tuple[str, ...]) -> Layers:
    missing = []
    abi = launcher.landlock_abi()
    if abi == 0:
        missing.append("the kernel has no Landlock (Linux 5.13 or newer, with landlock among its boot parameter lsm=)")
    elif abi < _LANDLOCK_TCP:
        missing.append("Landlock of this kernel cannot bound TCP (Linux 6.7 or newer)")
    elif abi < _LANDLOCK_SCOPED:
        missing.append("Landlock of this kernel cannot bound abstract unix sockets (Linux 6.12 or newer)")
    try:
        seccomp.here(datagrams=False)
        filtered = True
    except seccomp.NoFilter as error:
        filtered = False
        missing.append(str(error))
    own_uids = os.geteuid() == 0 and _are_mapped(*uids)
    if os.geteuid() == 0 and not own_uids:
        missing.append(
            f"the server runs as root and has no uids from {uids[0]} to {uids[1]} to give to replicas "
            "(a user namespace without them: set engines_process.uids to some that it has, or run as another user)"
        )
    bwrap = next((path for path in bwrap_paths if os.access(path, os.X_OK)), None)
    tried = Layers(bwrap=bwrap, landlock=abi, filtered=filtered, own_uids=own_uids)
    why: str | None
    if bwrap is None:
        missing.insert(0, "bubblewrap is not installed (Debian: apt install bubblewrap)")
    else:
        tried, why = _tried(Sandbox(paths=paths, uids=uids), tried)
        if why is not None:
            tried = msgspec.structs.replace(tried, bwrap=None)
            missing.insert(0, f"bubblewrap does not work here: {why} ({_remedy(why)})")
    # Without namespaces of its own a replica of another uid could not even get at its directory.
    return msgspec.structs.replace(tried, own_uids=own_uids and tried.bwrap is not None, missing=tuple(missing))


def _tried(sandbox: Sandbox, layers: Layers) -> tuple[Layers, str | None]:
    """Try the whole sandbox: with users of our user's range where we are not root, and else without.

    Returns what works, and why nothing does.
    """
    if os.geteuid() == 0:
        return layers, _trial(sandbox, layers)
    try:
        own = msgspec.structs.replace(layers, subuids=find_range())
        if (why := _trial(sandbox, own)) is None:
            return own, None
        shared = f"newuidmap does not work here: {why}"
    except NoRange as error:
        shared = str(error)
    return msgspec.structs.replace(layers, shared=shared), _trial(sandbox, layers)


def _remedy(why: str) -> str:
    if "nknown option" in why:
        return "take bubblewrap 0.8 or newer"
    if "amespace" in why or "uid map" in why or "ot permitted" in why:
        return (
            "let this user make namespaces: sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone "
            "1, an AppArmor profile for bwrap; in a container, one that may make them"
        )
    return "what it says has to be mended; then start the server again"


def _are_mapped(first: int, last: int) -> bool:
    """Whether these uids exist where we are: in a container often only some do."""
    for name in ("uid_map", "gid_map"):
        ranges = [line.split() for line in Path(f"/proc/self/{name}").read_text().splitlines()]
        if not any(int(low) <= first and last < int(low) + int(count) for low, _, count in ranges):
            return False
    return True


def _trial(sandbox: Sandbox, layers: Layers) -> str | None:
    """Put a command into the whole sandbox, and clear away after it; return why that does not work, or None."""
    folder = tempfile.mkdtemp(prefix="leasebook-trial-")
    try:
        _lay_out(Path(folder), sandbox, layers)
        code, reported, complained = _try_in(folder)
        if code == _DONE and reported == launcher.CLOSED:
            if layers.subuids is not None:
                clear_as(layers.subuids, folder)
            return None
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        clear(folder)
    said = (reported + b" " + complained).decode(errors="replace").strip().splitlines()
    return said[-1][-_MESSAGE_MAX:] if said else f"it ended with {code}"


def _try_in(folder: str) -> tuple[int, bytes, bytes]:
    """Run what was arranged in a folder; return what it ended with, what it reported, and what it complained about."""
    ours, theirs = keeper_ports.pair()
    try:
        try:
            tried = subprocess.run(  # noqa: S603 - the same as for every replica
                python_running("sandbox.entering"),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=subprocess.PIPE,
                timeout=_TRY_MAX_S,
                check=False,
            )
        finally:
            os.close(theirs)
        reported, asked = keeper_ports.heard(ours)
        if asked is not None:
            os.close(asked)
        return tried.returncode, reported, tried.stderr
    finally:
        os.close(ours)


def _lay_out(root: Path, sandbox: Sandbox, layers: Layers) -> None:
    """Fill a folder as the state directory of a replica is filled."""
    uids = layers.uids(sandbox)
    uid = None if uids is None else uids[0]
    for name in FOLDERS:
        (root / name).mkdir(mode=0o700)
        if layers.own_uids and uid is not None:
            os.chown(root / name, uid, uid)
    if layers.subuids is not None and uid is not None:
        (root / USERS).write_text(layers.subuids.users(uid))
    for name, text in zip(ACCOUNTS, accounts(uid), strict=True):
        (root / name).write_text(text)
        (root / name).chmod(0o644)
    occupant = Occupant(
        program="/bin/sh", work=str(root / "work"), tmp=str(root / "tmp"), accounts=str(root), uid=uid, port=1
    )
    confinement = confine(sandbox, layers, occupant)
    (root / entering.CONFINED).write_text("".join(f"{word}\0" for word in confinement.execute))
    (root / entering.MOUNTS).write_text("".join(f"{word}\0" for word in confinement.mounts))
    (root / entering.ORDERS).write_text(confinement.orders)
    (root / entering.FILTER).write_bytes(confinement.filter)
    # It writes where it may, which it could not if the wrong things were mounted.
    (root / "command").write_text(f"sh\0-c\0: >here && : >{confinement.tmp}/there && exit {_DONE}\0")
    (root / "environ").write_text("")


# --- telling ---------------------------------------------------------------------------------------------


def isolation_of(sandbox: Sandbox, layers: Layers) -> Isolation:
    """Return the missing parts of the isolation; none if the operator's setting does not require them."""
    return Isolation(layers.missing if sandbox.mode == "require" else ())


def _facts(layers: Layers) -> Iterator[tuple[str, str | None]]:
    """Yield each isolated resource with the means that isolate it; None: by nothing."""
    bwrap, abi = layers.bwrap, layers.landlock
    by_files = " and ".join(([bwrap] if bwrap else []) + ([f"Landlock {abi}"] if abi else []))
    yield "files", by_files or None
    yield "processes", f"a pid namespace ({bwrap})" if bwrap else None
    yield "shared memory, host name, control groups", f"namespaces ({bwrap})" if bwrap else None
    yield "TCP ports", f"Landlock {abi}" if abi >= _LANDLOCK_TCP else None
    by_signals = (["a pid namespace"] if bwrap else []) + ([f"Landlock {abi}"] if abi >= _LANDLOCK_SCOPED else [])
    yield "signals", " and ".join(by_signals) or None
    yield "abstract unix sockets", f"Landlock {abi}" if abi >= _LANDLOCK_SCOPED else None
    yield "system calls, other sockets", "seccomp" if layers.filtered else None
    yield "user", _user(layers)


def _user(layers: Layers) -> str | None:
    if layers.subuids is not None:
        first, last = layers.subuids.uids
        return f"a uid of its own from {first} to {last} (newuidmap)"
    return "a uid of its own" if layers.own_uids else "a user namespace" if layers.bwrap else None


def say(sandbox: Sandbox, layers: Layers) -> None:
    """Write into the log what holds on this machine, one line a fact, and what mends what does not."""
    if sandbox.mode == "off":
        log.warning(
            "Replicas are not kept apart from this server: each can do whatever its user can. "
            "engines_process.sandbox is off, which says that every tenant is trusted."
        )
        return
    for what, by in _facts(layers):
        if by is None:
            log.warning("Replicas are not kept apart", what=what)
        else:
            log.info("Replicas are kept apart", what=what, by=by)
    if layers.shared is not None and layers.bwrap is not None:
        log.info("Replicas have this server's own uid, each in a namespace", why=layers.shared)
    for missing in layers.missing:
        log.warning("The sandbox of replicas is not complete", missing=missing)
    if layers.missing:
        log.warning(
            "Versions of models that no operator trusts",
            sandbox=sandbox.mode,
            are="refused" if sandbox.mode == "require" else "run all the same",
        )
