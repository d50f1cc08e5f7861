"""A project of its own that is tested with the kit: its glue is a few lines, and its tests pass in any order."""

from __future__ import annotations

import shutil
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.copies import ROUNDS

pytest_plugins = ["pytester"]

PROJECT = Path(__file__).parent / "pool"
GLUE_MAX = 10
TESTS = 10


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A copy of the project, in a folder where nothing else is."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for file in PROJECT.glob("*.py"):
        shutil.copy(file, pytester.path)
    installed = any(one.value == "leasebook.testing.plugin" for one in entry_points(group="pytest11"))
    pytester.makeini("[pytest]\n" + ("" if installed else "addopts = -p leasebook.testing.plugin\n"))
    return pytester


def test_the_glue_is_ten_lines_at_most() -> None:
    lines = (PROJECT / "conftest.py").read_text().split('"""', 2)[2].splitlines()
    assert len([line for line in lines if line.strip()]) <= GLUE_MAX


# tests/kit runs the tests of its page, in any order, in processes of pytest too.
@pytest.mark.deep
@pytest.mark.slow
def test_the_projects_tests_pass_in_any_order(project: pytest.Pytester) -> None:
    for seed in range(ROUNDS):
        done = project.runpytest_subprocess("-q", "-p", "randomly", "--randomly-seed", str(seed))
        done.assert_outcomes(passed=TESTS)
