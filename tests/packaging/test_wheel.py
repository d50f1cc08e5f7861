"""The wheel without extras is contract and commands for callers; with ``server`` it is the whole server.

No index is asked: the packages are linked from this environment, and pip refuses what the wheel needs beyond them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path
from typing import NoReturn

import pytest

from tests.packaging.declared import ROOT, closure, needs

KEYS = ["--access-key", "AKEXAMPLE", "--secret-key", "secret-of-the-example"]
CALL = ["/v2/computeunit", "DescribeComputeUnits", "{}", *KEYS]


def _environment() -> dict[str, str]:
    ours = ("PYTHON", "PIP_", "LEASEBOOK_", "QIANFAN_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(command: Sequence[str | Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False, timeout=120
    )


def without(what: str) -> NoReturn:
    """Skip where something to build or install with is missing, and fail where everything has to be there."""
    if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
        pytest.fail(f"{what}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
    pytest.skip(what)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this working tree."""
    for tool in ("hatchling", "pip"):
        if util.find_spec(tool) is None:
            without(f"{tool} is not installed: requirements/build.txt")
    folder = tmp_path_factory.mktemp("wheel")
    built = run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], ROOT)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("leasebook-*.whl")
    return found


def install(wheel: Path, folder: Path, extra: str) -> Path:
    """Install the wheel into a fresh environment; returns where its programs are."""
    try:
        wanted = closure([*needs(), *(needs(extra) if extra else ())])
    except metadata.PackageNotFoundError as error:
        without(f"{error.name} is not installed: requirements/server.txt")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for distribution in wanted.values():
        for top in {Path(str(file)).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            # Several distributions may put a file into one folder of the same name.
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    what: str | Path = f"leasebook[{extra}] @ {wheel.as_uri()}" if extra else wheel
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--isolated", "install"]
    installed = run([*pip, "--disable-pip-version-check", "--no-compile", "--no-index", "--quiet", what], folder)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"


def test_the_wheel_without_extras_signs_and_says_what_a_server_needs(wheel: Path, tmp_path: Path) -> None:
    programs, here = install(wheel, tmp_path / "venv", ""), tmp_path / "here"
    here.mkdir()
    signed = run([programs / "leasebook", "sign", *CALL], here)
    assert (signed.returncode, signed.stderr) == (0, "")
    assert signed.stdout.startswith("Authorization: bce-auth-v1/AKEXAMPLE/")
    called = run([programs / "leasebook", "call", *CALL, "--url", "http://127.0.0.1:1"], here)
    assert (called.returncode, called.stdout) == (3, "")
    assert "Nothing was sent." in called.stderr
    for command in ("serve", "tour"):
        refused = run([programs / "leasebook", command], here)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1), refused.stderr
        assert refused.stderr.startswith(f"leasebook: {command} ")
        assert "sqlalchemy" in refused.stderr
        assert refused.stderr.endswith("Run: pip install 'leasebook[server]'\n")
    assert run([programs / "leasebook", "serve", "--help"], here).returncode == 0
    assert list(here.iterdir()) == []


def test_the_wheel_with_the_servers_packages_serves(wheel: Path, tmp_path: Path) -> None:
    programs = install(wheel, tmp_path / "venv", "server")
    command: list[str | Path] = [programs / "leasebook", "serve", "--port", "0", "--data", tmp_path / "data"]
    with subprocess.Popen(command, cwd=tmp_path, env=_environment(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any(line.startswith("Leasebook serves on ") for line in server.stdout)
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == 0
