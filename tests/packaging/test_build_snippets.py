"""The snippets for builds, run as GitHub's and GitLab's runners run them: line by line with bash, in a fresh folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.declared import ROOT, needs
from tests.packaging.installed import linked, run

SNIPPETS = ROOT / "docs" / "how-to" / "test-helpers" / "ci"
RUNNERS_OWN = {"actions/checkout@v4", "actions/setup-python@v5"}
"""Steps that a runner brings: they put the project and a Python into place, as this test does."""
PROJECT = """
def test_a_purchase(leasebook):
    leasebook.given(stock={"gpu-1": 2}, balance=1000)
    assert leasebook.account.buy("gpu-1").startswith("unit-")
"""
WRONG = """
def test_that_fails(leasebook):
    assert leasebook.client.describe_account().balance < 0
"""


def github(variables: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Return the scripts of the steps with their own variables; ``${{ vars.NAME }}`` is what the project set."""

    def said(text: str) -> str:
        return re.sub(r"\$\{\{\s*vars\.(\w+)\s*\}\}", lambda found: variables[found[1]], text)

    job: dict[str, Any] = yaml.safe_load((SNIPPETS / "github-actions.yml").read_text())["jobs"]["test"]
    assert {step["uses"] for step in job["steps"] if "uses" in step} == RUNNERS_OWN
    own = job.get("env", {})
    return [
        (said(step["run"]), {name: said(str(value)) for name, value in {**own, **step.get("env", {})}.items()})
        for step in job["steps"]
        if "run" in step
    ]


def gitlab(variables: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Return the script of the job: its lines are one script, and the project's variables are the job's."""
    job = yaml.safe_load((SNIPPETS / "gitlab-ci.yml").read_text())["test"]
    return [("set -eo pipefail\n" + "\n".join([*job.get("before_script", []), *job["script"]]), variables)]


@pytest.mark.deep
@pytest.mark.slow
@pytest.mark.parametrize("snippet", [github, gitlab])
def test_a_snippet_installs_the_kit_and_runs_the_projects_tests(wheel: Path, tmp_path: Path, snippet: Any) -> None:
    environment, project = tmp_path / "python", tmp_path / "project"
    linked(environment, [*needs(), *needs("server"), *needs("testing")[1:], "pytest-xdist", "pip"])
    for program, call in (("pip", "pip._internal.cli.main:main"), ("pytest", "pytest:console_main")):
        module, _colon, name = call.partition(":")
        file = environment / "bin" / program
        file.write_text(f"#!{environment}/bin/python\nimport sys\nfrom {module} import {name}\nsys.exit({name}())\n")
        file.chmod(0o755)
    project.mkdir()
    (project / "test_project.py").write_text(PROJECT)
    of_runner = {
        "PATH": f"{environment}/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CI": "true",
        # The packages are there already, and no index is asked.
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    outputs = []
    for script, variables in snippet({"LEASEBOOK": wheel.as_uri()}):
        file = tmp_path / "script.sh"
        file.write_text(script)
        done = run(["bash", "-e", file], project, of_runner | variables)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "1 passed" in outputs[-1]
    # A test that fails has the build fail.
    (project / "test_wrong.py").write_text(WRONG)
    assert run(["bash", "-e", tmp_path / "script.sh"], project, of_runner | variables).returncode == 1
