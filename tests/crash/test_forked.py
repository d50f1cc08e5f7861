"""A process that is forked for a test is like one that an interpreter of its own runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.fleet import environment, eventually
from tests.forked import Forked, run
from tests.ports import free_port


@pytest.mark.parametrize("arguments", [("--version",), ("no-such-command",), ("check", "--data", "absent")])
def test_it_says_and_ends_as_one_of_a_new_interpreter(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "leasebook", *arguments]
    new = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    done = run(arguments, env=environment())
    assert (done.returncode, done.stdout, done.stderr) == (new.returncode, new.stdout, new.stderr)


def test_it_has_the_environment_that_it_was_given(tmp_path: Path) -> None:
    bad = environment() | {"LEASEBOOK_DRIAN_SECONDS": "5"}
    done = run(["serve", "--port", str(free_port()), "--data", str(tmp_path / "data")], env=bad)
    assert (done.returncode, "LEASEBOOK_DRIAN_SECONDS" in done.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)])
def test_it_has_a_pid_of_its_own_and_takes_signals(tmp_path: Path, number: int, code: int) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = Forked(
            ["serve", "--port", str(free_port()), "--data", str(tmp_path / "data")],
            env=environment(),
            stdout=log.fileno(),
            stderr=log.fileno(),
        )
    eventually("it serves", lambda: b"Leasebook serves" in (tmp_path / "log").read_bytes())
    assert process.poll() is None
    status = Path(f"/proc/{process.pid}/status").read_text()
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    assert not ignored >> (signal.SIGCHLD - 1) & 1, "it would not hear of the ends of what it starts"
    process.send_signal(number)
    assert process.wait(30) == code == process.poll()
    assert not Path(f"/proc/{process.pid}").exists()
