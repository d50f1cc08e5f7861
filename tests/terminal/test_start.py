"""The start of the command line is quick: help loads little more than the library that reads the arguments."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MORE_MAX = 60
"""Modules that the start loads besides those of click: benchmarks/cli_start.py has the time that they take."""
SLOW = {"alembic", "asyncio", "ctypes", "httpx2", "json", "msgspec", "rich", "socket", "sqlalchemy", "sqlite3", "ssl"}
PROGRAM = """
import sys
import click
before = set(sys.modules)
from leasebook.cli.main import cli
try:
    cli.main({arguments!r}, standalone_mode=False)
finally:
    loaded = sorted(set(sys.modules) - before)
    import json
    print(json.dumps(loaded), file=sys.stderr)
"""


def loaded(*arguments: str, language: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=arguments)],
        env={"LEASEBOOK_LANG": language},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("call", "--help"), ("check", "--help")], ids=" ".join)
def test_help_loads_few_modules_and_no_slow_one(arguments: tuple[str, ...]) -> None:
    found = loaded(*arguments, language="en")
    assert len(found) <= MORE_MAX, sorted(found)
    assert {name.partition(".")[0] for name in found} & SLOW == set()


def test_chinese_loads_a_catalogue_and_hardly_a_module_more() -> None:
    assert len(loaded("--help", language="zh") - loaded("--help", language="en")) <= 6
