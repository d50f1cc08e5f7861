"""Another program of the same user learns nothing of a server from its environment, memory or files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.attack.machine import needs
from tests.crash.fleet import MASTER_KEY, environment
from tests.crash.lone import data_of, leasebook, lone_server, root_of
from tests.depth import some
from tests.harness import ROOT_SECRET

CANNOT_START = 2
SECRETS = (MASTER_KEY.encode(), ROOT_SECRET.encode())


def _without_tracing() -> Sequence[str]:
    """Return what runs a program as this user, without the rights to look into everybody's processes."""
    if os.geteuid() != 0:
        return ()
    return (needs("setpriv"), "--bounding-set", "-sys_ptrace,-perfmon,-sys_admin", "--")


def _reads(pid: int, what: str) -> subprocess.CompletedProcess[str]:
    """Have another program of the same user open a file of a process."""
    code = f"open('/proc/{pid}/{what}', 'rb').read(1); print('read')"
    return subprocess.run(
        [*_without_tracing(), sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The pid of a server that was given its secrets in the environment."""
    with lone_server(tmp_path_factory.mktemp("host"), before=_without_tracing()) as server:
        yield server.process.pid


def test_the_environment_of_a_server_holds_no_secret_any_more(serving: int) -> None:
    shown = Path(f"/proc/{serving}/environ").read_bytes()
    assert not [secret for secret in SECRETS if secret in shown]
    assert b"LEASEBOOK_MASTER_KEY=" in shown, "the name may stay: it is how the test knows that it looks at it"


@pytest.mark.parametrize("what", ["environ", "maps", "mem"])
def test_no_program_of_the_same_user_looks_into_a_server(serving: int, what: str) -> None:
    plain = subprocess.Popen([*_without_tracing(), sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        # So it would be, if the server had not asked for the contrary.
        assert what == "mem" or _reads(plain.pid, what).stdout == "read\n"
        assert "Permission" in (refused := _reads(serving, what)).stderr, refused
    finally:
        plain.kill()
        plain.communicate()


def test_everything_that_a_server_writes_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    with lone_server(tmp_path, before=("sh", "-c", 'umask 000; exec "$@"', "sh"), tables=False) as server:
        with root_of(server) as root:
            root.call("/v2/account", "TopUpAccount", {"amount": "1"})
        for path in (data_of(tmp_path), *data_of(tmp_path).rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode & 0o077 == 0, f"{path} has mode {mode:04o}"
        names = {path.name for path in data_of(tmp_path).iterdir()}
        assert {"leasebook.db", "leasebook.db-wal", "leasebook.db-shm", "lock"} <= names


@pytest.mark.parametrize(("name", "mode", "mended"), some([("leasebook.db", 0o640, "600"), (".", 0o755, "700")], 1))
def test_a_data_directory_that_others_can_read_is_refused_with_what_mends_it(
    tmp_path: Path, name: str, mode: int, mended: str
) -> None:
    with lone_server(tmp_path) as server:
        server.stop()
    path = data_of(tmp_path) / name
    path.chmod(mode)
    done = leasebook("serve", "--data", data_of(tmp_path), "--port", "0")
    assert done.returncode == CANNOT_START
    assert f"has mode {mode:04o}" in done.stderr
    command = done.stderr.rpartition("Run: ")[2].strip()
    assert command == f"chmod {mended} {path}"
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - it is the very command that the message names
    with lone_server(tmp_path) as server:
        server.stop()


def test_backups_exports_and_archives_are_their_owners_alone(tmp_path: Path) -> None:
    with lone_server(tmp_path, "--demo") as server:
        server.stop()
    data, folder = data_of(tmp_path), tmp_path / "out"
    folder.mkdir()
    for command in (
        ("backup", "--data", data, "--to", folder / "backup.db"),
        ("archive", "--data", data, "--before", "2020-01-01 00:00:00", "--to", folder / "old.jsonl.gz"),
        ("audit", "--data", data, "--out", folder / "audit.csv"),
        ("focus", "--data", data, "--month", "2026-01", "--out", folder / "costs.csv"),
    ):
        done = leasebook(*command)
        # Nothing was charged or called here: the files are there, have no rows, and the exit code says so.
        assert done.returncode == (0 if command[0] == "backup" else 4), (command, done.stderr)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert found == dict.fromkeys(("backup.db", "old.jsonl.gz", "audit.csv", "costs.csv"), 0o600)


def test_an_address_with_a_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = "swordfish99"
    address = f"postgresql://somebody:{secret}@127.0.0.1:1/nothing"
    file = tmp_path / "store"
    file.write_text(f"{address}\n")
    for more in ({"LEASEBOOK_STORE": address}, {"LEASEBOOK_STORE_FILE": str(file)}):
        done = leasebook("check", "--data", tmp_path / "data", variables=environment() | more)
        assert done.returncode == CANNOT_START
        assert "127.0.0.1" in done.stderr, "that database was asked"
        assert secret not in done.stderr
    done = leasebook("check", "--data", tmp_path / "data", "--store", address)
    assert "every user of this machine can read a command line" in done.stderr
    assert secret not in done.stderr
