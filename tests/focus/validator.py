"""The FinOps Foundation's focus-validator, in an environment of its own, and what it says of a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.conformance.toolchains import ROOT, Toolchain, missing, ready, step

PYTHON = "3.12"
"""The newest one for which there are packages of NumPy 1, which the validator keeps to."""
VENV = ROOT / ".venv-focus"
BUILD, PINNED = (ROOT / "requirements" / name for name in ("focus-build.txt", "focus-validator.txt"))
SECONDS_MAX = 300

CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "CAPACITY_RESERVATION_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
"""The features of the service, in the words of the specification; rules about other features do not apply to it."""


class Verdict(NamedTuple):
    """How many rules a file passed, and the names of those that it failed."""

    passed: int
    failed: frozenset[str]


def _pythons() -> Iterator[str]:
    yield os.environ.get("LEASEBOOK_TEST_PYTHON_3_12", "")
    yield shutil.which(f"python{PYTHON}") or ""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(root.glob(f"versions/{PYTHON}.*/bin/python"), reverse=True))


@cache
def _python() -> str | None:
    """Return an interpreter of that version that works: a name on PATH may stand for one that is not there."""
    for python in filter(None, _pythons()):
        told = [python, "-c", "import sys, venv; print(*sys.version_info[:2], sep='.')"]
        done = subprocess.run(told, capture_output=True, text=True, check=False)
        if done.stdout.strip() == PYTHON:
            return python
    return None


def _install() -> None:
    python = _python()
    assert python is not None
    step(python, "-m", "venv", "--clear", str(VENV), cwd=ROOT)
    # Modules are compiled when they are imported. To compile all of them takes longer than to install them.
    quietly = ("--quiet", "--disable-pip-version-check", "--no-compile")
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "install", *quietly)
    step(*pip, "--require-hashes", "-r", str(BUILD), cwd=ROOT)
    # Its release is a source: it is built with pinned packages, and not with the newest of today.
    step(*pip, "--require-hashes", "--no-build-isolation", "-r", str(PINNED), cwd=ROOT)


def ready_validator() -> Toolchain:
    """Return the validator, installed; skips where there is no Python for it, unless all must be there."""
    if _python() is None:
        missing(f"focus-validator: no Python {PYTHON} on PATH, under PYENV_ROOT or in LEASEBOOK_TEST_PYTHON_3_12")
    return ready(
        Toolchain(
            name="focus-validator",
            base_url_variable="",
            tools=(),
            sources=(PINNED, BUILD),
            stamp=VENV / ".installed",
            build=_install,
            command=(str(VENV / "bin" / "focus-validator"),),
        )
    )


def package() -> Path:
    """Return the folder of the validator's own files."""
    return VENV / "lib" / f"python{PYTHON}" / "site-packages" / "focus_validator"


def validate(validator: Toolchain, file: Path, version: str, folder: Path, rules: Path | None = None) -> Verdict:
    """Have a file validated; ``folder`` takes what the validator writes. ``rules``: other rules than its own."""
    folder.mkdir()
    # It looks for its own table of currencies below the folder that it is run in.
    (folder / "focus_validator").symlink_to(package())
    more = () if rules is None else ("--rule-set-path", str(rules))
    report = folder / "report.xml"
    done = subprocess.run(
        [
            *validator.command,
            *("--data-file", str(file)),
            *("--validate-version", version),
            *("--applicability-criteria", ",".join(CRITERIA)),
            *("--output-type", "unittest", "--output-destination", str(report)),
            "--block-download",
            *more,
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return _verdict(ET.parse(report).getroot())  # noqa: S314 - it wrote it for us


def _verdict(report: ET.Element) -> Verdict:
    passed, failed = 0, set()
    for case in report.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(str(case.get("name")).split(" :: ")[0])
        elif case.find("skipped") is None:
            passed += 1
    return Verdict(passed, frozenset(failed))


def models() -> dict[str, Path]:
    """Return the rules that the validator has, by the version of the specification."""
    found: dict[str, Path] = {}
    for path in sorted((package() / "rules").glob("model-*.json")):
        found[str(json.loads(path.read_text())["Details"]["FOCUSVersion"])] = path
    return found


def rules_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rules of a file by their names."""
    rules: dict[str, dict[str, Any]] = json.loads(path.read_text())["ModelRules"]
    return rules
