"""The processor time of tests is counted, and each suite has a budget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import spent
from tests.spent import CountedIn, ProcessTime, SuiteAccount, budgets, compared, report, suite_of

ALL_S = 720
"""Six minutes on two cores, for everything that `make test` does."""


def test_every_suite_has_a_budget_and_all_of_them_together_leave_six_minutes_on_two_cores() -> None:
    folders = {path.name for path in spent.FOLDER.iterdir() if list(path.glob("**/test_*.py"))}
    assert folders - budgets().keys() == set()
    assert sum(budgets().values()) + spent.beside_s() <= ALL_S, "what one suite may take more, another may take less"


def test_seconds_of_tests_are_summed_by_suite_and_shown_beside_the_budget(tmp_path: Path) -> None:
    account = SuiteAccount()
    account.add("tests/api/house/test_a.py::test_one[a::b]", 2.0)
    account.add("tests/api/test_b.py::test_two", 1.5)
    account.add("tests/wire/test_c.py::test_three", 0.25)
    account.add("tests/wire/test_c.py::test_three", 0.25)
    assert account.suites() == {"api": 3.5, "wire": 0.5}
    lines = report(compared(account.suites(), {"api": 3.0}))
    assert [line.split()[0] for line in lines] == ["suite", "api", "wire", "together"]
    assert "more than it may take" in lines[1]
    assert "more" not in lines[2]
    account.write(tmp_path / "spent")
    assert (tmp_path / "spent").read_text().splitlines()[0] == "2.000\ttests/api/house/test_a.py::test_one[a::b]"
    assert suite_of("test_alone.py::test_one") == "test_alone.py"


def test_a_process_that_goes_on_is_counted_with_the_children_that_it_waited_for() -> None:
    work = "sum(i * i for i in range(2_000_000))"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{work}']); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = ProcessTime(process.pid)
        seconds = seen.seconds()
        assert 0.05 < seconds < 30
        process.communicate(b"\n")
    assert seen.seconds() == seconds, "what was seen last"
    assert ProcessTime(os.getpid()).seconds() > 0


def test_a_process_that_gets_the_number_of_one_that_has_ended_is_not_counted() -> None:
    counted = CountedIn()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        seen = ProcessTime(process.pid)
        counted.add(seen)
        assert counted.seconds() < 1
        before = seen.seconds()
    assert ProcessTime(os.getpid()).seconds() > before
    seen._file = Path(f"/proc/{os.getpid()}/stat")  # type: ignore[misc]
    assert counted.seconds() == before
    assert seen.has_ended()
    assert counted.seconds() == before, "what it took stays counted"
