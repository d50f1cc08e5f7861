"""Callers load little: the contract needs msgspec, and the commands that sign and call one HTTP library besides."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.depth import some
from tests.packaging.declared import closure, modules, needs

KEYS = ["--access-key", "AKEXAMPLE", "--secret-key", "secret-of-the-example"]
PROGRAM = """
import json, sys
before = set(sys.modules)
try:
    {code}
finally:
    print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""
COMMAND = "from leasebook.cli.main import cli; cli.main({arguments!r}, standalone_mode=False)"
CONTRACT = """
    import importlib, pkgutil, leasebook.contract as contract
    for one in pkgutil.walk_packages(contract.__path__, "leasebook.contract."):
        importlib.import_module(one.name)
"""
USED_WHERE_IT_IS = {"typing_extensions"}
"""msgspec takes it where it is installed, and does not need it."""
PURE = {"leasebook.addressing", "leasebook.cli", "leasebook.client", "leasebook.contract", "leasebook.translations"}
LISTED_BY_THE_COMMAND = {
    "leasebook.domain.values.wording",
    "leasebook.export.csv_table",
    "leasebook.export.focus",
    "leasebook.export.focus.versions",
    "leasebook.security.private_files",
    "leasebook.server.signals",
}
"""Modules that the other subcommands import at their top; each of them needs Python's own library only."""


def loaded(code: str) -> tuple[set[str], set[str]]:
    """Run code in a fresh interpreter: the first names of what it loaded from outside, and the modules of our own."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code.strip())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    found = set(json.loads(ran.stderr.splitlines()[-1]))
    ours = {name for name in found if name.partition(".")[0] == "leasebook"}
    outside = {name.partition(".")[0] for name in found - ours} - sys.stdlib_module_names
    return {name for name in outside if not name.startswith("_")}, ours


def test_the_contract_imports_msgspec_and_nothing_else() -> None:
    outside, ours = loaded(CONTRACT)
    assert outside - USED_WHERE_IT_IS == {"msgspec"}
    assert {".".join(name.split(".")[:2]) for name in ours} == {"leasebook", "leasebook.contract"}
    assert "leasebook.contract.nouns.instance" in ours


def of_clients(ours: set[str]) -> set[str]:
    """The modules of our own that a client has no use for."""
    packages = {".".join(name.split(".")[:end]) for name in LISTED_BY_THE_COMMAND for end in range(1, 5)}
    return {name for name in ours if name not in packages and ".".join(name.split(".")[:2]) not in {"leasebook", *PURE}}


def test_signing_loads_no_http_library() -> None:
    outside, ours = loaded(COMMAND.format(arguments=["sign", "/v2/computeunit", "DescribeComputeUnits", "{}", *KEYS]))
    assert outside <= modules(closure(["click", "msgspec"])) | USED_WHERE_IT_IS
    assert of_clients(ours) == set()


class EmptyObjectHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_calling_loads_one_http_library_and_what_that_needs() -> None:
    with HTTPServer(("127.0.0.1", 0), EmptyObjectHandler) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        arguments = ["call", "/v2/computeunit", "DescribeComputeUnits", "{}", "--url", url, *KEYS]
        outside, ours = loaded(COMMAND.format(arguments=arguments))
        thread.join(30)
    assert outside <= modules(closure(needs()))
    assert "httpx2" in outside
    assert of_clients(ours) == set()


def test_a_caller_s_set_up_is_looked_at_without_the_server() -> None:
    arguments = ["doctor", "--url", "http://127.0.0.1:9", *KEYS]
    code = f"import contextlib\n    with contextlib.suppress(SystemExit): {COMMAND.format(arguments=arguments)}"
    outside, ours = loaded(code)
    assert outside <= modules(closure(needs()))
    assert {name for name in of_clients(ours) if not name.startswith("leasebook.client")} == set()


def test_a_server_does_not_load_what_only_other_settings_need() -> None:
    """The driver of PostgreSQL, what speaks with an identity provider, and what migrates a store."""
    outside, _ = loaded("import leasebook.server.serve, leasebook.store.sqlite.store")
    assert {"cryptography", "starlette", "uvicorn"} <= outside
    assert outside & {"alembic", "httpx2", "joserfc", "psycopg", "sqlalchemy"} == set()


@pytest.mark.parametrize("module", some(["leasebook.store.opening", "leasebook.domain.rules.lifecycle"], 1))
def test_a_module_of_the_server_is_found(module: str) -> None:
    assert of_clients(loaded(f"import {module}")[1]) != set()
