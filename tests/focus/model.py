"""The machine-readable model of FOCUS 1.4, in an environment of its own, and what its lint says of files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from leasebook.export.focus.versions import DatasetName
from tests.conformance.toolchains import ROOT, Toolchain, ready, step

VENV = ROOT / ".venv-focus-model"
PINNED = ROOT / "requirements" / "focus-model.txt"
PROGRAM = Path(__file__).with_name("model_program.py")
SECONDS_MAX = 120


class Findings(NamedTuple):
    """Mistakes: those of each dataset, and those between the datasets."""

    lint: dict[str, list[str]]
    between: list[str]
    checks: list[str]


def _install() -> None:
    step(sys.executable, "-m", "venv", "--clear", str(VENV), cwd=ROOT)
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    step(*pip, "--require-hashes", "-r", str(PINNED), cwd=ROOT)


def ready_model() -> Toolchain:
    """Return the model's lint, installed."""
    return ready(
        Toolchain(
            name="focus-model",
            base_url_variable="",
            tools=(),
            sources=(PINNED,),
            stamp=VENV / ".installed",
            build=_install,
            command=(str(VENV / "bin" / "python"), str(PROGRAM)),
        )
    )


def judged(model: Toolchain, files: Mapping[DatasetName, Path]) -> Findings:
    """Have the CSV files of several datasets judged, each by itself and all together."""
    given = [f"{name}={path}" for name, path in files.items()]
    done = subprocess.run([*model.command, *given], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return Findings(**json.loads(done.stdout))
