"""The faults of an operator's set-up, each made on a real store and a real machine, on either store."""

# ruff: noqa: RUF001 - Chinese

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from leasebook.cli.doctor import caller
from leasebook.contract.policies import READ
from leasebook.store.opening import Target
from leasebook.store.sqlite.directory import STORE
from tests.copies import STORES, copy_of, empty
from tests.crash.lone import data_of, lone_server
from tests.doctor.asking import found, said
from tests.faults.moved_clock import MovedClock
from tests.harness import Client, a_service
from tests.ports import free_port
from tests.postgres import PostgresServer

pytestmark = pytest.mark.mostly_embedded

GOOD = {"LEASEBOOK_ENGINES": "*=instant"}
"""An engine that needs nothing of this machine. On a virtual clock nothing has to run."""
OF_SERVERS = frozenset({"PortTaken", "DirectoryInUse", "SecondServer"})
IAM, UNITS, ACCOUNT = "/v2/iam", "/v2/computeunit", "/v2/account"


async def _live(where: Target) -> list[str]:
    """Let a store have a user without policies, a disabled key, and an account in arrears; returns the keys."""
    async with a_service(where, demo=True) as root:
        user = (await root.call(IAM, "CreateUser", {"name": "bare"})).result["userId"]
        bare = (await root.call(IAM, "CreateAccessKey", {"userId": user})).result["accessKeyId"]
        other = (await root.call(IAM, "CreateUser", {"name": "gone"})).result["userId"]
        await root.call(IAM, "AttachPolicy", {"userId": other, "policyName": READ})
        gone = (await root.call(IAM, "CreateAccessKey", {"userId": other})).result["accessKeyId"]
        await root.call(IAM, "DisableAccessKey", {"accessKeyId": gone})
        return [bare, gone]


class Lived:
    """A store that a service has worked on, and keys of it."""

    def __init__(self, where: Target, keys: list[str]) -> None:
        self.where = where
        self.without_policies, self.disabled = keys


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        yield Lived(where, asyncio.run(_live(where)))


@pytest.fixture
def where(lived: Lived, tmp_path: Path) -> Iterator[Target]:
    with copy_of(lived.where, tmp_path / "data") as copy:
        yield copy


def doctor(where: Target, *more: str | Path, **variables: str) -> dict[str, dict[str, str]]:
    """Look at a store; what a database of tests lacks is left out."""
    store = () if where.url is None else ("--store", where.url)
    findings = found(where.directory, "--data", where.directory, *store, *more, **{**GOOD, **variables})
    if where.url is not None:
        # The database of tests is quick, not durable.
        assert "full_page_writes = off" in findings.pop("DatabaseNotDurable")["so"]
    return findings


def change(where: Target, statement: str) -> None:
    """Change a store behind the back of every server."""
    if where.url is None:
        with closing(sqlite3.connect(where.directory / STORE)) as connection, connection:
            connection.execute(statement)
    else:
        with psycopg.connect(where.url, autocommit=True) as database:
            database.execute(statement.encode())


def test_findings_are_said_in_the_readers_language_and_to_programs_in_english(where: Target) -> None:
    change(where, "UPDATE accounts SET balance = balance + 1000000 WHERE id = (SELECT min(id) FROM accounts)")
    change(where, "DELETE FROM facts WHERE name = 'root_user'")
    store = ("--data", where.directory, *(() if where.url is None else ("--store", where.url)))
    proved = said(where.directory, "check", *store)
    assert "，而其流水合计为 " in proved
    assert "存储没有记录 root_user" in proved
    assert re.search(r"[0-9]+ 行有误|[0-9]+ 个账户、", proved)
    assert re.findall(r"(?m)^[a-z].*", proved) == []
    (where.directory / "master.key").unlink()
    english, chinese = (doctor(where, LEASEBOOK_LANG=language) for language in ("en", "zh"))
    assert english == chinese
    assert "MasterKeyMissing" in english
    shown = said(where.directory, "doctor", *store, **GOOD)
    assert "MasterKeyMissing: " in shown
    assert re.findall(r"MasterKeyMissing: ([A-Z][a-z].*)", shown) == []


def test_a_good_set_up_has_no_findings(where: Target) -> None:
    assert doctor(where) == {}


def test_a_database_that_loses_commits_is_found(tmp_path: Path) -> None:
    server = PostgresServer(durable=True)
    try:
        with server.database() as url:
            where = Target(tmp_path / "data", url)
            asyncio.run(_live(where))
            line = ("--data", where.directory, "--store", url)
            assert found(tmp_path, *line, **GOOD) == {}
            with psycopg.connect(url, autocommit=True) as database:
                database.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = off".encode())
            findings = found(tmp_path, *line, **GOOD)
    finally:
        server.remove()
    assert list(findings) == ["DatabaseNotDurable"]
    assert "synchronous_commit = off" in findings["DatabaseNotDurable"]["so"]


def test_a_master_key_that_is_gone_or_spoilt_or_another_one_is_named(where: Target) -> None:
    key = where.directory / "master.key"
    kept = key.read_bytes()
    key.write_bytes(b"00" * 32 + b"\n")
    assert "not the master key of this store" in doctor(where)["MasterKeyMissing"]["so"]
    key.write_bytes(kept[:-9])
    assert list(doctor(where)) == ["MasterKeyUnusable"]
    key.unlink()
    assert list(doctor(where)) == ["MasterKeyMissing"]


def test_a_directory_that_others_may_read_is_named(where: Target) -> None:
    where.directory.chmod(0o755)
    assert "mode 0755" in doctor(where)["DirectoryOpen"]["so"]
    where.directory.chmod(0o700)
    (where.directory / "master.key").chmod(0o600)
    assert doctor(where) == {}


def test_an_older_and_a_newer_schema_are_distinguished(where: Target) -> None:
    change(where, "UPDATE alembic_version SET version_num = '0001'")
    assert "schema 0001" in doctor_without_rows(where)["SchemaOld"]["so"]
    change(where, "UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999" in doctor_without_rows(where)["SchemaNewer"]["so"]


def doctor_without_rows(where: Target) -> dict[str, dict[str, str]]:
    store = () if where.url is None else ("--store", where.url)
    return found(where.directory, "--data", where.directory, *store, **GOOD)


def test_an_empty_place_and_a_damaged_store_are_named(where: Target, tmp_path: Path) -> None:
    assert list(found(tmp_path, "--data", tmp_path / "none", **GOOD)) == ["NoStore"]
    change(where, "UPDATE facts SET value = 'spoilt' WHERE name = 'clock_at'")
    assert "A row of" in doctor_without_rows(where)["StoreUnusable"]["so"]
    change(where, "DROP TABLE offerings")
    assert "StoreUnusable" in doctor_without_rows(where)


def test_types_that_no_engine_runs_are_named(tmp_path: Path) -> None:
    where = Target(tmp_path / "data")
    asyncio.run(_real(where))
    finding = doctor(where)["NothingRuns"]
    assert "gpu-1 (bj)" in finding["so"]


async def _real(where: Target) -> None:
    async with a_service(where.directory, clock="real", demo=True):
        pass


def test_accelerators_that_are_sold_and_not_there_are_named(where: Target) -> None:
    process = {"LEASEBOOK_ENGINES": "*=process"}
    gone = doctor(where, **process, LEASEBOOK_ENGINES_PROCESS_DEVICES="a=/dev/no-such-card")
    assert "gpu-1 (bj)" in gone["NoAccelerators"]["so"]
    there = doctor(where, **process, LEASEBOOK_ENGINES_PROCESS_DEVICES="a=/dev/null")
    assert "NoAccelerators" not in there
    wrong = doctor(where, **process, LEASEBOOK_ENGINES_PROCESS_DEVICES="a=/dev/shm")
    assert "no character device" in wrong["EngineUnusable"]["so"]
    assert "engines_ray.address" in doctor(where, LEASEBOOK_ENGINES="*=ray")["EngineUnusable"]["so"]


def test_a_sandbox_that_is_off_or_not_complete_is_named(
    where: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from leasebook.engines.sandbox import layers

    off = doctor(where, LEASEBOOK_ENGINES="*=process", LEASEBOOK_ENGINES_PROCESS_SANDBOX="off")
    assert "rights of the server" in off["SandboxIncomplete"]["so"]
    # As on a machine without it: the place where it would be is empty.
    monkeypatch.setattr(layers, "BWRAP_PATHS", (str(tmp_path / "bwrap"),))
    without = doctor(where, LEASEBOOK_ENGINES="*=process")
    assert "SandboxIncomplete" in without


def test_a_weak_root_key_is_named(tmp_path: Path) -> None:
    where, weak = (
        Target(tmp_path / "data"),
        {"LEASEBOOK_ROOT_ACCESS_KEY": "AK", "LEASEBOOK_ROOT_SECRET_KEY": "aaaabbbbaaaabbbb"},
    )
    assert "16 characters, 2 of them different" in doctor_of_nothing(where, **weak)["RootKeyWeak"]["so"]


def doctor_of_nothing(where: Target, **variables: str) -> dict[str, dict[str, str]]:
    async def live() -> None:
        async with a_service(where.directory, environment=variables):
            pass

    asyncio.run(live())
    # Nothing in the environment says it: the store does.
    return doctor(where)


def test_settings_that_are_wrong_are_named(where: Target) -> None:
    store = () if where.url is None else ("--store", where.url)
    line = ("--data", where.directory, *store)
    assert "time" in found(where.directory, *line, LEASEBOOK_TIME_ZONE="Mars/Base")["BadSettings"]["so"].lower()


def test_due_work_that_was_not_done_is_named(where: Target) -> None:
    async def buy() -> None:
        async with a_service(where) as root:
            now = (await root.call("/v2/clock", "DescribeClock", {})).result["now"]
            billing = {"paymentTiming": "Postpaid", "releaseTime": now[:2] + "99" + now[4:]}
            config = {"computeUnitConfig": {"region": "bj", "type": "cpu"}, "billing": billing}
            _ = (await root.call(UNITS, "PurchaseComputeUnit", {**config, "computeUnitCount": 1})).result

    asyncio.run(buy())
    assert doctor(where) == {}
    change(where, "UPDATE facts SET value = '9000000000000000' WHERE name = 'clock_at'")
    assert "was" in doctor(where)["DueWorkOverdue"]["so"]


def test_a_clock_that_jumped_while_no_server_ran_is_named(tmp_path: Path) -> None:
    where, clock = Target(tmp_path / "data"), MovedClock(tmp_path)
    asyncio.run(_real(where))
    line = (sys.executable, "-m", "leasebook", "doctor", "--data", str(where.directory), "--output", "json")
    clock.move_to(86_400)
    environment = {**os.environ, **GOOD, **clock.environment()}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert '"ClockHeld"' in done.stdout, done.stderr
    assert "jumped 86" in done.stdout


def test_a_key_that_is_disabled_unknown_or_without_policies_is_distinguished(lived: Lived, where: Target) -> None:
    assert list(doctor(where, "--access-key", "AKNOSUCHKEY")) == ["KeyUnknown"]
    assert list(doctor(where, "--access-key", lived.disabled)) == ["KeyDisabled"]
    assert list(doctor(where, "--access-key", lived.without_policies)) == ["NoPolicies"]
    assert doctor(where, "--access-key", "AKROOT") == {}


def test_a_port_that_another_program_has_is_named(where: Target) -> None:
    port = free_port()
    assert doctor(where, "--port", str(port)) == {}
    with socket.create_server(("127.0.0.1", port)):
        assert str(port) in doctor(where, "--port", str(port))["PortTaken"]["so"]


def test_a_certificate_that_cannot_be_served_is_named(where: Target, tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text('[tls]\ncert_file = "no.crt"\nkey_file = "no.key"\n')
    assert "no.key" in doctor(where, "--config", config)["BadTls"]["so"]


def test_a_server_that_runs_is_no_fault_and_a_second_one_is(tmp_path: Path) -> None:
    with lone_server(tmp_path, variables=GOOD) as server:
        where = Target(data_of(tmp_path))
        assert OF_SERVERS.isdisjoint(doctor(where, "--port", str(server.port)))
        elsewhere = doctor(where, "--port", str(free_port()))
        assert OF_SERVERS.intersection(elsewhere) == {"DirectoryInUse"}
        assert f"Process {server.process.pid} " in elsewhere["DirectoryInUse"]["so"]


def test_too_few_open_files_are_named(where: Target) -> None:
    line = f"ulimit -n 100; exec {sys.executable} -m leasebook doctor --data {where.directory} --output json"
    done = subprocess.run(
        ["sh", "-c", line], env={**os.environ, **GOOD}, capture_output=True, text=True, check=False, timeout=120
    )
    assert '"FileLimitLow"' in done.stdout, done.stderr
    assert "may open 100 files" in done.stdout
    few = doctor(where, LEASEBOOK_HTTP_CONNECTIONS_MAX="1000000")
    assert "http.connections_max is 1000000" in few["FileLimitLow"]["so"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB and 64 inodes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=64,mode=700", "leasebook", folder], check=False
    )
    if made.returncode:
        pytest.skip("only root mounts a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_small_disk_and_one_without_inodes_are_named(lived: Lived, small_disk: Path) -> None:
    shutil.copytree(lived.where.directory, small_disk / "data")
    findings = doctor(Target(small_disk / "data", lived.where.url))
    assert list(findings) == ["DiskLow", "InodesLow"]
    assert "MiB free" in findings["DiskLow"]["so"]


def test_arrears_are_named(tmp_path: Path) -> None:
    async def overdraw(where: Target) -> dict[str, object]:
        async with a_service(where.directory, demo=True) as root:
            made = (await root.call(IAM, "CreateAccount", {"name": "broke"})).result
            await root.call(ACCOUNT, "TopUpAccount", {"accountId": made["accountId"], "amount": "12"})
            broke = Client(root.service, made["accessKeyId"], made["secretAccessKey"])
            body = {"computeUnitConfig": {"region": "bj", "type": "gpu-1"}, "billing": {"paymentTiming": "Postpaid"}}
            _ = (await broke.call(UNITS, "PurchaseComputeUnit", {**body, "computeUnitCount": 1})).result
            now = (await root.call("/v2/clock", "DescribeClock", {})).result["now"]
            await root.advance((datetime.fromisoformat(now) + timedelta(days=1)).isoformat())
            shown: dict[str, object] = (await broke.call(ACCOUNT, "DescribeAccount", {})).result
            return shown

    (finding,) = caller._account(asyncio.run(overdraw(Target(tmp_path / "data"))))
    assert finding.fault == "AccountInArrears"
    assert "broke" in finding.so


def test_a_second_server_on_the_same_directory_is_named(tmp_path: Path) -> None:
    with lone_server(tmp_path, variables=GOOD) as server:
        where = Target(data_of(tmp_path))
        program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[2]); c.execute('SELECT 1 FROM facts'); "
        program += "print('open', flush=True); input()"
        # It has the store open as a server has, and its arguments.
        line = (sys.executable, "-c", program, "serve", str(where.directory / STORE))
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "open\n"
            finding = doctor(where)["SecondServer"]
            other.kill()
    assert f"Process {server.process.pid} " in finding["so"]
    assert f"process {other.pid} " in finding["so"]
