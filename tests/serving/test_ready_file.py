"""The report that programs get of a server that they have started: in a file, or on standard output."""

from __future__ import annotations

import json
import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from leasebook.client import Client
from leasebook.server.ready_file import Announcer, ReadyReport
from tests import forked
from tests.copies import put_tables

REPORT = ReadyReport(
    url="http://127.0.0.1:1",
    admin_url=None,
    access_key="AK",
    secret_key=None,
    credentials_file=None,
    clock="virtual",
    store="data",
)


def environment(**more: str) -> dict[str, str]:
    return {**{name: text for name, text in os.environ.items() if not name.startswith("LEASEBOOK_")}, **more}


@contextmanager
def serving(folder: Path, *options: str, **more: str) -> Iterator[tuple[forked.Forked, Path]]:
    """A server that was just started; gives its process, and the file that has its standard output."""
    output = folder / "output"
    with output.open("wb") as told:
        arguments = ["serve", "--data", str(folder / "data"), "--port", "0", "--clock", "virtual", *options]
        process = forked.Forked(arguments, env=environment(**more), stdout=told.fileno(), stderr=told.fileno())
    try:
        yield process, output
    finally:
        process.kill()
        process.wait(60)


def names_in(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def when_there(file: Path, process: forked.Forked) -> Any:
    until = time.monotonic() + 60
    while not file.exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    return json.loads(file.read_bytes())


def test_a_program_reads_address_and_keys_from_the_ready_file_and_calls(tmp_path: Path) -> None:
    put_tables(tmp_path / "data")
    file = tmp_path / "ready.json"
    file.write_text("of an earlier server that was killed")
    with serving(tmp_path, "--ready-file", str(file)) as (process, output):
        until = time.monotonic() + 60
        while file.exists() and file.read_text().startswith("of"):
            assert time.monotonic() < until
            time.sleep(0.01)
        found = when_there(file, process)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert (found["pid"], found["clock"], found["adminUrl"]) == (process.pid, "virtual", None)
        credentials = Path(found["credentialsFile"]).read_text()
        assert found["accessKey"] in credentials
        assert found["secretKey"] in credentials
        # The file comes when the server serves: the first call is answered.
        with Client(found["url"], found["accessKey"], found["secretKey"]) as client:
            assert client.describe_clock().mode == "virtual"
        assert "Leasebook serves on" in output.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not file.exists()
    assert names_in(tmp_path) == {"output", "data"}


def test_the_json_is_all_that_is_printed_and_has_no_secret_that_this_start_did_not_make(tmp_path: Path) -> None:
    put_tables(tmp_path / "data")
    keys = {"LEASEBOOK_ROOT_ACCESS_KEY": "AKGIVEN", "LEASEBOOK_ROOT_SECRET_KEY": "a-secret-of-the-environment"}
    with serving(tmp_path, "--print-json", **keys, LEASEBOOK_LOG_LEVEL="error") as (process, output):
        until = time.monotonic() + 60
        while not output.read_text():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        found = json.loads(output.read_text())
        assert (found["accessKey"], found["secretKey"], found["credentialsFile"]) == ("AKGIVEN", None, None)
        with Client(found["url"], "AKGIVEN", keys["LEASEBOOK_ROOT_SECRET_KEY"]) as client:
            assert client.describe_clock().mode == "virtual"


def test_a_virtual_clock_begins_where_it_is_wanted_and_goes_on_from_there_at_the_next_start(tmp_path: Path) -> None:
    put_tables(tmp_path / "data")
    file, start = tmp_path / "ready.json", ("--clock-start", "2030-01-31 23:00:00")
    for shown in ("2030-01-31T23:00:00+08:00", "2030-02-01T00:00:00+08:00"):
        with serving(tmp_path, "--ready-file", str(file), *start) as (process, _):
            found = when_there(file, process)
            secret = found["secretKey"] or Path(found["credentialsFile"]).read_text().rpartition("=")[2].strip()
            with Client(found["url"], found["accessKey"], secret) as client:
                assert client.describe_clock().now.isoformat() == shown
                client.advance_clock(to="2030-02-01 00:00:00")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--clock", "real", "--clock-start", "2030-01-01 00:00:00"), "--clock virtual"),
        (("--clock", "virtual", "--clock-start", "tomorrow"), "--clock-start: 'tomorrow' is neither"),
    ],
)
def test_a_start_of_the_clock_that_cannot_be_is_refused(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    done = forked.run(["serve", "--data", str(tmp_path / "data"), "--port", "0", *options], env=environment())
    assert done.returncode == 2
    assert said in done.stderr
    assert names_in(tmp_path) == set()


def test_a_ready_file_where_none_can_be_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    arguments = ["serve", "--data", str(tmp_path / "data"), "--port", "0", "--ready-file", str(tmp_path / "no" / "f")]
    done = forked.run(arguments, env=environment())
    assert done.returncode == 2
    assert "--ready-file" in done.stderr
    assert "No such file or directory" in done.stderr
    assert names_in(tmp_path) == set()


def test_the_file_appears_whole_and_leaves_another_servers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ready"
    first, second = Announcer(file), Announcer(file)
    first.prepare()
    seen: list[bool] = []
    mkstemp = tempfile.mkstemp

    def watched(**named: Any) -> tuple[int, str]:
        seen.append(file.exists())
        return mkstemp(**named)

    monkeypatch.setattr(tempfile, "mkstemp", watched)
    first.ready(REPORT)
    second.ready(REPORT)
    assert seen == [False, True]
    first.over()
    assert file.exists()
    second.over()
    assert names_in(tmp_path) == set()
