"""The keeper of one replica: ``keeper.main(DIR)`` in a Python of its own, started by the process engine.

It starts the command of its state directory, keeps its output, ends it on request or when its deadline has passed, and
records how it ended. It needs no control plane. There is one keeper for each replica, so it imports only modules that
are quick to import, and its files are lines of text rather than JSON.

The files of a state directory, all written whole and then renamed into place:

    keep       key and value a line: the keeper's instructions (``Orders``)
    command    the arguments, each ended by a zero byte; ``environ`` likewise
    users      the replica's user if the server is not root: see ``own_user``
    confined   how to start it in a sandbox, with the other files of ``entering``; absent: without a sandbox
    ends       the deadline: a start of the machine, and seconds since that; or nothing (keeper_clock)
    stop       the grace in seconds; present after a request to end the replica
    state      key and value a line: the keeper's steps and their results
    alive      locked by the keeper while it lives; the kernel lets go of it, however the keeper ends
    bell       a named pipe: a byte in it means that ``ends`` or ``stop`` is new
    log, log.1 the replica's output, and the older part of it; ``rotated``: where that part ends (keeper_disk)
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
import time
from collections.abc import Callable

from leasebook.engines.process import keeper_clock
from leasebook.engines.process.keeper_disk import Log, Scale, remove
from leasebook.engines.process.keeper_kin import began, descendants, kin
from leasebook.engines.process.keeper_ports import Listens, heard, pair
from leasebook.engines.process.keeper_state import lines, pairs, read, write
from leasebook.engines.process.own_user import FOLDERS, USERS, settle
from leasebook.engines.sandbox.entering import CONFINED, enter, go_first

CLOSED = b"\x01"
"""The first byte from the process that becomes the command: from then on only the command itself can fail."""
STARTED, OTHER, FAILED, NO_ROOM = b"started", b"other", b"failed ", b"no room "
"""A keeper's report to its starter: it runs, another keeper has it, or it can never run, or not now, and why."""
READY_FD = 3
"""The descriptor of that report."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CHUNK_BYTES, _CHUNKS_MAX = 65_536, 16
_SIGNALLED = 128
"""Bubblewrap ends with this and the number of the signal that ended the command, as shells do."""
_LOOK_AGAIN_S = 5.0
"""Longest sleep of a keeper with a deadline, in seconds: its timer stops while the machine is suspended."""
_KILL_AGAIN_S = 0.02
_GROUP_GONE_MAX_S = 1.0
_ENDED_LOGS_MAX = 100


def kill_group(cgroup: str | None) -> None:
    """Kill everything in a control group, whatever it forks meanwhile."""
    if cgroup:
        with contextlib.suppress(OSError):
            descriptor = os.open(f"{cgroup}/cgroup.kill", os.O_WRONLY)
            try:
                os.write(descriptor, b"1")
            finally:
                os.close(descriptor)


def put_away(name: str, directory: str, root: str, bytes_max: int, delete: Callable[[str], None] = remove) -> None:
    """Take a replica off: its log to ``ended``, its directory out of ``replicas`` in one step, then away.

    The paths may be relative. May be done again, and by two at once.
    """
    kept = (read(f"{directory}/log.1") or "") + (read(f"{directory}/log") or "")
    if kept:
        _keep_log(f"{root}/ended", name, kept.encode(errors="surrogateescape")[-bytes_max:])
        with contextlib.suppress(OSError):  # As with the log itself.
            if (end := _log_end(directory)) is not None:
                write(f"{root}/ends/{name}", end)
    gone = f"{root}/gone/{name}.{os.getpid()}.{time.monotonic_ns()}"
    with contextlib.suppress(FileNotFoundError):
        os.rename(f"{root}/replicas/{name}", gone)
        delete(gone)


def remove_group(cgroup: str | None) -> None:
    """Remove a control group. The kernel counts dead processes for a moment; a group that remains does no harm."""
    give_up = time.monotonic() + _GROUP_GONE_MAX_S
    while cgroup and time.monotonic() < give_up:
        try:
            os.rmdir(cgroup)
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.002)


def _log_end(directory: str) -> str | None:
    """Return how many bytes and lines a replica has written in all; None: that is not known.

    A keeper that did not count has not noted it. A killed keeper may leave no ``log``, a full disk an old ``rotated``,
    and a loss of power an empty one.
    """
    noted, older, last = (read(f"{directory}/rotated") or "").split(), *map(_found, _logs(directory))
    if not all(number.isdigit() for number in noted) or len(noted) not in (0, 3):
        return None
    if not noted:
        if older is not None or last is None:
            return None
        bytes_before, lines_before = 0, 0
    else:
        inode, bytes_before, lines_before = map(int, noted)
        if last is not None and inode == last.st_ino:
            return f"{bytes_before} {lines_before}"
        if older is None or inode != older.st_ino:
            return None
    if last is None:
        return f"{bytes_before} {lines_before}"
    with open(f"{directory}/log", "rb") as log:
        lines_here = log.read().count(b"\n")
    return f"{bytes_before + last.st_size} {lines_before + lines_here}"


def _logs(directory: str) -> tuple[str, str]:
    return f"{directory}/log.1", f"{directory}/log"


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _keep_log(ended: str, name: str, log: bytes) -> None:
    with contextlib.suppress(OSError):  # A full disk costs the log, not the end.
        new = f"{ended}/.{name}.{os.getpid()}.{time.monotonic_ns()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, log)
        finally:
            os.close(descriptor)
        os.replace(new, f"{ended}/{name}.log")
        logs = [(os.stat(f"{ended}/{entry}").st_mtime_ns, entry) for entry in os.listdir(ended)]
        for _, entry in sorted(logs)[:-_ENDED_LOGS_MAX]:
            os.unlink(f"{ended}/{entry}")


class CannotStart(Exception):
    """The command could not be started; the message says why."""


class Child:
    """The command: started once, watched until it and all that it started are gone."""

    def __init__(self, orders: dict[str, str]) -> None:
        self.cgroup = orders.get("cgroup")
        self.guarded = "guard" in orders
        """Whether the started process is not the command but its parent (bubblewrap), which ends with it."""
        self.status: int | None = None
        self.output, output = os.pipe()
        os.set_blocking(self.output, False)
        failed, report = pair()
        if self.cgroup:
            _join_limits(self.cgroup, orders)
        keeper = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _become(orders, keeper, output, report)
        os.close(output)
        os.close(report)
        found, asked = heard(failed)
        os.close(failed)
        port = orders.get("port")
        self.listens = None if asked is None else Listens(asked, None if port is None else int(port))
        if found != CLOSED:
            os.waitpid(self.pid, 0)
            remove_group(self.cgroup)
            why = found.removeprefix(CLOSED).decode(errors="replace")
            if found.startswith(CLOSED):
                raise CannotStart(why)
            with contextlib.suppress(BlockingIOError):
                why += os.read(self.output, _CHUNK_BYTES).decode(errors="replace")
            raise OSError(why or "what was started ended before the command could")

    def reap(self) -> None:
        """Take note of who has ended: the command, and what came to the keeper when its parent ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.status = status

    def left(self) -> list[int]:
        """Return the pids that still run."""
        return [pid for pid in descendants(os.getpid()) if began(pid) is not None]

    def send(self, number: int) -> None:
        """Send a signal to the command's group, and to its processes that have left the group."""
        if number == signal.SIGKILL:
            kill_group(self.cgroup)
        elif self.guarded:
            # Its parents would end at once, and it with them.
            guards = {self.pid, *kin(self.pid)}
            for pid in self.left():
                if pid not in guards:
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
            return
        if self.status is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, number)
        for pid in self.left():
            with contextlib.suppress(OSError):
                if os.getpgid(pid) != self.pid or self.status is not None:
                    os.kill(pid, number)


def _join_limits(cgroup: str, orders: dict[str, str]) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(cgroup)
    for limit in ("memory.max", "cpu.max"):
        if limit in orders:
            descriptor = os.open(f"{cgroup}/{limit}", os.O_WRONLY)
            try:
                os.write(descriptor, orders[limit].encode())
            finally:
                os.close(descriptor)


def _become(orders: dict[str, str], keeper: int, output: int, report: int) -> None:
    """Turn the forked child into the command. Never returns; what fails is said through ``report``."""
    what = "cannot be prepared"
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)  # The keeper was killed before we asked for a signal at its death.
        if "cgroup" in orders:
            descriptor = os.open(f"{orders['cgroup']}/cgroup.procs", os.O_WRONLY)
            os.write(descriptor, b"0")
            os.close(descriptor)
        if "data.max" in orders:
            import resource

            limit = int(orders["data.max"])
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        go_first()
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if (words := read(CONFINED)) is not None:
            enter(words.split("\0")[:-1], report)
        command = (read("command") or "").split("\0")[:-1]
        environ = dict(entry.split("=", 1) for entry in (read("environ") or "").split("\0")[:-1])
        os.chdir("work")
        what = "cannot be executed"
        os.write(report, CLOSED)
        os.execve(orders["path"], command, environ)  # noqa: S606 - running what it is given is what this is for
    except (OSError, ValueError) as error:
        os.write(
            report, f"{orders['path']} {what}: {getattr(error, 'strerror', None) or error}".encode(errors="replace")
        )
    finally:
        os._exit(127)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Keeper:
    """Keeps one replica from its start to its end. The working directory is its state directory."""

    def __init__(self, name: str, orders: dict[str, str], state: dict[str, str]) -> None:
        self._name = name
        self._orders = orders
        self._state = state
        self._kill_at: float | None = None
        self._bell = os.open("bell", os.O_RDWR | os.O_NONBLOCK)
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._log = Log(int(orders["log_bytes_max"]))
        limit = orders.get("disk.max")
        self._scale = None if limit is None else Scale(FOLDERS, int(limit))
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._child = Child(orders)
        self._note(main=f"{self._child.pid} {began(self._child.pid) or '-'}")

    def _note(self, **values: str) -> None:
        self._state.update(values)
        with contextlib.suppress(OSError):  # A full disk must not end what runs.
            write("state", lines(self._state))

    def _end(self, grace_s: float, why: str) -> None:
        """Have it end, at the latest when the grace is over; the earliest of several ends counts."""
        kill_at = time.monotonic() + grace_s
        if self._kill_at is None:
            self._kill_at = kill_at
            self._note(ending=why)
            self._child.send(signal.SIGTERM)
        self._kill_at = min(self._kill_at, kill_at)

    def _look(self) -> float | None:
        """Do what the files say now; return how long they may be left alone, in seconds."""
        if (grace := read("stop")) is not None:
            self._end(float(grace or 0), "it was stopped")
        left = keeper_clock.left(read("ends"))
        if left is None:
            return None
        if left > 0:
            return min(left, _LOOK_AGAIN_S)
        self._end(float(self._orders["grace_s"]), "its deadline passed")
        return None

    def _press(self, timeout: float | None) -> float | None:
        """See to it that it ends which must; return how long to wait for anything else, in seconds."""
        if self._scale is not None and self._kill_at is None:
            again = self._weigh(self._scale)
            timeout = again if timeout is None else min(again, timeout)
        if self._kill_at is None:
            return timeout
        if time.monotonic() >= self._kill_at:
            self._child.send(signal.SIGKILL)
        return _KILL_AGAIN_S

    def _weigh(self, scale: Scale) -> float:
        """End the replica if it exceeds its disk limit; return the seconds until the next look."""
        if scale.rest_s() == 0 and scale.is_over(self._child.left):
            # It is killed without a grace, since it might go on writing.
            most = f"it had more than {self._orders['disk.max']} bytes in its working directory and /tmp"
            self._end(0.0, f"{most}, or what cannot be counted")
            return 0.0
        return scale.rest_s()

    def _copy(self) -> bool:
        """Move its output to the log; returns whether its streams are still open."""
        with contextlib.suppress(BlockingIOError):
            # An endless writer must not keep us from everything else. This is the most that a pipe holds.
            for _ in range(_CHUNKS_MAX):
                if not (part := os.read(self._child.output, _CHUNK_BYTES)):
                    return False
                self._log.add(part)
        return True

    def _answer(self, poll: select.poll, ready: dict[int, int]) -> None:
        """Answer a waiting system call of the replica, if there is one."""
        listens = self._child.listens
        if listens is not None and (what := ready.get(listens.descriptor)):
            if what & select.POLLIN:
                listens.answer()
            else:
                poll.unregister(listens.descriptor)  # No process is left that could ask.

    def run(self) -> None:
        """Keep it until nothing of it runs any more."""
        grace_s = float(self._orders["grace_s"])
        signal.signal(signal.SIGTERM, lambda *_: self._end(grace_s, "its keeper got a signal to end"))
        poll = select.poll()
        for descriptor in (self._bell, self._woken, self._child.output):
            poll.register(descriptor, select.POLLIN)
        if self._child.listens is not None:
            poll.register(self._child.listens.descriptor, select.POLLIN)
        rest = self._look()
        looked = time.monotonic()
        while True:
            self._child.reap()
            if self._kill_at is None and self._child.status is not None:
                self._kill_at = 0.0  # Its remaining processes end with it.
            if self._kill_at is not None and self._child.status is not None and not self._child.left():
                break
            timeout = self._press(None if rest is None else max(0.0, looked + rest - time.monotonic()))
            ready = dict(poll.poll(None if timeout is None else timeout * 1000 + 1))
            self._answer(poll, ready)
            if self._child.output in ready and not self._copy():
                poll.unregister(self._child.output)
            for descriptor in ready.keys() & {self._bell, self._woken}:
                with contextlib.suppress(BlockingIOError):
                    os.read(descriptor, _CHUNK_BYTES)
            if self._bell in ready or (rest is not None and time.monotonic() >= looked + rest):
                rest, looked = self._look(), time.monotonic()
        self._finish()

    def _finish(self) -> None:
        self._copy()
        kill_group(self._child.cgroup)
        remove_group(self._child.cgroup)
        status = self._child.status or 0
        if self._child.guarded and os.WIFEXITED(status) and os.WEXITSTATUS(status) > _SIGNALLED:
            status = os.WEXITSTATUS(status) - _SIGNALLED
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"code {os.WEXITSTATUS(status)}"
        self._note(exit=how)
        if read("stop") is not None:
            put_away(self._name, ".", "../..", int(self._orders["log_bytes_max"]))


def _say(what: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(READY_FD, what)
    with contextlib.suppress(OSError):
        os.close(READY_FD)


def main(directory: str) -> None:
    """Keep the replica of this state directory, unless another keeper does or did."""
    with contextlib.suppress(OSError):
        os.set_inheritable(READY_FD, False)
    # Close everything that was inherited from the control plane.
    os.closerange(READY_FD + 1, os.sysconf("SC_OPEN_MAX"))
    os.chdir(directory)
    name = os.path.basename(directory)
    alive = os.open("alive", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        _say(OTHER)
        return
    orders = pairs(read("keep"))
    if read("stop") is not None:
        # A stopping server writes this file first and then tests the lock, so that it or this keeper removes the files.
        put_away(name, ".", "../..", int(orders["log_bytes_max"]))
        _say(OTHER)
        return
    if read("state") is not None:
        _say(OTHER)
        return
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    state = {"boot": keeper_clock.boot(), "keeper": f"{os.getpid()} {began(os.getpid()) or 0}"}
    # Before the command is there: a replica that may have run once is never run again.
    write("state", lines(state))
    try:
        if (users := read(USERS)) is not None:
            state["users"] = settle(users)
            write("state", lines(state))
        keeper = Keeper(name, orders, state)
    except (CannotStart, OSError) as error:
        message = " ".join(str(error).split())
        # Nothing has run, and so nothing is left to be seen.
        put_away(name, ".", "../..", int(orders["log_bytes_max"]))
        _say((FAILED if isinstance(error, CannotStart) else NO_ROOM) + message.encode(errors="replace"))
        return
    _say(STARTED)
    keeper.run()
