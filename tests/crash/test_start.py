"""A start that fails says the reason in one line, and has touched nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from leasebook.security.private_files import create_private
from tests.crash.fleet import environment
from tests.crash.lone import data_of, leasebook, lone_server
from tests.ports import free_port

CANNOT_START = 2
DATABASE = "leasebook.db"
KEY_FILE = "master.key"


def _without_key() -> dict[str, str]:
    """Return an environment in which the master key comes from its file."""
    return {name: value for name, value in environment().items() if name != "LEASEBOOK_MASTER_KEY"}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was founded, served and stopped, with its master key in a file."""
    folder = tmp_path_factory.mktemp("founded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.crash.fleet.environment", _without_key)
        with lone_server(folder, "--demo") as server:
            server.stop()
    return data_of(folder)


@pytest.fixture
def data(founded: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be spoiled."""
    copy = tmp_path / "data"
    shutil.copytree(founded, copy)
    return copy


def _contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Return everything that is in a folder: names, modes, and digests of their content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


def _refuses(
    folder: Path, *arguments: str | Path, says: str, variables: Mapping[str, str] | None = None, port: int | None = None
) -> None:
    """Fail unless the server says that in one line, ends with its code for it, and leaves the folder as it was."""
    before = _contents(folder)
    place = ("serve", "--port", str(free_port() if port is None else port))
    done = leasebook(*place, *arguments, variables=_without_key() if variables is None else variables)
    assert done.returncode == CANNOT_START, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("leasebook: ")
    assert says in line, line
    assert _contents(folder) == before


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        _refuses(tmp_path, "--data", tmp_path / "new", says=f"127.0.0.1:{port}: Address already in use", port=port)


def test_a_second_server_keeps_off_the_data_of_the_first(tmp_path: Path) -> None:
    with lone_server(tmp_path) as first:
        data = data_of(tmp_path)
        before = {name: mode for name, (mode, _) in _contents(data).items()}
        done = leasebook("serve", "--data", data, "--port", str(free_port()))
        assert done.returncode == CANNOT_START
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"leasebook: Another server works on the data directory {data}")
        assert {name: mode for name, (mode, _) in _contents(data).items()} == before
        assert first.is_ready()
        first.stop()


def test_a_store_of_a_newer_version_is_left_alone(data: Path) -> None:
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    _refuses(data, "--data", data, says="written by a newer version of leasebook (schema 9999")


def test_a_database_file_of_something_else_is_left_alone(data: Path) -> None:
    (data / DATABASE).write_bytes(b"\xb5" * 100_000)
    _refuses(data, "--data", data, says="not a database")


def test_a_database_file_that_was_cut_off_is_left_alone(data: Path) -> None:
    os.truncate(data / DATABASE, 10_000)
    _refuses(data, "--data", data, says=str(data / DATABASE))


def test_a_damaged_master_key_is_left_alone(data: Path) -> None:
    (data / KEY_FILE).write_text("not a key\n")
    _refuses(data, "--data", data, says="this is not a master key (not shown)")


def test_a_master_key_that_others_can_read_is_refused(data: Path) -> None:
    (data / KEY_FILE).chmod(0o644)
    _refuses(data, "--data", data, says=f"{KEY_FILE} has mode 0644: others")


def test_a_master_key_that_is_gone_is_not_made_anew(data: Path) -> None:
    (data / KEY_FILE).unlink()
    _refuses(data, "--data", data, says="there is no master key")


def test_the_master_key_of_another_store_is_refused(data: Path) -> None:
    variables = {**_without_key(), "LEASEBOOK_MASTER_KEY": "0123456789abcdef" * 4}
    _refuses(data, "--data", data, says="this is not the master key of this store", variables=variables)


def test_a_store_is_not_served_under_another_kind_of_clock(data: Path, tmp_path: Path) -> None:
    _refuses(data, "--data", data, "--clock", "virtual", says="founded with --clock real")
    with lone_server(tmp_path, "--clock", "virtual") as server:
        server.stop()
    virtual = data_of(tmp_path)
    _refuses(virtual, "--data", virtual, says="founded with --clock virtual", variables=environment())


def test_a_file_in_the_place_of_the_data_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something")
    _refuses(tmp_path, "--data", tmp_path / "file" / "data", says="Not a directory")


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that nothing can be written into."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    yield folder
    folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(closed_folder: Path) -> None:
    _refuses(closed_folder, "--data", closed_folder / "data", says="Permission denied")


def test_a_bad_line_of_the_settings_is_named(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('currency = "CNY"\n\n[server]\ndrain_seconds = "soon"\n')
    new = tmp_path / "new"
    _refuses(tmp_path, "--data", new, "--config", settings, says=f"{settings}, line 4: server.drain_seconds")


def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    variables = {**environment(), "LEASEBOOK_DRIAN_SECONDS": "5"}
    _refuses(tmp_path, "--data", tmp_path / "new", says="LEASEBOOK_DRIAN_SECONDS", variables=variables)


def test_a_root_key_without_its_secret_is_refused(tmp_path: Path) -> None:
    variables = {name: value for name, value in environment().items() if name != "LEASEBOOK_ROOT_SECRET_KEY"}
    _refuses(tmp_path, "--data", tmp_path / "new", says="LEASEBOOK_ROOT_SECRET_KEY", variables=variables)


def test_a_store_that_no_version_knows_is_named_without_its_password(tmp_path: Path) -> None:
    url = "mysql://somebody:hunter2@nowhere/leasebook"
    _refuses(tmp_path, "--data", tmp_path / "new", "--store", url, says="mysql://…")


def test_the_database_of_another_program_is_left_alone(data: Path) -> None:
    (data / DATABASE).unlink()
    create_private(data / DATABASE)
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        connection.execute("CREATE TABLE units (name TEXT)")
    _refuses(data, "--data", data, says="is the database of another program")
