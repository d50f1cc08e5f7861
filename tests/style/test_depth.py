"""A deep run has the tests that an ordinary one leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests import depth
from tests.style.repository import ROOT

CONFTEST = """
    import pytest

    from tests.depth import left_to_deep_runs


    def pytest_collection_modifyitems(items):
        left = left_to_deep_runs(items)
        items[:] = [item for item in items if item not in left]


    @pytest.fixture(params=["sqlite", "postgres"])
    def either(request):
        return request.param
"""
MODULE = """
    import pytest

    from tests.depth import some


    def test_first(either): ...
    def test_second(either): ...
    @pytest.mark.parametrize("kind", ["postgres"])
    def test_of_one_store(kind): ...
    @pytest.mark.both_stores
    def test_of_stores(either): ...
    @pytest.mark.deep
    def test_deep(): ...
    @pytest.mark.parametrize("number", some(range(9), 3))
    def test_numbers(number): ...
"""
ALWAYS = {
    *("test_first[sqlite]", "test_first[postgres]", "test_second[sqlite]", "test_of_one_store[postgres]"),
    *("test_of_stores[sqlite]", "test_of_stores[postgres]"),
    *(f"test_numbers[{number}]" for number in (0, 4, 8)),
}
DEEP = {"test_second[postgres]", "test_deep", *(f"test_numbers[{number}]" for number in (1, 2, 3, 5, 6, 7))}
BY_MARKS = {"test_first[postgres]"}
"""A suite with marks leaves these out, too."""


def of_two(api: set[str], gateway: set[str]) -> set[str]:
    return {f"api/{name}" for name in api} | {f"gateway/{name}" for name in gateway}


@pytest.mark.parametrize(
    ("rounds", "expected"), [("", of_two(ALWAYS - BY_MARKS, ALWAYS)), ("1", of_two(ALWAYS | DEEP, ALWAYS | DEEP))]
)
def test_an_ordinary_run_leaves_out_what_a_deep_one_has(tmp_path: Path, rounds: str, expected: set[str]) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    deep\n    both_stores\naddopts = --import-mode=importlib\n"
    )
    (tmp_path / "conftest.py").write_text(textwrap.dedent(CONFTEST))
    for suite in ("api", "gateway"):
        (tmp_path / suite).mkdir()
        (tmp_path / suite / "test_module.py").write_text(textwrap.dedent(MODULE))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "--strict-markers", "-p", "no:randomly"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LEASEBOOK_TEST_ROUNDS": rounds},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {line.replace("/test_module.py::", "/") for line in done.stdout.splitlines() if "::" in line}
    assert collected == expected


def test_some_are_the_first_the_last_and_some_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "IS_DEEP", False)
    assert depth.some("abcdefg", 3) == ["a", "d", "g"]
    assert depth.some("abcdefg", 1) == ["a"]
    assert depth.some("ab", 3) == ["a", "b"]
    assert depth.few("a", "b") == "a"
    monkeypatch.setattr(depth, "IS_DEEP", True)
    assert depth.some("abc", 1) == ["a", "b", "c"]
    assert depth.few("a", "b") == "b"
