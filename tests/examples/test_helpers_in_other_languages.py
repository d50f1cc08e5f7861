"""The helpers for Go, Java and Node.js run their own tests against a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.style.repository import ROOT

HELPERS = ROOT / "docs" / "how-to" / "test-helpers"
LINES_MAX = 60
COMMAND = str(Path(sys.executable).with_name("leasebook"))


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not missing:
        return
    if os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS") == "1":
        pytest.fail(f"{missing} are not on PATH, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for them")
    pytest.skip(f"{missing} are not on PATH")


def run(*command: str, cwd: Path) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("LEASEBOOK_", "QIANFAN_"))}
    environment = {**kept, "LEASEBOOK_TEST_COMMAND": COMMAND, "GOFLAGS": "-count=1", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.conformance
@pytest.mark.slow
def test_the_helper_for_node_buys_and_releases_on_a_moved_clock() -> None:
    needs("node")
    run("node", "--test", "release.test.mjs", cwd=HELPERS / "node")


@pytest.mark.deep
@pytest.mark.conformance
@pytest.mark.slow
def test_the_helper_for_go_buys_and_releases_on_a_moved_clock() -> None:
    needs("go")
    run("go", "test", "./...", cwd=HELPERS / "go")


@pytest.mark.deep
@pytest.mark.conformance
@pytest.mark.slow
def test_the_helper_for_java_buys_and_releases_on_a_moved_clock(tmp_path: Path) -> None:
    needs("java", "javac")
    sources = sorted(str(file) for file in (HELPERS / "java").glob("*.java"))
    run("javac", "-encoding", "UTF-8", "-d", str(tmp_path), *sources, cwd=tmp_path)
    run("java", "-cp", str(tmp_path), "ReleaseTest", cwd=tmp_path)


@pytest.mark.parametrize("file", ["node/leasebook.mjs", "go/leasebook.go", "java/Leasebook.java"])
def test_a_helper_has_sixty_lines_at_most(file: str) -> None:
    lines = [line for line in (HELPERS / file).read_text().splitlines() if line.strip()]
    assert len(lines) <= LINES_MAX


def test_the_snippets_for_builds_are_valid_and_run_the_tests() -> None:
    github = yaml.safe_load((HELPERS / "ci" / "github-actions.yml").read_text())
    commands = [step.get("run", "") for step in github["jobs"]["test"]["steps"]]
    gitlab = yaml.safe_load((HELPERS / "ci" / "gitlab-ci.yml").read_text())
    for lines in ("\n".join(commands), "\n".join(gitlab["test"]["script"])):
        assert "leasebook[testing]" in lines
        assert "pytest -n auto" in lines
