"""Runs tests in several processes, with ``--workers N``: they are forked when all tests are collected.

To import and collect ten thousand tests takes a process many seconds. It is done once here, and the workers have the
same memory. A piece of work is a file of tests, so that a module's fixtures are made once, or a folder of them. The
files that take longest come first, so that no worker is left with one of them in the end.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from tests import spent

LONGEST: Final = (
    *("focus", "crash", "packaging", "attack", "faults", "conformance", "style", "reconciler", "outbox", "gateway"),
)
"""Folders whose files take longest, in the order in which they are given out; the others follow."""
WAITING: Final = frozenset({"crash", "attack", "faults", "reconciler", "outbox", "gateway", "engines"})
"""Folders whose tests mostly wait for other processes. Every second worker begins with them, beside tests that use a
processor: if all waited at once, the processors would be idle."""
TOGETHER: Final = ("style", "translations")
"""Folders whose files are one piece of work, because they share what takes seconds to make: syntax trees, texts."""
STOP_S: Final = 60.0
"""How long a worker may take for its last teardown."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.addoption(
        "--workers", type=int, default=0, metavar="N", help="run tests in N processes, forked after collection"
    )
    parser.addoption(
        "--spent", type=Path, metavar="FILE", help="with --workers: write the processor seconds of each test there"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take over the loop that runs tests, where the option says so."""
    if config.getoption("--workers") > 0:
        config.pluginmanager.register(Workers(config.getoption("--workers")), "leasebook-workers")


class Pieces:
    """The pieces of work that are left, each the numbers of its tests; those that take longest come first."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self._waiting: deque[list[int]] = deque()
        self._busy: deque[list[int]] = deque()
        for piece in pieces(items):
            is_waiting = WAITING.intersection(items[piece[0]].path.parts)
            (self._waiting if is_waiting else self._busy).append(piece)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def take(self, worker: int) -> list[int]:
        """Return the next piece for the worker of that number; empty if none is left."""
        first, second = (self._busy, self._waiting) if worker % 2 else (self._waiting, self._busy)
        return first.popleft() if first else second.popleft() if second else []

    def put_back(self, piece: list[int]) -> None:
        """Return what a worker left of a piece."""
        self._busy.appendleft(piece)


def pieces(items: Sequence[pytest.Item]) -> list[list[int]]:
    """Return the tests of each piece, by their numbers; the pieces that take longest come first."""
    files: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        together = item.path.parent.name in TOGETHER
        files.setdefault(str(item.path.parent if together else item.path), []).append(number)
    ranks = {folder: rank for rank, folder in enumerate(LONGEST)}

    def rank(file: str) -> int:
        return min((ranks[part] for part in Path(file).parts if part in ranks), default=len(ranks))

    return [files[file] for file in sorted(files, key=rank)]


class Worker:
    """A forked process, as the first one sees it."""

    def __init__(self, number: int, pid: int, way: Connection) -> None:
        self.number: Final = number
        self.pid: Final = pid
        self.way: Final = way
        self.given: deque[int] = deque()
        """The tests that it was given and has not ended yet."""
        self.is_last: bool = False
        """Whether it knows that nothing more comes."""

    def give(self, piece: list[int]) -> None:
        """Give it more to do; nothing: it is to end after what it has."""
        self.given.extend(piece)
        self.is_last = not piece
        with contextlib.suppress(OSError):
            self.way.send(piece)

    def stop(self) -> None:
        """End it; it tears down what it has set up (``Interruption``)."""
        os.kill(self.pid, signal.SIGINT)
        until = time.monotonic() + STOP_S
        with contextlib.suppress(EOFError, OSError):
            while self.way.poll(max(0.0, until - time.monotonic())):
                self.way.recv()
            os.kill(self.pid, signal.SIGKILL)
        self.ended()

    def ended(self) -> int:
        """Wait until its process has ended; returns how."""
        self.way.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Workers:
    """Gives out the tests of a session, and reports what comes back."""

    def __init__(self, count: int) -> None:
        self._count: Final = count
        self._made = 0
        self._running: list[Worker] = []
        self._account: Final = spent.SuiteAccount()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all tests; None where there is nothing to run."""
        if session.testsfailed or session.config.option.collectonly or not session.items:
            return None
        todo = Pieces(session.items)
        capture = session.config.pluginmanager.getplugin("capturemanager")
        # Worker processes capture into files of their own, and this one only reports.
        capture.stop_global_capturing()
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        if forked := sys.modules.get("tests.forked"):
            # A test asks for it: one process that has imported everything serves all workers.
            forked.prepare()
        try:
            for _ in range(min(self._count, len(todo))):
                self._fork(session)
            while self._running and not (session.shouldfail or session.shouldstop):
                self._hear(session, todo)
        finally:
            for worker in self._running:
                worker.stop()
            self._running.clear()
            capture.start_global_capturing()
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        return True

    def _fork(self, session: pytest.Session) -> None:
        ours, theirs = Pipe()
        self._made += 1
        pid = os.fork()
        if pid == 0:
            ours.close()
            for other in self._running:
                other.way.close()
            work(session, theirs, self._made)
        theirs.close()
        self._running.append(Worker(self._made, pid, ours))

    def _hear(self, session: pytest.Session, todo: Pieces) -> None:
        """Take what workers say: a report, or that they want more."""
        ways = {worker.way: worker for worker in self._running}
        for way in wait(list(ways)):
            worker = ways[way]  # type: ignore[index]
            try:
                said = worker.way.recv()
            except (EOFError, OSError):
                self._left(session, worker, todo)
                continue
            if said is None:
                worker.give(todo.take(worker.number))
            elif isinstance(said, tuple):
                number, seconds = said
                worker.given.remove(number)
                self._account.add(session.items[number].nodeid, seconds)
            else:
                self._report(session, said)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Show what each suite took, beside what it may take in an ordinary run."""
        if config.getoption("--spent"):
            self._account.write(config.getoption("--spent"))
        took = self._account.suites()
        if took and took.keys() <= spent.budgets().keys():
            terminalreporter.section("processor time")
            for line in spent.report(spent.compared(took, spent.budgets())):
                terminalreporter.write_line(line)

    def _report(self, session: pytest.Session, data: Mapping[str, Any]) -> None:
        hook = session.config.hook
        hook.pytest_runtest_logreport(
            report=hook.pytest_report_from_serializable(config=session.config, data=dict(data))
        )

    def _left(self, session: pytest.Session, worker: Worker, todo: Pieces) -> None:
        """Take note that a worker has ended. If it had tests left, the first of them is why; another does the rest."""
        self._running.remove(worker)
        code = worker.ended()
        if not worker.given:
            if code or not worker.is_last:
                pytest.exit(f"A worker ended with {code} after its last test.", 3)
            return
        item = session.items[worker.given.popleft()]
        words = f"The process that ran this test ended with {code}."
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", words, "call")
        session.config.hook.pytest_runtest_logreport(report=report)
        if worker.given:
            todo.put_back(list(worker.given))
        if todo:
            self._fork(session)


def work(session: pytest.Session, way: Connection, number: int) -> None:
    """Run tests as they are given, in a process that was forked for that; it never returns."""
    code = 1
    try:
        interruption = _set_up(session.config, way, number)
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError, EOFError):
            _run(session, way, interruption)
            code = 0
        session._setupstate.teardown_exact(None)
    finally:
        # Only this process's own: those of the first one were removed from the list.
        atexit._run_exitfuncs()
        os._exit(code)


def _run(session: pytest.Session, way: Connection, interruption: Interruption) -> None:
    """Run tests, each with the one that follows at hand: fixtures that both use are kept."""
    numbers: deque[int] = deque()
    has_more = True
    before = spent.so_far()
    while numbers or has_more:
        if has_more and len(numbers) <= 1:
            way.send(None)
            with interruption.allowed():
                piece: list[int] = way.recv()
            numbers.extend(piece)
            has_more = bool(piece)
            continue
        number = numbers.popleft()
        item, following = session.items[number], session.items[numbers[0]] if numbers else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        after = spent.so_far()
        way.send((number, after - before))
        before = after
        if session.shouldfail or session.shouldstop:
            return


def _set_up(config: pytest.Config, way: Connection, number: int) -> Interruption:
    atexit._clear()
    random.seed()
    interruption = Interruption()
    # Set in any case: a shell lets its background jobs ignore it, and by it a worker is stopped.
    signal.signal(signal.SIGINT, interruption.asked)
    factory = config._tmp_path_factory  # type: ignore[attr-defined]
    factory._basetemp = factory.getbasetemp() / f"worker-{number}"
    factory._basetemp.mkdir(mode=0o700)
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(interruption, "leasebook-interruption")
    config.pluginmanager.register(_Reporter(config, way), "leasebook-reporter")
    config.pluginmanager.getplugin("capturemanager").start_global_capturing()
    return interruption


class Interruption:
    """SIGINT in a worker: it interrupts a test and a wait for more, and lets a fixture be set up or taken down first.

    A fixture that is interrupted between what it starts and its ``yield`` would never end what it has started.
    """

    def __init__(self) -> None:
        self._is_asked = False
        self._is_allowed = False

    def asked(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt now, or as soon as it is allowed."""
        self._is_asked = True
        if self._is_allowed:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Let what runs within be interrupted."""
        self._is_allowed = True
        try:
            if self._is_asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_allowed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Let the test itself be interrupted."""
        with self.allowed():
            return (yield)


class _Reporter:
    """Sends reports to the first process."""

    def __init__(self, config: pytest.Config, way: Connection) -> None:
        self._config = config
        self._way = way

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send one."""
        self._way.send(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))
