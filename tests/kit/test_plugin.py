"""The pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.depth import ROUNDS, few

SUITE = """
import os
import pytest
from leasebook.client import Client

def check(leasebook, stock, count):
    assert leasebook.now.isoformat() == "2030-01-01T00:00:00+08:00"
    assert leasebook.url == os.environ["QIANFAN_CONSOLE_API_BASE_URL"]
    with Client() as client:
        assert list(client.each_of_units()) == []
        leasebook.given(stock={"gpu-1": stock}, balance=1000)
        for _ in range(count):
            leasebook.account.buy("gpu-1")
        leasebook.advance(days=count)
        assert len(list(client.each_of_units())) == count

@pytest.mark.parametrize("count", range(4))
def test_own_service(leasebook, count):
    check(leasebook, count, count)

@pytest.mark.parametrize("count", range(1, 4))
def test_own_account(leasebook_shared, leasebook_account, count):
    with Client() as client:
        assert client.describe_account().account_id == leasebook_account.account_id
        assert list(client.each_of_units()) == []
        leasebook_shared.given(balance=500, stock={"gpu-2": 50}, account=leasebook_account)
        for _ in range(count):
            leasebook_account.buy("gpu-2")
        assert len(list(client.each_of_units())) == count

@pytest.mark.leasebook(start="2031-05-05 00:00:00", stock={"cpu": 2})
def test_marked(leasebook):
    assert leasebook.now.isoformat() == "2031-05-05T00:00:00+08:00"
    assert leasebook.given(balance=100, unit="cpu").unit
"""
FAILS = """
def test_story(leasebook):
    leasebook.given(stock={"gpu-1": 1}, balance=100, unit="gpu-1")
    leasebook.advance(hours=3)
    assert leasebook.bill().charged == 0

def test_story_of_account(leasebook_account):
    assert leasebook_account.client.describe_account().balance == 1
"""
TESTS, FAILURES = 8, 2
PROCESSES = few("2", "4")
"""Each of them imports all of the service, which takes seconds."""


def seeds() -> range:
    """One in an ordinary run; LEASEBOOK_TEST_ROUNDS says how many."""
    return range(ROUNDS)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The output of pytest for a stranger's project with the plugin, a seed each: in random order and processes."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_fails.py").write_text(FAILS)
    installed = any(one.value == "leasebook.testing.plugin" for one in entry_points(group="pytest11"))
    (folder / "pytest.ini").write_text(
        "[pytest]\nleasebook_start = 2030-01-01 00:00:00\n"
        + ("" if installed else "addopts = -p leasebook.testing.plugin\n")
    )
    ours = {"PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE"}
    variables = {name: value for name, value in os.environ.items() if name not in ours}
    found = []
    for seed in seeds():
        shuffled = ("-n", PROCESSES, "-p", "randomly", "--randomly-seed", str(seed))
        command = [sys.executable, "-m", "pytest", "-q", *shuffled]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        found.append(done.stdout + done.stderr)
    return found


@pytest.mark.slow
def test_tests_share_nothing_in_any_order_and_in_several_processes(outputs: list[str]) -> None:
    for output in outputs:
        assert f"{FAILURES} failed, {TESTS} passed" in output, output


@pytest.mark.slow
def test_a_test_that_fails_shows_the_stories_of_its_instances(outputs: list[str]) -> None:
    reports = re.split(r"^_+ (\w+) _+$", outputs[0], flags=re.MULTILINE)
    texts = dict(zip(reports[1::2], reports[2::2], strict=True))
    bought = texts["test_story"].partition("leasebook: stories of the instances")[2]
    assert re.search(r"^unit-.*is Running.*unit\.bought", bought, re.MULTILINE | re.DOTALL), outputs[0]
    nothing = texts["test_story_of_account"].partition("leasebook: stories of the instances")[2]
    assert "bought nothing" in nothing, outputs[0]


def test_the_entry_point_is_declared() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nleasebook = "leasebook.testing.plugin"\n' in text
