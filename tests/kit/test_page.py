"""The programs of the page about tests run as they are printed."""

from __future__ import annotations

import re
from importlib.metadata import entry_points

import pytest

from leasebook.contract.nouns.fault.faults import FaultKind
from leasebook.testing import Leasebook, __all__
from tests.style.repository import ROOT

pytest_plugins = ["pytester"]

PAGE = (ROOT / "docs" / "how-to" / "test-your-code.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    tests = [program for program in PROGRAMS if "def test_" in program]
    pytester.makepyfile(**{f"test_{number}": program for number, program in enumerate(tests)})
    installed = any(one.value == "leasebook.testing.plugin" for one in entry_points(group="pytest11"))
    options = [] if installed else ["-p", "leasebook.testing.plugin"]
    # In this process, which has imported the service already.
    pytester.runpytest_inprocess("-q", "-p", "no:randomly", *options).assert_outcomes(passed=len(tests))


def test_the_other_programs_print_what_they_are_about(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = (program for program in PROGRAMS if "def test_" not in program)
    exec(program, {"__name__": "__main__"})  # noqa: S102 - as the page has it
    # Where another test of this process has set structlog up, the kit leaves that as it is, and its lines come too.
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("2030-")]
    assert printed == ["2030-02-01T07:00:00+08:00 96.00", "2030-01-31T23:00:00+08:00 0"]


def test_the_seed_of_the_page_is_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    (seed,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path_factory.mktemp("seed") / "seed.json"
    file.write_text(seed)
    with Leasebook(seed=file) as service:
        assert len(list(service.client.each_of_units())) == 1


def test_the_page_names_every_public_name_and_every_fault() -> None:
    methods = [name for name in vars(Leasebook) if not name.startswith("_")]
    kinds = FaultKind.__args__  # type: ignore[attr-defined]
    missing = [name for name in (*__all__, *methods, *kinds) if not re.search(rf"\b{name}\b", PAGE)]
    assert missing == []
