"""Tests in several processes: each runs once, each failure is reported, and fixtures are made and taken down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, cast
from xml.etree import ElementTree as ET

import pytest

from tests.style.repository import ROOT
from tests.workers import Pieces

SETTINGS = "[pytest]\naddopts = -p no:randomly\ntmp_path_retention_policy = failed\n"
"""The tests in their order, also where the plug-in that shuffles them is installed."""
CONFTEST = """
    import os

    import pytest


    def note(*words):
        with open("notes", "a") as notes:
            print(*words, os.getpid(), file=notes)


    @pytest.fixture(scope="session", autouse=True)
    def session():
        note("session up")
        yield
        note("session down")


    @pytest.fixture(scope="module")
    def module(request):
        note("up", request.module.__name__)
        yield
        note("down", request.module.__name__)
"""
MODULE = """
    import pytest


    @pytest.mark.parametrize("number", range(20))
    def test_one(module, number, tmp_path):
        print("said by", number)
        assert number != 7 or NAME != "test_c"


    def test_two(module, tmp_path_factory):
        tmp_path_factory.mktemp("two")


    NAME = __name__
"""
ENDS = """
    import os


    def test_before():
        pass


    def test_that_ends_its_process():
        os._exit(5)


    def test_after():
        pass
"""
INTERRUPTED = """
    import os
    import signal

    import pytest


    @pytest.fixture(scope="session")
    def slow():
        with open("notes", "a") as notes:
            print("slow up", file=notes)
        os.kill(os.getpid(), signal.SIGINT)
        yield
        with open("notes", "a") as notes:
            print("slow down", file=notes)


    def test_that_fails():
        assert False


    @pytest.fixture
    def after():
        yield
        with open("notes", "a") as notes:
            print("after", file=notes)


    def test_slow(slow, after):
        with open("notes", "a") as notes:
            print("ran", file=notes)
"""
FILES = ("test_a", "test_b", "test_c", "test_d")


class FinishedRun(NamedTuple):
    """A finished run of pytest."""

    output: str
    outcomes: Counter[str]
    failures: dict[str, str]
    notes: list[list[str]]


def run(folder: Path, *arguments: str) -> FinishedRun:
    """Run the tests of a folder in three processes."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.workers", "--workers", "3", "--junitxml", "report.xml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes: Counter[str] = Counter()
    failures = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):  # noqa: S314 - pytest wrote it
        name = f"{case.get('classname')}.{case.get('name')}"
        outcomes[name] += 1
        for failure in case.iter("failure"):
            failures[name] = failure.text or ""
    notes = [line.split() for line in (folder / "notes").read_text().splitlines()]
    return FinishedRun(done.stdout, outcomes, failures, notes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("workers")
    (made / "pytest.ini").write_text(SETTINGS)
    (made / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    for name in FILES:
        (made / f"{name}.py").write_text(textwrap.dedent(MODULE))
    (made / "test_ends.py").write_text(textwrap.dedent(ENDS))
    return made


@pytest.fixture(scope="module")
def whole(folder: Path) -> FinishedRun:
    return run(folder)


def test_every_test_runs_once_and_is_reported(whole: FinishedRun) -> None:
    assert len(whole.outcomes) == len(FILES) * 21 + 3
    assert set(whole.outcomes.values()) == {1}
    assert "2 failed, 85 passed" in whole.output


def test_a_failure_comes_with_its_traceback_and_its_output(whole: FinishedRun) -> None:
    assert "number != 7" in whole.failures["test_c.test_one[7]"]
    assert "said by 7" in whole.output
    assert "said by 8" not in whole.output


def test_a_test_that_ends_its_process_fails_and_the_others_of_its_file_run(whole: FinishedRun) -> None:
    assert whole.failures.keys() == {"test_c.test_one[7]", "test_ends.test_that_ends_its_process"}
    assert "ended with 5" in whole.failures["test_ends.test_that_ends_its_process"]


def test_the_fixtures_of_a_module_are_made_once_and_those_of_the_session_once_a_process(whole: FinishedRun) -> None:
    modules = Counter((words[0], words[1]) for words in whole.notes if words[0] in ("up", "down"))
    assert modules == {(word, name): 1 for word in ("up", "down") for name in FILES}
    up, down = ([words[2] for words in whole.notes if words[:2] == ["session", way]] for way in ("up", "down"))
    # A worker that is slow to begin may find that the others have done everything.
    assert len(up) in (2, 3, 4)
    assert len(set(up)) == len(up), "once a process"
    assert len(set(up) - set(down)) == 1, "the one that was ended"
    assert len(down) == len(up) - 1


def test_each_process_writes_into_a_folder_of_its_own(folder: Path, whole: FinishedRun) -> None:
    assert len(list(folder.glob("pytest-of-*/pytest-0/worker-*"))) == 4
    # Only the folders of failed tests are kept.
    kept = {path.name for path in folder.glob("pytest-of-*/pytest-0/worker-*/test_*") if not path.is_symlink()}
    assert len(kept) == 1
    assert kept.pop().startswith("test_one_7_")
    assert whole.failures


def test_a_run_that_ends_at_the_first_failure_takes_down_what_it_set_up(folder: Path) -> None:
    (folder / "notes").unlink()
    short = run(folder, "-x", "--deselect", "test_ends.py")
    # Both workers may meet one at the same time.
    assert re.search(r"\b[12] failed", short.output)
    ups, downs = ({words[2] for words in short.notes if words[:2] == ["session", way]} for way in ("up", "down"))
    assert ups == downs


def test_a_fixture_that_is_being_set_up_is_not_interrupted(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "test_interrupted.py").write_text(textwrap.dedent(INTERRUPTED))
    interrupted = run(tmp_path)
    assert interrupted.notes == [["slow", "up"], ["after"], ["slow", "down"]]


def test_half_of_the_workers_begin_with_tests_that_wait_and_all_is_taken_once() -> None:
    paths = [Path("tests", folder, f"test_{name}.py") for folder in ("api", "faults", "domain") for name in "ab"]
    # Two tests in each file.
    items = [cast("pytest.Item", SimpleNamespace(path=path)) for path in paths for _ in range(2)]
    left = Pieces(items)
    taken = [left.take(worker) for worker in (1, 2, 1, 2, 2)]
    assert taken == [[0, 1], [4, 5], [2, 3], [6, 7], [8, 9]]
    left.put_back([9])
    assert [left.take(2), left.take(1), left.take(1), len(left)] == [[9], [10, 11], [], 0]
