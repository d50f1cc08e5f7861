"""Starts the programs of the official clients and reads what they say, one call a line."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.conformance.server import ACCESS_KEY, SECRET_KEY
from tests.conformance.toolchains import Toolchain

RUN_SECONDS_MAX = 120
# Nothing else of the caller's environment reaches a client: it may hold real keys, addresses and proxies.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "JAVA_HOME", "TMPDIR")


@dataclass(frozen=True, slots=True)
class ProgramAnswer:
    """The result of one call, as the client showed it to its user."""

    call: str
    ok: bool
    result: Any
    request_id: str
    error: str
    kind: str

    @classmethod
    def read(cls, line: str) -> Self:
        said = json.loads(line)
        texts = {field: said.get(name) or "" for field, name in _TEXTS.items()}
        return cls(call=said["call"], ok=said["ok"], result=said.get("result"), **texts)


_TEXTS = {"request_id": "requestId", "error": "error", "kind": "kind"}


@dataclass(frozen=True, slots=True)
class Program:
    """The program of one official client, speaking to one server."""

    toolchain: Toolchain
    base_url: str
    folder: Path

    @property
    def name(self) -> str:
        return self.toolchain.name

    def start(self, scenario: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (*self.toolchain.command, scenario, *arguments),
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, scenario: str, *arguments: str) -> Mapping[str, ProgramAnswer]:
        """Everything that the scenario called, by the name that it gives each call."""
        return {answer.call: answer for answer in finish([self.start(scenario, *arguments)])}

    def run_each(self, *scenarios: str) -> Mapping[str, Mapping[str, ProgramAnswer]]:
        """Run several scenarios one after another in one process; returns the calls of each, by the scenario's name."""
        found: dict[str, dict[str, ProgramAnswer]] = {}
        for answer in finish([self.start("+".join(scenarios))]):
            if answer.call:
                found[list(found)[-1]][answer.call] = answer
            else:
                found[answer.result] = {}
        assert list(found) == list(scenarios)
        return found

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        keys = {"QIANFAN_ACCESS_KEY": ACCESS_KEY, "QIANFAN_SECRET_KEY": SECRET_KEY}
        return {**kept, **keys, self.toolchain.base_url_variable: self.base_url}


def finish(started: Iterable[subprocess.Popen[str]]) -> list[ProgramAnswer]:
    """Waits for programs that run side by side, and reads all that they said."""
    return [
        ProgramAnswer.read(line) for said in [_output(process) for process in started] for line in said.splitlines()
    ]


def _output(process: subprocess.Popen[str]) -> str:
    with process:
        try:
            out, err = process.communicate(timeout=RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, f"{process.args!r} ended with {process.returncode}\n{out}\n{err}"
    return out
