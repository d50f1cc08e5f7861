"""The set of benchmarks: that each of its steps starts, ends in time, and is seen beside the run before."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec
import pytest
from benchmarks import all as benchmarks_all
from benchmarks import history
from benchmarks.all import STEPS, Outcome, Step, bounded, command_of, main, ratios, report

MACHINE = history.Machine("a processor", 2, 4.0, "6.1", "ext4", "3.11", "3.40", 0.1)
FOLDER = Path(benchmarks_all.__file__).parent


def line(**figures: float) -> history.Line:
    return history.Line("2030-01-15T08:00:00+00:00", "c0ffee", "purchase", MACHINE, {}, figures, {})


def test_every_step_is_a_benchmark_that_knows_its_options() -> None:
    for step in STEPS:
        text = (FOLDER / f"{step.name}.py").read_text()
        options = {
            *re.findall(r"--[a-z-]+", f"{step.arguments} {step.tiny}"),
            *(["--against"] if step.compares else []),
        }
        assert not [option for option in options if f'"{option}"' not in text], step.name
        assert step.leaves_line == (f'history.running("{step.name}"' in text), step.name


def test_a_step_that_compares_gets_the_other_version_and_is_left_out_without_one() -> None:
    turns, reads = (next(step for step in STEPS if step.name == name) for name in ("turns", "reads"))
    assert command_of(turns, None, None, tiny=False) is None
    other = Path("other")
    assert (command_of(turns, None, other, tiny=True) or [])[-1] == "other/.venv/bin/leasebook"
    assert (command_of(reads, None, other, tiny=True) or [])[-3:] == ["--no-json", "--against", "other/src"]
    assert (command_of(reads, None, None, tiny=True) or [])[-1] == "--no-json"


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_started() -> None:
    # It ignores the first signal, and what it started has the same group.
    text = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    assert bounded([sys.executable, "-c", text], 0.3, spare_s=0.1) is None
    assert bounded([sys.executable, "-c", "raise SystemExit(3)"], 60) == 3


def test_each_figure_is_beside_the_last_one_of_its_name() -> None:
    lines = [line(share=0.5, rate=1.0), line(share=0.25), line(share=0.75, other=2.0)]
    assert ratios(lines, 2) == ["purchase     share: 0.75   before: 0.25", "purchase     other: 2"]


def test_the_report_names_what_failed() -> None:
    step = Step("purchase", "--store sqlite", "", 1)
    texts = report([Outcome(step, 0, 1.2), Outcome(step, 1, 1.2), Outcome(step, None, 60)])
    assert [text.split("s  ")[1] for text in texts] == ["done", "FAILED", "TOOK TOO LONG"]


def test_a_figure_that_is_no_number_leaves_the_history_readable(tmp_path: Path) -> None:
    goal = tmp_path / "history.jsonl"
    history.Run("purchase", tmp_path, goal).record({}, {"share": 0.5, "p99": float("nan")})
    assert [one.figures for one in history.read(goal)] == [{"share": 0.5}]


@pytest.mark.slow
def test_the_set_starts_with_tiny_numbers_and_draws_its_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    goal, picture = tmp_path / "history.jsonl", tmp_path / "history.svg"
    goal.write_bytes(msgspec.json.encode(line(share=0.5)) + b"\n")
    monkeypatch.chdir(FOLDER.parent)
    with pytest.raises(SystemExit) as ended:
        main(["--tiny", "--only", "signatures", "--json", str(goal), "--picture", str(picture)])
    said = capfd.readouterr().out
    assert ended.value.code == 0, said
    assert [one.benchmark for one in history.read(goal)] == ["purchase", "signatures"]
    assert re.search(r"signatures +once / plain: [0-9.]+", said)
    assert "once / plain" in picture.read_text()
