"""The files of the process engine: one state directory for each replica, with its keeper's lock.

    lock       locked while a server chooses ports, accelerators and units, or removes a replica
    new        unfinished state directories; each is complete when it is renamed into ``replicas``
    replicas   by name, one state directory for each replica: running, or ended and not removed
    gone       state directories that are being deleted
    ended      the last logs of replicas that are gone
    ends       for each of those, how many bytes and lines it had written
    sent       by name, up to which byte and line a replica's log was sent to a log store

``keeper`` describes the files of a state directory; ``run`` and ``ready`` in it are the engine's own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from leasebook.domain.model.replica import RUN, Wanted
from leasebook.engines.contract import LogPart, LogPlace
from leasebook.engines.process import keeper, keeper_clock, keeper_kin, keeper_state
from leasebook.engines.process.own_user import FOLDERS, USERS
from leasebook.engines.process.subuids import clear
from leasebook.engines.sandbox.entering import CONFINED, FILTER, MOUNTS, ORDERS
from leasebook.engines.sandbox.sandbox import ACCOUNTS, Confinement, accounts

_FLOCK = "hhqqi"
"""The kernel's struct flock: type, whence, start, length, pid."""
PARTS = ("replicas", "new", "gone", "ended", "ends", "sent")
_NOTES_KEPT_S = 60.0
"""Notes about a replica that is gone are kept this long at least: one that is being written has no name yet."""
_LOOKS_MAX = 10
_DIGITS_MAX = 18
_OLD_DEADLINE = "deadline"
"""Where keepers before 0.2 look, which go by the machine's clock, in seconds since 1970 UTC."""
_TAIL_LINES, _TAIL_CHARS = 5, 1000


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions made when a replica was started; they never change. ``token`` marks its processes.

    ``uid`` is the user of its processes; None: the engine's own user.
    """

    wanted: Wanted
    token: str
    port: int | None
    devices: tuple[str, ...]
    uid: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A state directory as it is found. ``run`` of None: it cannot be read. ``state`` of None: no keeper has begun."""

    name: str
    run: Run | None
    alive: bool
    stop_requested: bool
    ready: bool
    state: Mapping[str, str] | None

    @property
    def half_made(self) -> bool:
        """Whether its start was cut off before a keeper had it; then it has not run, and may be started."""
        return not self.alive and not self.stop_requested and self.state is None and self.run is not None

    @property
    def runs(self) -> bool:
        """Whether its command runs, and is not about to end."""
        state = self.state or {}
        return self.alive and not self.stop_requested and "main" in state and "ending" not in state

    @property
    def orphaned(self) -> bool:
        """Whether its keeper was killed, so that the reason of its end is not recorded."""
        return not self.alive and self.state is not None and "exit" not in self.state


class _Piece(NamedTuple):
    """An open file with a part of a log, and the place of its first byte in all that the replica has written."""

    descriptor: int
    begin: int

    @property
    def end(self) -> int:
        """The place after its last byte."""
        return self.begin + os.fstat(self.descriptor).st_size


class _Torn(Exception):
    """The log was rotated while its files were opened."""


def alive(directory: Path) -> bool:
    """Whether a keeper lives in a state directory. This only tests its lock, so that no keeper is disturbed.

    The kernel knows the lock's owner, so a reused pid cannot deceive it.
    """
    try:
        descriptor = os.open(directory / "alive", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        held: int = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))[0]
    finally:
        os.close(descriptor)
    return held != fcntl.F_UNLCK


class Files:
    """The directory of a process engine. Errors of the system come out as they are: then it cannot be asked."""

    def __init__(self, root: Path, log_bytes_max: int) -> None:
        self._log_bytes_max = log_bytes_max
        self._runs: dict[str, tuple[int, Run]] = {}
        self.root = root.absolute()
        self.replicas = self.root / "replicas"
        self.new = self.root / "new"
        self._ended = self.root / "ended"
        # Other users must not read replicas' environments and logs.
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in PARTS:
            (self.root / part).mkdir(mode=0o700, exist_ok=True)
        self.tidy()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who chooses and clears away, among all engines on this directory."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.reach()
            yield
        finally:
            os.close(descriptor)

    def reach(self) -> None:
        """Raise an error of the system where the directory is not there any more, as when a disk was taken off."""
        self.replicas.stat()

    def tidy(self) -> None:
        """Remove the remains of a server that was killed while it made or deleted a state directory."""
        with self.locked():
            for left in (*self.new.iterdir(), *(self.root / "gone").iterdir()):
                clear(str(left))
            old = time.time() - _NOTES_KEPT_S
            for note in (*(self.root / "ends").iterdir(), *(self.root / "sent").iterdir()):
                is_of_one = (self.replicas / note.name).exists() or (self._ended / f"{note.name}.log").exists()
                with contextlib.suppress(FileNotFoundError):
                    if not is_of_one and note.stat().st_mtime < old:
                        note.unlink()

    def find(self, name: str) -> Found | None:
        """Return a replica's state directory as it is; None: there is none."""
        directory = self.replicas / name
        try:
            number = directory.stat().st_ino
        except FileNotFoundError:
            return None
        # A keeper writes its state only while it has the lock. If the lock is free and the state is the same before and
        # after, that state is the last one.
        state = keeper_state.read(str(directory / "state"))
        while True:
            lives = alive(directory)
            before, state = state, keeper_state.read(str(directory / "state"))
            if lives or before == state:
                break
        found = Found(
            name=name,
            run=self._run(name, number),
            alive=lives,
            stop_requested=(directory / "stop").exists(),
            ready=(directory / "ready").exists(),
            state=None if state is None else keeper_state.pairs(state),
        )
        return found if directory.exists() else None

    def _run(self, name: str, number: int) -> Run | None:
        known = self._runs.get(name)
        if known is not None and known[0] == number:
            return known[1]
        try:
            run = msgspec.json.decode((self.replicas / name / "run").read_bytes(), type=Run)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        self._runs[name] = (number, run)
        return run

    def all(self) -> list[Found]:
        """Return all replicas, by name."""
        names = sorted(os.listdir(self.replicas))  # noqa: PTH208 - as quick as can be: it is done at every look
        for name in self._runs.keys() - set(names):
            self._runs.pop(name, None)
        return [found for name in names if (found := self.find(name)) is not None]

    def runs(self) -> list[Run]:
        """Return what was decided for every replica that has not been cleared away."""
        entries = [(entry.name, entry.inode()) for entry in os.scandir(self.replicas)]
        return [run for name, number in entries if (run := self._run(name, number)) is not None]

    def make(
        self,
        run: Run,
        orders: Mapping[str, str],
        command: Sequence[str],
        environ: Mapping[str, str],
        confinement: Confinement | None = None,
        users: str | None = None,
    ) -> None:
        """Write a new state directory, which appears complete or not at all.

        ``users`` are the keeper's instructions for the replica's uid (``own_user``). None: it has no uid of its own, or
        we are root and set it ourselves.
        """
        name = run.wanted.name
        directory = self.new / f"{name}.{run.token}"
        for part in FOLDERS:
            (directory / part).mkdir(mode=0o700, parents=True)
            if run.uid is not None and users is None:
                # All else in the state directory stays ours, and out of its reach.
                os.chown(directory / part, run.uid, run.uid)
        if users is not None:
            keeper_state.write(str(directory / USERS), users)
        if confinement is not None:
            _write_confinement(directory, confinement, run.uid)
        os.mkfifo(directory / "bell", 0o600)
        (directory / "alive").touch(0o600)
        (directory / "run").write_bytes(msgspec.json.encode(run))
        keeper_state.write(
            str(directory / "keep"), keeper_state.lines({**orders, "log_bytes_max": str(self._log_bytes_max)})
        )
        keeper_state.write(str(directory / "command"), "".join(f"{part}\0" for part in command))
        keeper_state.write(str(directory / "environ"), "".join(f"{key}={value}\0" for key, value in environ.items()))
        keeper_state.write(str(directory / "ends"), keeper_clock.moment(run.wanted.ends_in_s))
        directory.rename(self.replicas / name)

    def end_in(self, name: str, seconds: float | None) -> None:
        """Write when a replica is to end by itself, and tell the keeper."""
        directory = self.replicas / name
        with contextlib.suppress(FileNotFoundError):
            keeper_state.write(str(directory / "ends"), keeper_clock.moment(seconds))
            if (directory / _OLD_DEADLINE).exists():
                keeper_state.write(
                    str(directory / _OLD_DEADLINE), _seconds(None if seconds is None else time.time() + seconds)
                )
            self._ring(name)
        self.reach()

    def set_ready(self, name: str) -> None:
        """Note that a replica was healthy once, for those who come after us."""
        with contextlib.suppress(OSError):  # Without the note a new control plane finds out by itself.
            (self.replicas / name / "ready").touch(0o600)

    def stop(self, name: str, grace_s: float) -> None:
        """Tell the keeper to end a replica; clear away what has no keeper."""
        with self.locked():
            directory = self.replicas / name
            # Written before the lock is looked at; a keeper does it the other way round, so that one of us clears away.
            with contextlib.suppress(FileNotFoundError):
                keeper_state.write(str(directory / "stop"), _seconds(grace_s))
                if alive(directory):
                    self._ring(name)
                    return
            self._clear(name)

    def _ring(self, name: str) -> None:
        try:
            descriptor = os.open(self.replicas / name / "bell", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                return  # No keeper listens: a new one reads the files first, and an ended one needs no bell.
            raise
        try:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(descriptor, b"!")
        finally:
            os.close(descriptor)

    def clear(self, name: str) -> None:
        """Clear away a replica that has no keeper; nothing where it has one."""
        with self.locked():
            self._clear(name)

    def _clear(self, name: str) -> None:
        found = self.find(name)
        if found is not None and not found.alive:
            self._sweep(found)
            keeper.put_away(name, str(self.replicas / name), str(self.root), self._log_bytes_max, clear)

    def mourn(self, name: str) -> None:
        """Where a keeper was killed, kill what it left and write that down."""
        with self.locked():
            found = self.find(name)
            if found is not None and found.orphaned:
                self._sweep(found)
                state = {**(found.state or {}), "exit": "unknown"}
                with contextlib.suppress(OSError):  # On a full disk we mourn again at the next look.
                    keeper_state.write(str(self.replicas / name / "state"), keeper_state.lines(state))

    def _sweep(self, found: Found) -> None:
        """Kill what a keeper that was killed left of its replica: found by the mark in the environment, never by pid.

        Or by their user namespace, where that is the replica's and keeps us from reading its environments.

        The command itself was killed by the kernel together with its keeper.
        """
        if found.run is None or not found.orphaned:
            return
        cgroup = keeper_state.pairs(keeper_state.read(str(self.replicas / found.name / "keep"))).get("cgroup")
        if (found.state or {}).get("boot") == keeper_clock.boot():
            keeper.kill_group(cgroup)
            mark = f"{RUN}={found.run.token}".encode()
            since = int((found.state or {})["keeper"].split()[1])
            users = (found.state or {}).get("users")
            for _ in range(100):  # They may fork meanwhile.
                if not [pid for pid in _processes() if kill_marked(pid, mark, since, users)]:
                    break
        keeper.remove_group(cgroup)

    def tail(self, name: str, lines_max: int) -> list[str]:
        """Return the last lines that a replica wrote; of one that is gone, as long as they are kept."""
        texts = [keeper_state.read(str(self.replicas / name / part)) for part in ("log.1", "log")]
        if texts == [None, None]:
            texts = [keeper_state.read(str(self._ended / f"{name}.log"))]
        self.reach()
        text = "".join(part for part in texts if part)
        text = text.encode(errors="surrogateescape").decode(errors="replace")
        return (
            text.split("\n")[: None if not text.endswith("\n") else -1][-lines_max:] if lines_max > 0 and text else []
        )

    def log_sent(self, name: str, place: LogPlace) -> None:
        """Note up to where a replica's log was sent."""
        keeper_state.write(str(self.root / "sent" / name), f"{place.bytes} {place.lines}")

    def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """Return the next lines of a log after a place; None: after the one that was noted, or from the beginning."""
        after = after or _place(keeper_state.read(str(self.root / "sent" / name))) or LogPlace(0, 0)
        for _ in range(_LOOKS_MAX):
            with contextlib.ExitStack() as files, contextlib.suppress(_Torn):
                is_final, rotated, pieces = self._opened(name, files)
                return _part(pieces, rotated, after, bytes_max, is_final=is_final)
        return LogPart((), after)  # The replica writes so fast that its log is rotated at every look.

    def _opened(self, name: str, files: contextlib.ExitStack) -> tuple[bool, LogPlace, list[_Piece]]:
        """Open the files of a log; returns whether its replica is gone, a place before its end, and the files."""
        self.reach()
        directory = self.replicas / name
        before = keeper_state.read(str(directory / "rotated"))
        log, older = _open(directory / "log", files), _open(directory / "log.1", files)
        if log is None and older is None and not directory.exists():
            end = _place(keeper_state.read(str(self.root / "ends" / name)))
            ended = _open(self._ended / f"{name}.log", files)
            if end is None:
                return True, LogPlace(0, 0), []
            # Without the file, which made room for those of later replicas, the note still says how much was in it.
            return True, end, [] if ended is None else [_Piece(ended, end.bytes - os.fstat(ended).st_size)]
        if keeper_state.read(str(directory / "rotated")) != before:
            raise _Torn
        if before is None:
            # A keeper that did not count, one from before an update, leaves a second file without places.
            return False, LogPlace(0, 0), [] if log is None or older is not None else [_Piece(log, 0)]
        number, _, rest = before.partition(" ")
        rotated = _place(rest)
        if rotated is None or not _is_number(number):
            # Nothing tells which bytes are in which file, until the log is rotated the next time.
            return False, LogPlace(0, 0), []
        inode = int(number)
        found = {os.fstat(one).st_ino: one for one in (log, older) if one is not None}
        if inode not in found or log == found[inode]:
            # The file is renamed just now, or both names led to it.
            raise _Torn
        pieces = [_Piece(found[inode], rotated.bytes - os.fstat(found[inode]).st_size)]
        return False, rotated, pieces + ([] if log is None else [_Piece(log, rotated.bytes)])

    def last_words(self, name: str) -> str | None:
        """Return the end of what a replica wrote, for a reason; None: it wrote nothing."""
        lines = [line.strip() for line in self.tail(name, _TAIL_LINES) if line.strip()]
        return " | ".join(lines)[-_TAIL_CHARS:] or None


def _place(text: str | None) -> LogPlace | None:
    """Read a noted place; None: there is none. After a loss of power a file may be empty, or hold anything."""
    numbers = (text or "").split()
    if len(numbers) != len(LogPlace._fields) or not all(map(_is_number, numbers)):
        return None
    return LogPlace(*map(int, numbers))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _open(path: Path, files: contextlib.ExitStack) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    files.callback(os.close, descriptor)
    return descriptor


def _read(pieces: Sequence[_Piece], begin: int, bytes_max: int) -> bytes:
    """Read what lies after a place, at most that much."""
    found = b""
    for piece in pieces:
        if begin + len(found) < piece.end and len(found) < bytes_max:
            found += os.pread(piece.descriptor, bytes_max - len(found), begin + len(found) - piece.begin)
    return found


def _part(pieces: Sequence[_Piece], known: LogPlace, after: LogPlace, bytes_max: int, *, is_final: bool) -> LogPart:
    """Return the lines after a place. ``known`` is any place in the log that a keeper counted."""
    lost = 0
    begin = pieces[0].begin if pieces else known.bytes
    if after.bytes < begin:
        kept = _read(pieces, begin, max(0, known.bytes - begin)).count(b"\n")
        lost = max(0, known.lines - kept - after.lines)
        after = LogPlace(begin, known.lines - kept)
    data = _read(pieces, after.bytes, bytes_max)
    whole = data.rfind(b"\n") + 1
    if is_final and len(data) < bytes_max:
        whole = len(data)
    elif whole == 0 and len(data) == bytes_max:
        whole = _cut(data)
    data = data[:whole]
    texts = data.split(b"\n")
    lines = tuple(text.decode(errors="replace") for text in (texts if texts[-1] else texts[:-1]))
    place = LogPlace(after.bytes + whole, after.lines + data.count(b"\n"))
    return LogPart(lines, place, lost, is_over=is_final and (not pieces or place.bytes >= pieces[-1].end))


def _cut(data: bytes) -> int:
    """Return where a long line can be cut: not within a character of UTF-8."""
    for size in range(len(data) - 1, max(0, len(data) - 5), -1):
        if data[size] & 0xC0 != 0x80:  # noqa: PLR2004 - the two bits that mark a continuation
            return size
    return len(data)


def _write_confinement(directory: Path, confinement: Confinement, uid: int | None) -> None:
    words, mounts = ("".join(f"{word}\0" for word in part) for part in (confinement.execute, confinement.mounts))
    texts = (*accounts(uid), words, mounts, confinement.orders)
    for name, text in zip((*ACCOUNTS, CONFINED, MOUNTS, ORDERS), texts, strict=True):
        keeper_state.write(str(directory / name), text)
    for name in ACCOUNTS:
        (directory / name).chmod(0o644)  # The replica reads them under any uid.
    (directory / FILTER).write_bytes(confinement.filter)


def _seconds(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - thousands of names


def kill_marked(pid: int, mark: bytes, since: int, users: str | None = None) -> bool:
    """Kill a process if its environment has the mark and it is no older than its keeper; returns whether it was so.

    A process whose environment we may not read counts as marked if it is in the user namespace ``users`` (an inode).

    ``since`` is when the keeper started, in ticks since boot: an older process cannot belong to this replica. The
    process is opened (pidfd) before it is examined, so that a reused pid cannot get the signal.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _is_marked(Path(f"/proc/{pid}"), mark, users) or int(keeper_kin.began(pid) or -1) < since:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _is_marked(process: Path, mark: bytes, users: str | None) -> bool:
    try:
        return mark in (process / "environ").read_bytes().split(b"\0")
    except PermissionError:
        return str((process / "ns" / "user").stat().st_ino) == users
