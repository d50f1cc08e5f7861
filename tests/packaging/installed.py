"""The wheel in a fresh environment.

No index is asked: the packages are linked from this environment, and pip refuses what the wheel needs beyond them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from importlib import metadata, util
from pathlib import Path
from typing import NoReturn

import pytest

from tests.packaging.declared import ROOT, closure, needs


def environment() -> dict[str, str]:
    ours = ("PYTHON", "PIP_", "LEASEBOOK_", "QIANFAN_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(
    command: Sequence[str | Path], cwd: Path, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    env = environment() | dict(more or {})
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


def without(what: str) -> NoReturn:
    """Skip where something to build or install with is missing, and fail where everything has to be there."""
    if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
        pytest.fail(f"{what}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
    pytest.skip(what)


def built(folder: Path) -> Path:
    """Build the wheel from this working tree."""
    for tool in ("hatchling", "pip"):
        if util.find_spec(tool) is None:
            without(f"{tool} is not installed: requirements/build.txt")
    done = run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], ROOT)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("leasebook-*.whl")
    return found


def linked(folder: Path, requirements: Sequence[str]) -> None:
    """Make an environment with the packages that the requirements lead to, and without their programs."""
    try:
        wanted = closure(requirements)
    except metadata.PackageNotFoundError as error:
        without(f"{error.name} is not installed: requirements/server.txt")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in wanted.values():
        for top in {Path(str(file)).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            # Several distributions may put a file into one folder of the same name.
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))


def install(wheel: Path, folder: Path, extra: str) -> Path:
    """Install the wheel into a fresh environment; returns where its programs are."""
    linked(folder, [*needs(), *(needs(extra) if extra else ())])
    what: str | Path = f"leasebook[{extra}] @ {wheel.as_uri()}" if extra else wheel
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--isolated", "install"]
    installed = run([*pip, "--disable-pip-version-check", "--no-compile", "--no-index", "--quiet", what], folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"
