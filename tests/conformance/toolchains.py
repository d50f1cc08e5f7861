"""Builds the four programs, each once for all processes of a test run and again only when it changes."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD_SECONDS_MAX = 900


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How one official client is installed and its program started."""

    name: str
    base_url_variable: str
    tools: tuple[str, ...]
    # The sources of an earlier build decide whether it still serves.
    sources: tuple[Path, ...]
    # Lies in the folder that the build makes, so that both go together. None where the build finds changes itself.
    stamp: Path | None
    build: Callable[[], None]
    command: tuple[str, ...]


def ready(toolchain: Toolchain) -> Toolchain:
    """The toolchain with its program built, or a skip that says which tool is missing."""
    for tool in toolchain.tools:
        if shutil.which(tool) is None:
            missing(f"{toolchain.name}: {tool} not found on PATH")
    # The lock is on a file of the checkout, so that two test runs in one checkout wait for each other too.
    with locked(toolchain.sources[0]):
        if toolchain.stamp is None:
            toolchain.build()
        else:
            _build_unless_stamped(toolchain, toolchain.stamp, _digest(toolchain.sources))
    return toolchain


def _build_unless_stamped(toolchain: Toolchain, stamp: Path, wanted: str) -> None:
    if not (stamp.is_file() and stamp.read_text() == wanted):
        toolchain.build()
        stamp.write_text(wanted)


def missing(reason: str) -> None:
    """Skip the test by name, or fail it where every toolchain is asked for."""
    if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS") == "1":
        pytest.fail(f"{reason}, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
    pytest.skip(reason)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _digest(sources: Sequence[Path]) -> str:
    seen = hashlib.sha256()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.is_file():
                seen.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return seen.hexdigest()


def step(*command: str, cwd: Path, more: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)


VENV = ROOT / ".venv-conformance"
PINNED = ROOT / "requirements" / "conformance.txt"


def _install_python() -> None:
    step(sys.executable, "-m", "venv", "--clear", str(VENV), cwd=ROOT)
    # Modules are compiled when they are imported. To compile all of them takes longer than to install them.
    quietly = ("--quiet", "--disable-pip-version-check", "--no-compile")
    pip = (str(VENV / "bin" / "python"), "-m", "pip", "install", *quietly)
    step(*pip, "--require-hashes", "-r", str(PINNED), cwd=ROOT)


PYTHON = Toolchain(
    name="python",
    base_url_variable="QIANFAN_CONSOLE_API_BASE_URL",
    tools=(),
    sources=(PINNED,),
    stamp=VENV / ".installed",
    build=_install_python,
    command=(str(VENV / "bin" / "python"), str(HERE / "python" / "program.py")),
)

NODE = Toolchain(
    name="node",
    base_url_variable="QIANFAN_CONSOLE_API_BASE_URL",
    tools=("node", "npm"),
    sources=(HERE / "node" / "package-lock.json", HERE / "node" / "package.json"),
    stamp=HERE / "node" / "node_modules" / ".installed",
    build=lambda: step("npm", "ci", "--ignore-scripts", cwd=HERE / "node"),
    command=("node", str(HERE / "node" / "program.js")),
)

GO = Toolchain(
    name="go",
    base_url_variable="QIANFAN_CONSOLE_BASE_URL",
    tools=("go",),
    sources=(HERE / "go" / "main.go",),  # not go.mod: go build locks that one itself
    stamp=None,
    build=lambda: step(
        "go",
        "build",
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        "-o",
        "conformance",
        ".",
        cwd=HERE / "go",
    ),
    command=(str(HERE / "go" / "conformance"),),
)

# Names a release that has console(), where the repository at hand holds one; see README.md.
JAVA_RELEASE = os.environ.get("LEASEBOOK_TEST_QIANFAN_JAVA", "")
JAVA_TARGET = HERE / "java" / "target" / (JAVA_RELEASE or "published")
JAVA_CHOICE = ("-Pconsole", f"-Dqianfan.version={JAVA_RELEASE}") if JAVA_RELEASE else ()

JAVA = Toolchain(
    name="java",
    base_url_variable="QIANFAN_CONSOLE_API_BASE_URL",
    tools=("java", "mvn"),
    sources=(HERE / "java" / "pom.xml", HERE / "java" / "src"),
    stamp=JAVA_TARGET / ".built",
    build=lambda: step("mvn", "-B", "-q", *JAVA_CHOICE, f"-Doutput={JAVA_TARGET}", "compile", cwd=HERE / "java"),
    # The first two options shorten a short run like this by about a quarter (from 0.57 s to 0.41 s).
    command=(
        "java",
        # Before Java 18 the locale decides, and in an empty environment that is ASCII.
        "-Dfile.encoding=UTF-8",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        f"{JAVA_TARGET / 'classes'}:{JAVA_TARGET / 'lib'}/*",
        "Program",
    ),
)
