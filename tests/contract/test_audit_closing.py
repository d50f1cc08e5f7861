"""Old pages are closed, and the chain stays provable: on both stores, with the command line."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from click.testing import CliRunner, Result

from leasebook.cli.audit import _cell
from leasebook.cli.main import cli
from leasebook.domain.record.audit_log import closure_message
from leasebook.security.audit_keys import AuditKeys, is_signed
from leasebook.security.keyring import MASTER_KEY_FILE
from leasebook.store.opening import Target
from leasebook.store.queries.read_repository import columns
from leasebook.store.rows.codec import AUDIT_CLOSURES
from tests.contract.test_audit_tampering import Log
from tests.copies import STORES, copy_of, empty
from tests.harness import a_service

pytestmark = pytest.mark.mostly_embedded

ACCOUNT, CLOCK, UNITS = "/v2/account", "/v2/clock", "/v2/computeunit"
KEPT: Final = {"LEASEBOOK_AUDIT_KEEP_DAYS": "2"}


async def lived(where: Target, proof: list[Any]) -> None:
    """A day with twenty refusals and a read, and three days later one more."""
    async with a_service(where, environment=KEPT) as desk:
        start = (await desk.call(CLOCK, "DescribeClock")).result["now"]
        for number in range(20):
            await desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": f"unit-{number}"})
        day = int(start[8:10])
        month = f"{int(start[:4]) + 1}-01"
        await desk.advance(f"{month}-{day:02} 00:00:00")
        await desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": "unit-late"})
        proof.append((await desk.call(ACCOUNT, "DescribeAuditProof")).result)
    # Another run: its chain begins with what the first one had come to.
    async with a_service(where, environment=KEPT) as desk:
        await desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": "unit-later"})


@pytest.fixture(scope="module", params=STORES)
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Any]]:
    """A log that no test changes: to make it takes longer than most of these tests."""
    proof: list[Any] = []
    with empty(request.param, tmp_path_factory.mktemp("closed") / "data", migrated=True) as where:
        asyncio.run(lived(where, proof))
        yield where, proof[0]


@pytest.fixture
def closed(original: tuple[Target, Any], tmp_path: Path) -> Iterator[tuple[Log, Any]]:
    """A copy of it."""
    where, proof = original
    with copy_of(where, tmp_path / "data") as copy:
        yield Log(copy), proof


def alter_a_count(log: Log) -> None:
    log.run("""UPDATE audit_closures SET counts = '{"InstanceNotFound":1}'""")


def remove_the_closures(log: Log) -> None:
    log.run("DELETE FROM audit_closures")


def remove_the_page_after_it(log: Log) -> None:
    log.run("DELETE FROM audit_pages WHERE seq = ?", log.pages(log.first)[0][0])


def let_it_stand_for_more(log: Log) -> None:
    remove_the_page_after_it(log)
    log.run("UPDATE audit_closures SET last_number = last_number + 1")


def bring_a_page_back(log: Log) -> None:
    log.run(
        "INSERT INTO audit_pages (seq, chain, number, account_id, first_at, last_at, size, hash, body) "
        "SELECT seq + 1000, chain, 1, account_id, first_at, last_at, size, hash, body FROM audit_pages WHERE seq = ?",
        log.pages(log.first)[0][0],
    )


def sign_with_another_key(log: Log) -> None:
    keys = AuditKeys(b"x" * 32)
    for row in log.run(f"SELECT {columns(AUDIT_CLOSURES)} FROM audit_closures"):
        closure = AUDIT_CLOSURES.read(row)
        forged = msgspec.structs.replace(closure, public_key=keys.public_key)
        log.run(
            "UPDATE audit_closures SET public_key = ?, signature = ? WHERE last_number = ?",
            keys.public_key,
            keys.sign(closure_message(forged)),
            closure.last_number,
        )


TAMPERED: Final[list[tuple[Callable[[Log], None], str]]] = [
    (alter_a_count, "does not have its signature"),
    (remove_the_closures, "was removed"),
    (remove_the_page_after_it, "was removed"),
    (let_it_stand_for_more, "does not have its signature"),
    (bring_a_page_back, "page 1 is closed, and there is one all the same"),
    (sign_with_another_key, "signed by another key than that of the master key"),
]


def test_old_pages_are_gone_and_what_stands_for_them_is_signed(closed: tuple[Log, Any]) -> None:
    log, proof = closed
    closures = proof["closures"]
    assert sum(one["counts"].get("InstanceNotFound", 0) for one in closures) == 20
    assert sum(one["entriesTotal"] for one in closures) == sum(sum(one["counts"].values()) for one in closures)
    assert closures[-1]["firstPage"] == 1
    for one in closures:
        assert one["publicKey"] == proof["publicKey"]
        assert not is_signed(proof["publicKey"], b"something else", bytes.fromhex(one["signature"]))
    assert (
        log.run("SELECT count(*) FROM audit_pages WHERE chain = ? AND number <= ?", log.first, closures[0]["lastPage"])[
            0
        ][0]
        == 0
    )
    assert log.findings() == []
    assert log.findings(keyed=False) == []


@pytest.mark.parametrize(("tamper", "said"), TAMPERED, ids=lambda one: getattr(one, "__name__", ""))
def test_whatever_is_done_to_closures_is_found(
    closed: tuple[Log, Any], tamper: Callable[[Log], None], said: str
) -> None:
    log, _ = closed
    tamper(log)
    assert any(said in finding for finding in log.findings()), log.findings()


def run(log: Log, command: str, *arguments: str) -> Result:
    store = [] if log.where.url is None else ["--store", log.where.url]
    return CliRunner().invoke(cli, [command, "--data", str(log.where.directory), *store, *arguments])


def test_the_command_line_proves_the_log_and_says_whether_the_master_key_was_there(closed: tuple[Log, Any]) -> None:
    log, _ = closed
    proved = run(log, "check")
    assert proved.exit_code == 0, proved.output
    assert "audit entries in 2 chains" in proved.output
    assert "seals were not checked" not in proved.output
    (log.where.directory / MASTER_KEY_FILE).write_text("ab" * 32 + "\n")
    assert "seals were not checked" in run(log, "check").output
    remove_the_page_after_it(log)
    broken = run(log, "check")
    assert broken.exit_code == 1
    assert f"audit chain {log.first}" in broken.output


def test_an_export_has_every_entry_with_its_page_and_hash(closed: tuple[Log, Any], tmp_path: Path) -> None:
    log, _ = closed
    lines = [json.loads(line) for line in run(log, "audit").output.splitlines()]
    late = [line for line in lines if line["action"] == "ReleaseComputeUnit"]
    assert [line["names"] for line in late] == [["unit-late"], ["unit-later"]]
    for line in lines:
        ((found,),) = log.run(
            "SELECT hash FROM audit_pages WHERE chain = ? AND number = ?", line["chain"], line["page"]
        )
        assert bytes(found).hex() == line["hash"]
    goal = tmp_path / "log.csv"
    done = run(log, "audit", "--format", "csv", "--out", str(goal), "--account", late[0]["accountId"])
    assert done.exit_code == 0, done.output
    with goal.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["requestId"] for row in rows] == [line["requestId"] for line in lines]
    assert done.output == f"{goal}: {len(lines)} entries.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--account", ""], 4, "No entry of the audit log is asked for by this."),
        (["--until", "2000-01-01 00:00:00"], 4, "No entry of the audit log is asked for by this."),
        (["--since", "9000-01-01T00:00:00Z"], 4, "No entry of the audit log is asked for by this."),
        (["--account", "nobody"], 1, "There is no account 'nobody'."),
        (["--since", "2000-01-01T00:00:00Z", "--until", "2000-01-01 00:00:00"], 2, "it is no later than --since"),
        (["--bom"], 2, "only a CSV has one; add --format csv."),
    ],
)
def test_an_export_of_nothing_is_not_silent(
    closed: tuple[Log, Any], arguments: list[str], code: int, said: str
) -> None:
    log, _ = closed
    done = run(log, "audit", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1 or code == 2


def test_an_empty_export_is_a_file_all_the_same(closed: tuple[Log, Any], tmp_path: Path) -> None:
    log, _ = closed
    goal = tmp_path / "log.csv"
    done = run(log, "audit", "--until", "2000-01-01 00:00:00", "--format", "csv", "--bom", "--out", str(goal))
    assert (done.exit_code, f"{goal} has none" in done.stderr) == (4, True)
    with goal.open(newline="", encoding="utf-8-sig") as file:
        (head,) = csv.reader(file)
    assert head[0] == "chain"
    assert goal.read_bytes().startswith(b"\xef\xbb\xbfchain,")


def test_an_export_writes_over_nothing_and_leaves_no_part_behind(closed: tuple[Log, Any], tmp_path: Path) -> None:
    log, _ = closed
    goal = tmp_path / "there.jsonl"
    goal.write_text("precious")
    refused = run(log, "audit", "--out", str(goal))
    assert refused.exit_code == 1
    assert "never writes over" in refused.output
    assert goal.read_text() == "precious"
    assert run(log, "audit", "--out", str(tmp_path / "nowhere" / "log.jsonl")).exit_code == 1
    assert run(log, "audit", "--since", "yesterday").exit_code == 2
    log.run("UPDATE audit_pages SET body = ? WHERE chain = ?", b"[", log.second)
    half = run(log, "audit", "--out", str(tmp_path / "half.jsonl"))
    assert half.exit_code == 1
    assert "run leasebook check" in half.output
    assert sorted(path.name for path in tmp_path.glob("*.jsonl*")) == ["there.jsonl"]


def test_a_cell_that_a_spreadsheet_would_take_for_a_formula_is_none() -> None:
    assert [_cell(value) for value in ("=1+1", "+1", "-1", "@a", "plain", None, True, 7, ["a", "b"])] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@a",
        "plain",
        "",
        "true",
        "7",
        "a b",
    ]
