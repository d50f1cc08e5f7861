"""The keeper of one command on a node of a Ray cluster: it sees to it that nothing of the command outlives its replica.

It is a process of its own between the actor and the command. So the end of the actor's process, however it comes
about, ends the command and all that the command started, and a deadline is kept while the control plane is out of
reach.

It is sent to the node as text and run with ``python -I -S -c``: it needs the standard library and nothing else. Orders
come in and news go out as lines of JSON over its standard input, a socket. The end of that stream means that the actor
is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LOOK_AGAIN_S = 5.0
"""The wait of ``select`` does not count time in which the node sleeps, so it waits no longer than this for a deadline.
"""
MEMORY_EVERY_S = 1.0
"""How often memory is counted. A count reads two small files of every process of the node: some milliseconds."""
REAP_AGAIN_S = 0.02
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Only the actor ends a keeper. The command must not inherit this."""


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _parents() -> dict[int, list[int]]:
    """Return the children of every process of this node."""
    children: dict[int, list[int]] = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(folder.name))
    return children


def _descendants() -> list[int]:
    """Return all processes that stem from the command. Orphans among them are children of this process."""
    children, found = _parents(), []
    waiting = list(children.get(os.getpid(), []))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _memory_bytes() -> int:
    """Return the memory of the command's processes alone in bytes: resident, less shared."""
    pages = 0
    for pid in _descendants():
        try:
            _, resident, shared = pathlib.Path(f"/proc/{pid}/statm").read_bytes().split()[:3]
        except (OSError, ValueError):
            continue
        pages += int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")


def since_boot() -> float:
    """Return the seconds since this node started, on the clock that cannot be set and that counts while it sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Keeper:
    """Starts the command, ends it when it must end, and tells the actor how it ended."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.unread = b""
        self.main = 0
        self.status: int | None = None
        self.deadline: float | None = None
        self.memory_max: int | None = None
        self.grace_s = 0.0
        self.count_at = 0.0
        self.kill_at: float | None = None
        self.why: str | None = None

    def say(self, **news: Any) -> None:
        """Tell the actor something. Where it is gone, the next read says so."""
        try:
            self.control.sendall(json.dumps(news).encode() + b"\n")
        except OSError:
            return

    def orders(self) -> list[dict[str, Any]] | None:
        """Return the orders that have come, or None if the actor is gone."""
        try:
            chunk = self.control.recv(1 << 16)
        except OSError:
            return None
        if not chunk:
            return None
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def begin(self, order: dict[str, Any]) -> bool:
        """Start the command. False if it cannot be started; the actor gets the reason."""
        self.memory_max, self.grace_s = order["memory_bytes"], order["grace_s"]
        self.end_in(order["ends_in_s"])
        if self.deadline is not None and since_boot() >= self.deadline:
            self.say(ended=None, why="its deadline had passed before it was started")
            return False
        keeper = os.getpid()

        def bind() -> None:
            for number in IGNORED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)

        try:
            child = subprocess.Popen(  # noqa: S603 - running the ordered command is its purpose
                order["command"],
                env=order["env"],
                cwd=order["cwd"],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=bind,  # noqa: PLW1509 - there is one thread
            )
        except OSError as error:
            self.say(cannot=f"{order['command'][0]} cannot be run: {error.strerror}.")
            return False
        self.main, child.returncode = child.pid, 0
        self.say(begun=True)
        return True

    def follow(self, order: dict[str, Any]) -> None:
        """Do what the actor says: another deadline, or the end. A second stop may shorten the grace."""
        if "ends_in_s" in order:
            self.end_in(order["ends_in_s"])
        if "stop" in order:
            self.end(order["stop"])

    def end_in(self, seconds: float | None) -> None:
        """Move the deadline, which is kept on this node's own time since it started."""
        self.deadline = None if seconds is None else since_boot() + seconds

    def end(self, grace_s: float) -> None:
        """Tell the command to end, and have it killed after the grace; the earliest of several ends counts."""
        kill_at = time.monotonic() + grace_s
        if self.kill_at is None:
            self.signal(signal.SIGTERM)
        self.kill_at = kill_at if self.kill_at is None else min(self.kill_at, kill_at)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group of the command, and SIGKILL to what left the group too."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.main, number)
        if number == signal.SIGKILL:
            for pid in _descendants():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue

    def reap(self) -> bool:
        """Collect what has ended. True when nothing of the command is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.main:
                self.status = os.waitstatus_to_exitcode(status)
                if self.kill_at is None:
                    self.kill_at = time.monotonic()

    def judge(self) -> float | None:
        """End the command where it is over time or over memory. Return in how many seconds to look again, if ever."""
        now, waits = time.monotonic(), []
        if self.why is None and self.deadline is not None:
            left = self.deadline - since_boot()
            if left <= 0:
                self.why = "its deadline passed"
                self.end(self.grace_s)
            else:
                waits.append(min(left, LOOK_AGAIN_S))
        if self.why is None and self.memory_max is not None and now >= self.count_at:
            self.count_at = now + MEMORY_EVERY_S
            used = _memory_bytes()
            if used > self.memory_max:
                self.why, self.kill_at = f"it took {used} bytes of memory, more than its {self.memory_max}", now
                self.signal(signal.SIGKILL)
        if self.memory_max is not None:
            waits.append(max(self.count_at - now, 0.0))
        if self.kill_at is not None:
            if now >= self.kill_at:
                self.signal(signal.SIGKILL)
                waits.append(REAP_AGAIN_S)
            else:
                waits.append(self.kill_at - now)
        return min(waits) if waits else None

    def keep(self) -> None:
        """Work until nothing of the command is left."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        heard: list[Any] = [self.control, woken]
        while True:
            wait = self.judge()
            ready, _, _ = select.select(heard, [], [], wait)
            if woken in ready:
                os.read(woken, 4096)
            if self.control in ready:
                orders = self.orders()
                if orders is None:
                    heard, self.kill_at = [woken], time.monotonic()
                for order in orders or []:
                    self.follow(order)
            if self.reap():
                return


def main() -> None:
    """Keep the command that the first line orders.

    First it stops being a child of the actor's process: when that ends, Ray kills its children, and a keeper that is
    killed can end nothing but the command itself.
    """
    if os.fork():
        os._exit(0)
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    keeper = Keeper(control)
    orders: list[dict[str, Any]] | None = []
    while orders == []:
        orders = keeper.orders()
    if not orders or not keeper.begin(orders[0]):
        return
    for order in orders[1:]:
        keeper.follow(order)
    keeper.keep()
    keeper.say(ended=keeper.status, why=keeper.why)


if __name__ == "__main__":
    main()
    sys.exit(0)
