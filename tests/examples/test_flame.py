"""The flame graph of ``make profile``: its command, and the picture of a process that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.flame import FORMATS, CannotSample, Options, sampled, sampler

BUSY = "def busy_loop():\n    while True:\n        pass\nprint(flush=True)\nbusy_loop()"


def options(output: Path, *, native: bool = False) -> Options:
    return Options("sqlite", "purchase", 1, seconds=1, rate=50, output=output, native=native)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_suffix_of_the_file_says_which_format_is_written(suffix: str) -> None:
    command = sampler(options(Path(f"flame{suffix}"), native=True), 7)
    assert command[command.index("--format") + 1] == FORMATS[suffix]
    assert command[command.index("--pid") + 1] == "7"
    assert command[-1] == "--native"


def test_another_suffix_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CannotSample, match=r"flame\.png ends with none of \.svg, \.json, \.txt"):
        sampler(options(Path("flame.png")), 7)


def test_the_stack_of_a_running_process_is_sampled(tmp_path: Path) -> None:
    output = tmp_path / "flame.txt"
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            with sampled(sampler(options(output), process.pid)) as spy:
                said = spy.communicate(timeout=30)[0]
        finally:
            process.kill()
    if spy.returncode and "ermission" in said:
        pytest.skip("this machine does not let one process read another")
    assert spy.returncode == 0, said
    assert "busy_loop" in output.read_text()
