"""Each command of the page about the shell is run as it is printed, apart from the questions of ``login``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.commands.conftest import Run
from tests.conformance.server import ACCESS_KEY, SECRET_KEY, ConformanceServer
from tests.style.repository import ROOT

PAGE = ROOT / "docs" / "how-to" / "buy-and-release-from-the-shell.md"
LINES = re.findall(r"^    (.+)$", PAGE.read_text(), re.MULTILINE)
LINE = re.compile(
    r"(?:(?P<keeps>\w+)=\$\()?(?:(?P<pipe>echo|printenv) (?P<given>.+?) \| )?(?:(?P<variable>[A-Z_]+)=(?P<value>\w+) )?"
    r"leasebook (?P<arguments>.+?)\)?$"
)
INTERACTIVE = {"leasebook login", 'eval "$(leasebook completion bash)"'}
"""Lines that other tests run in a real terminal."""


def test_each_command_of_the_page_runs(
    run: Run, server: ConformanceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "limits.json").write_text('{"budget": "1000000"}')
    kept = {"ADDRESS": server.base_url, "CI_KEY": ACCESS_KEY, "CI_SECRET": SECRET_KEY}
    ran = 0
    for line in LINES:
        if line in INTERACTIVE:
            continue
        found = LINE.fullmatch(line)
        assert found is not None, line
        arguments = re.sub(r"\$(\w+)", lambda name: kept[name[1]], found["arguments"])
        given = {None: "", "printenv": kept.get(found["given"] or "", ""), "echo": (found["given"] or "").strip("'")}
        variables = {found["variable"]: found["value"]} if found["variable"] else {}
        answer = run(*shlex.split(arguments), given=given[found["pipe"]], **variables).stdout
        if found["keeps"]:
            kept[found["keeps"]] = answer.strip()
        ran += 1
    assert ran > 20
    assert kept["unit"].startswith("unit-")
