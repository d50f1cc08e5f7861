"""A single file of a data directory that its user may not open: one line that names the file, from every command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leasebook.store.sqlite.directory import INDEX, LOCK, LOG, MARK, STORE
from tests.faults.kept import CANNOT_START, run

USER = 64_321
KEY = "master.key"
CONTENT = (STORE, LOG, INDEX, MARK)
COMMANDS = {
    "serve": (("serve", "--port", "0"), (*CONTENT, KEY, LOCK, "replicas", "replicas/home")),
    "migrate": (("migrate",), (*CONTENT, LOCK)),
    "check": (("check",), (*CONTENT, KEY)),
    "backup": (("backup", "--to", "copied.db"), CONTENT),
    "archive": (("archive", "--before", "2020-01-01 00:00:00", "--to", "old.gz"), CONTENT),
    "rotate-master-key": (("rotate-master-key",), (*CONTENT, KEY)),
    "accept-loss": (("accept-loss",), (*CONTENT, KEY, LOCK)),
}
"""Of each command the files that it opens."""
CASES = [(command, name) for command, (_, names) in COMMANDS.items() for name in names]


def give(data: Path) -> None:
    """Give a data directory to the user, with everything in it."""
    for path in (data.parent, data, *data.rglob("*")):
        os.chown(path, USER, USER)


def become(folder: Path) -> None:
    """Be that user from now on, in a folder that is the user's own."""
    os.chdir(folder)
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("command", "name"), CASES)
def test_a_file_that_may_not_be_opened_is_named_with_what_mends_it(crashed: Path, command: str, name: str) -> None:
    give(crashed)
    path = crashed / name
    path.chmod(0)
    whose = "user 64321", "Run: chmod"
    # The other kind on every second file: what differs is the end of the line.
    if CASES.index((command, name)) % 2:
        os.chown(path, 0, 0)
        whose = "user root", "run as root: chown 64321"
    there = set(crashed.parent.rglob("*"))
    ended = run(*COMMANDS[command][0], "--data", crashed, first=lambda: become(crashed.parent))
    assert ended.code == CANNOT_START, ended
    assert ended.line.startswith("leasebook: ")
    assert "\n" not in ended.line
    for words in (f"may not read {path}", f"may not read and write {path}"):
        if words in ended.line:
            break
    else:
        pytest.fail(ended.line)
    assert f"belongs to {whose[0]} and has mode 0000" in ended.line
    assert whose[1] in ended.line
    assert set(crashed.parent.rglob("*")) <= there, "nothing is left of it"
