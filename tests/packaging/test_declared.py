"""The sources import the packages that pyproject.toml declares, and the pinned lists and the linter follow it."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache

from trove_classifiers import classifiers

from leasebook.cli.main import cli
from leasebook.cli.server_packages import MODULES, ServerCommand
from tests.packaging.declared import ROOT, distributions_of_modules, modules, names, needs, pyproject

SOURCES = ROOT / "src" / "leasebook"
CLIENT = "The contract and the commands for callers need no package of the server"
OPTIONAL = {"pyarrow": "focus", "pynvml": "gpu", "pytest": "testing", "ray": "ray"}
"""Modules that may be missing at run time, each with the extra that brings it."""
WHERE_CODE_IS_CHANGED = {"babel"}
"""Packages of the generator of pages, which runs where the code is changed (requirements/dev.in)."""
LIKE_AN_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
READ_BY_PYTHON = {"tzdata"}
"""Packages that only Python's own library opens."""


@cache
def imported() -> frozenset[str]:
    """The first names of everything that the sources import from outside."""
    found: set[str] = set()
    ours = sys.stdlib_module_names | {"leasebook"}
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        # Only a file with a name that is new so far is parsed: a line that begins like an import may be a sentence.
        if not set(LIKE_AN_IMPORT.findall(text)) - ours - found:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return frozenset(found - ours)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    declared = names(needs()) | names(needs("server"))
    by = {
        name: distributions_of_modules().get(name, {name})
        for name in imported() - OPTIONAL.keys() - WHERE_CODE_IS_CHANGED
    }
    assert [name for name, of in by.items() if not of & declared] == []
    assert declared - set().union(*by.values()) == READ_BY_PYTHON


def test_modules_that_may_be_missing_have_an_extra() -> None:
    assert set(OPTIONAL) <= imported()
    assert all("leasebook[server]" in needs(extra) for extra in OPTIONAL.values())


def test_callers_need_the_contract_one_http_library_and_what_a_command_line_reads_and_writes() -> None:
    assert names(needs()) == {"click", "httpx2", "jmespath", "msgspec", "pyyaml", "rich"}


def test_only_the_commands_for_callers_go_without_the_packages_of_the_server() -> None:
    """``tour`` needs them where it starts a server of its own, ``doctor`` for a server's set-up; both say so."""
    others = {name: command for name, command in cli.commands.items() if not isinstance(command, ServerCommand)}
    ours = {"apply", "call", "doctor", "export", "sign", "tour"}
    assert ours <= others.keys()
    for name in others.keys() - ours:
        assert type(others[name]).__module__.startswith("leasebook.cli.commands."), name


def test_the_command_line_knows_the_packages_of_the_server() -> None:
    declared = names(needs("server"))
    assert set(MODULES) <= modules(declared)
    assert {name for module in MODULES for name in distributions_of_modules()[module]} >= declared


def test_the_linter_forbids_clients_the_packages_of_the_server() -> None:
    contracts = {one["name"]: one for one in pyproject()["tool"]["importlinter"]["contracts"]}
    forbidden = set(contracts[CLIENT]["forbidden_modules"])
    assert set(MODULES) <= forbidden
    assert not forbidden & modules(names(needs()))


def test_indexes_can_file_the_package() -> None:
    project = pyproject()["project"]
    assert set(project["classifiers"]) <= classifiers
    assert ("Typing :: Typed" in project["classifiers"]) == (SOURCES / "py.typed").exists()
    assert project["urls"]
    assert all(url.startswith("https://") for url in project["urls"].values())
    assert project["keywords"] == sorted(set(project["keywords"]))


def listed(name: str) -> set[str]:
    """Return the packages that a list of requirements asks for."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    return names(line for line in lines if line and not line.startswith(("#", "-")))


def pinned(name: str) -> set[tuple[str, str]]:
    """The versions that a list pins."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return set(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))


def test_the_pinned_lists_ask_for_what_is_declared() -> None:
    assert listed("client") == names(needs())
    assert listed("server") == names(needs()) | names(needs("server"))
    for name in ("client", "server"):
        assert listed(name) <= {package for package, _ in pinned(name)}, "run make lock"


def test_clients_and_servers_are_pinned_alike() -> None:
    assert pinned("client") < pinned("server")
