"""Commands with a variable that is named like a setting and is none, or with a wrong setting: they name it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.kept import CANNOT_START, run

COMMANDS = {
    "check": ("check", "--data", "DATA"),
    "migrate": ("migrate", "--data", "DATA"),
    "archive": ("archive", "--data", "DATA", "--before", "2020-01-01 00:00:00", "--to", "NEW.gz"),
    "audit": ("audit", "--data", "DATA", "--out", "NEW.csv"),
    "focus": ("focus", "--data", "DATA", "--month", "2020-01", "--out", "NEW.csv"),
    "accept-loss": ("accept-loss", "--data", "DATA"),
    "copy": ("copy", "--from", "sqlite:///DATA", "--to", "sqlite:///NEW"),
    "rotate-master-key": ("rotate-master-key", "--data", "DATA", "--wait", "1"),
    "rotate-master-key --abandon": ("rotate-master-key", "--data", "DATA", "--abandon"),
    "serve": ("serve", "--data", "DATA", "--port", "0"),
    "work": ("work", "--data", "DATA"),
}
OF_SETTINGS = sorted(COMMANDS.keys() - {"migrate", "archive", "audit", "rotate-master-key --abandon"})
"""Commands that use further settings than the store's address."""


def ended(command: str, data: Path, variable: str, value: str) -> str:
    """Run a command that must end with one line and must have made nothing; returns the line."""
    new = data.parent / "new"
    words = (word.replace("DATA", str(data)).replace("NEW", str(new)) for word in COMMANDS[command])
    before = sorted(data.parent.rglob("*"))
    result = run(*words, first=lambda: os.environ.update({variable: value}))
    assert result.code == CANNOT_START, (command, result)
    assert sorted(data.parent.rglob("*")) == before, command
    return result.line


def test_every_command_names_a_variable_that_is_no_setting(data: Path) -> None:
    for command in COMMANDS:
        line = ended(command, data, "LEASEBOOK_STROE", "postgresql://db/books")
        assert line == "leasebook: LEASEBOOK_STROE: no such setting; did you mean LEASEBOOK_STORE?", command


def test_a_command_that_uses_settings_names_one_that_is_wrong_before_it_does_anything(data: Path) -> None:
    for command in OF_SETTINGS:
        line = ended(command, data, "LEASEBOOK_BATCH_SIZE_MAX", "many")
        assert line.startswith('leasebook: LEASEBOOK_BATCH_SIZE_MAX: found "many"'), command


@pytest.mark.parametrize("command", ["check", "accept-loss"])
def test_a_file_of_the_master_key_that_is_named_wrongly_is_not_said_to_be_missing(data: Path, command: str) -> None:
    line = ended(command, data, "LEASEBOOK_MASTER_KEYFILE", "/etc/leasebook/master.key")
    assert "LEASEBOOK_MASTER_KEYFILE: no such setting; did you mean LEASEBOOK_MASTER_KEY_FILE?" in line
