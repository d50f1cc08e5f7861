"""Each command of the tutorial and of the page about the shell is run as it is printed, apart from ``login``."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer, running
from tests.style.repository import ROOT

PAGE = ROOT / "docs" / "how-to" / "buy-and-release-from-the-shell.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "first-release.md"
LINE = re.compile(
    r"(?:(?P<keeps>\w+)=\$\()?(?:(?P<pipe>echo|printenv) (?P<given>.+?) \| )?(?:(?P<variable>[A-Z_]+)=(?P<value>\w+) )?"
    r"leasebook (?P<arguments>.+?)\)?$"
)
INTERACTIVE = {"leasebook login", 'eval "$(leasebook completion bash)"'}
"""Lines that other tests run in a real terminal."""
SETTING_UP = ("set -a;", "export ", "make ", ".venv/bin/leasebook serve ")


def commands_of(page: Path) -> list[str]:
    lines = re.findall(r"^    (.+)$", page.read_text(), re.MULTILINE)
    return [line for line in lines if line not in INTERACTIVE and not line.startswith(SETTING_UP)]


def run_all(lines: list[str], run: Run, kept: dict[str, str]) -> dict[str, str]:
    """Run commands with the variables that they keep; returns the last answer of each."""
    answers = {}
    for line in lines:
        found = LINE.fullmatch(line)
        assert found is not None, line
        arguments = re.sub(r"\$(\w+)", lambda name: kept[name[1]], found["arguments"])
        given = {None: "", "printenv": kept.get(found["given"] or "", ""), "echo": (found["given"] or "").strip("'")}
        variables = {found["variable"]: found["value"]} if found["variable"] else {}
        answer = run(*shlex.split(arguments), given=given[found["pipe"]], **variables).stdout
        answers[found["arguments"]] = answer
        if found["keeps"]:
            kept[found["keeps"]] = answer.strip()
    return answers


def test_each_command_of_the_page_runs(
    run: Run, server: ConformanceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "limits.json").write_text('{"budget": "1000000"}')
    kept = {"ADDRESS": server.base_url, "CI_KEY": ACCESS_KEY, "CI_SECRET": SECRET_KEY}
    assert len(run_all(commands_of(PAGE), run, kept)) > 20
    assert kept["unit"].startswith("unit-")


def test_the_tutorial_leads_to_the_bill_that_it_promises(run: Run, tmp_path: Path) -> None:
    kept: dict[str, str] = {}
    # The demo has an instance, which would be charged for each hour until 2030.
    start = ("--clock", "virtual", "--clock-start", "2030-01-15 00:00:00")
    with running("sqlite", tmp_path, *start) as fresh:
        here = {"LEASEBOOK_CLIENT_URL": fresh.base_url}
        answers = run_all(commands_of(TUTORIAL), lambda *given, **more: run(*given, **here, **more), kept)
    shown = json.loads(answers["units show $unit"])["computeUnitInstance"]
    assert (shown["status"], shown["totalComputeUnits"]) == ("Released", 3)
    postings = [
        one for one in json.loads(answers["bill postings"])["postings"] if one.get("instanceId") == kept["unit"]
    ]
    assert [(one["minutes"], one["amount"]) for one in postings] == [(31, "46.50"), (60, "90.00")]
    assert "90.00 at nine o'clock and 46.50 at the release" in TUTORIAL.read_text()
