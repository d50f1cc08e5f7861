"""The pytest plugin, in runs of pytest of their own."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.depth import ROUNDS, few

pytest_plugins = ["pytester"]

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
TESTS = 8
PROCESSES = few("2", "4")
"""Each of them imports all of the service, which takes seconds."""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with the plugin; its pytest is as a stranger's, with random order."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    if "PYTHONDONTWRITEBYTECODE" in os.environ:
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    installed = any(one.value == "leasebook.testing.plugin" for one in entry_points(group="pytest11"))
    pytester.makeini(
        "[pytest]\nleasebook_start = 2030-01-01 00:00:00\n"
        + ("" if installed else "addopts = -p leasebook.testing.plugin\n")
    )
    return pytester


def seeds() -> range:
    """One in an ordinary run; LEASEBOOK_TEST_ROUNDS says how many."""
    return range(ROUNDS)


@pytest.mark.slow
def test_tests_share_nothing_in_any_order_and_in_several_processes(run: pytest.Pytester) -> None:
    run.makepyfile(SUITE)
    for seed in seeds():
        found = run.runpytest_subprocess("-q", "-n", PROCESSES, "-p", "randomly", "--randomly-seed", str(seed))
        found.assert_outcomes(passed=TESTS)


def test_a_test_that_fails_shows_the_stories_of_its_instances(run: pytest.Pytester) -> None:
    run.makepyfile(FAILS)
    found = run.runpytest_subprocess("-p", "no:randomly")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(
        ["*leasebook: stories of the instances*", "unit-*", "*is Running*", "*unit.bought*", "*bought nothing*"]
    )


def test_the_entry_point_is_declared() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nleasebook = "leasebook.testing.plugin"\n' in text
