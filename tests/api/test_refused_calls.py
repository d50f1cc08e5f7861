"""Calls refused before the caller is known: counted by the minute, bounded, and in no account's audit log."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from leasebook.api.auth.refused_calls import ADDRESS_KEYS, HOUR_ROWS, MINUTE_ROWS, Refusals
from leasebook.batch import Unavailable
from leasebook.domain.commands.account.signature import NoteRefused
from leasebook.domain.commands.command import Command
from leasebook.domain.record.audit_log import Line
from leasebook.domain.record.signature import RefusedCalls
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US
from leasebook.ports.queries.read_repository import Reader
from leasebook.store.opening import Target
from tests.api.scene import ACCOUNT, IAM, UNITS, Caller, ServiceHarness, a_scene
from tests.copies import STORES, empty
from tests.crash.fleet import ROUNDS
from tests.harness import CLIENT

FLOOD = 2_000 * ROUNDS
START = 1_893_456_000_000_000


class RefusedCallsHarness:
    """The machine's clock, a sequencer that keeps what it is given, and a meter."""

    def __init__(self, **bounds: int) -> None:
        self.wall = START
        self.rows: dict[str, RefusedCalls] = {}
        self.writes = self.written = self.unlisted = 0
        self.lines: list[Line] = []
        self.is_down = False
        self.refusals = Refusals(self, self, self, wall=lambda: self.wall, **bounds)  # type: ignore[arg-type]

    def now(self) -> int:
        return self.wall

    def note(self, line: Line) -> None:
        self.lines.append(line)

    async def submit(self, command: Command) -> None:
        assert isinstance(command, NoteRefused)
        if self.is_down:
            raise Unavailable("the disk is full")
        self.writes += 1
        self.written += len(command.rows)
        self.rows.update({row.id: row for row in command.rows})

    def refused_unlisted(self) -> None:
        self.unlisted += 1

    def count(self, address: str, key: str = "", code: str = "SignatureEmpty", account: str = "") -> None:
        self.refusals.count(address, key, account, code)

    def found(self) -> list[tuple[str, str, int]]:
        return sorted((row.address, row.access_key_id, row.calls) for row in self.rows.values())


async def test_a_minute_is_a_row_for_each_address_and_key() -> None:
    machine = RefusedCallsHarness()
    for number in range(7):
        machine.count("192.0.2.1", "AK1", code="SignatureEmpty" if number % 2 else "RequestExpired")
        machine.wall += 1_000_000
    machine.count("192.0.2.1")
    machine.count("192.0.2.2", "AK1")
    assert machine.writes == 0
    await machine.refusals.flush()
    assert machine.found() == [("192.0.2.1", "", 1), ("192.0.2.1", "AK1", 7), ("192.0.2.2", "AK1", 1)]
    (row,) = (row for row in machine.rows.values() if row.calls == 7)
    assert row.codes == {"RequestExpired": 4, "SignatureEmpty": 3}
    assert (row.minute, row.first_at, row.last_at) == (START, START, START + 6_000_000)
    # Again in the same minute, the same rows go on.
    machine.count("192.0.2.2", "AK1")
    await machine.refusals.flush()
    await machine.refusals.flush()
    assert machine.found() == [("192.0.2.1", "", 1), ("192.0.2.1", "AK1", 7), ("192.0.2.2", "AK1", 2)]
    assert machine.written == 4
    machine.wall += MINUTE_US
    machine.count("192.0.2.2", "AK1")
    await machine.refusals.stop()
    assert len(machine.rows) == 4


async def test_however_many_there_are_the_rows_of_a_minute_and_an_hour_are_bounded() -> None:
    machine = RefusedCallsHarness()
    for minute in range(60):
        for number in range(500):
            machine.count(f"198.51.{minute}.{number % 250}", f"AK{number}")
        machine.wall += MINUTE_US
    await machine.refusals.stop()
    assert len(machine.rows) <= HOUR_ROWS + 60
    assert machine.written == len(machine.rows)
    assert sum(row.calls for row in machine.rows.values()) == 60 * 500
    by_minute = {row.minute for row in machine.rows.values()}
    for minute in by_minute:
        assert len([row for row in machine.rows.values() if row.minute == minute]) <= MINUTE_ROWS + 1
    over = [row for row in machine.rows.values() if row.is_overflow]
    assert len(over) == 60
    assert sum(row.calls for row in over) == machine.unlisted


async def test_the_next_hour_has_room_again() -> None:
    machine = RefusedCallsHarness(hour_rows=3)
    for number in range(5):
        machine.count(f"192.0.2.{number}")
    machine.wall += HOUR_US
    machine.count("192.0.2.9")
    await machine.refusals.stop()
    assert ("192.0.2.9", "", 1) in machine.found()
    assert ("", "", 2) in machine.found()


async def test_one_address_with_many_keys_takes_a_few_rows_and_leaves_the_others_theirs() -> None:
    machine = RefusedCallsHarness()
    for number in range(1000):
        machine.count("192.0.2.1", f"AK{number}")
    machine.count("192.0.2.2", "AK-somebody")
    await machine.refusals.stop()
    assert len(machine.rows) == ADDRESS_KEYS + 2
    assert ("192.0.2.1", "", 1000 - ADDRESS_KEYS) in machine.found()
    assert ("192.0.2.2", "AK-somebody", 1) in machine.found()


async def test_addresses_of_one_network_of_ipv6_are_one_and_no_address_is_one_too() -> None:
    machine = RefusedCallsHarness()
    for address in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "", "::1", "no: address"):
        machine.count(address)
    await machine.refusals.stop()
    assert machine.found() == [
        ("2001:db8:0:1::/64", "", 1),
        ("2001:db8::/64", "", 2),
        ("::/64", "", 1),
        ("no: address", "", 1),
        ("unknown", "", 1),
    ]


async def test_an_account_gets_one_line_a_minute_for_each_of_its_keys() -> None:
    machine = RefusedCallsHarness()
    for number in range(300):
        machine.count(f"192.0.2.{number % 9}", "AK1", "SignatureDoesNotMatch", "acc-1")
    machine.count("192.0.2.1", "AK2", "RequestReplayed", "acc-1")
    machine.count("192.0.2.1", "AK3", "InvalidAccessKeyId")
    await machine.refusals.flush()
    assert machine.lines == []
    machine.wall += MINUTE_US
    await machine.refusals.flush()
    told = [(account, entry.access_key, entry.code) for account, entry in machine.lines]
    assert told == [("acc-1", "AK1", "SignatureDoesNotMatch"), ("acc-1", "AK2", "RequestReplayed")]
    message = machine.lines[0][1].message
    assert message.startswith("300 calls")
    assert "192.0.2" not in message


async def test_what_the_store_does_not_take_waits_and_is_bounded() -> None:
    machine = RefusedCallsHarness()
    machine.is_down = True
    for minute in range(40):
        for number in range(60):
            machine.count(f"192.0.{minute}.{number}")
        with pytest.raises(Unavailable):
            await machine.refusals.flush()
        machine.wall += MINUTE_US
    machine.is_down = False
    await machine.refusals.stop()
    assert 512 <= len(machine.rows) <= 1024


# The whole service


@pytest.fixture(scope="module", params=STORES)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServiceHarness, Target]]:
    folder = tmp_path_factory.mktemp("flooded")
    with empty(request.param, folder / "data", migrated=True) as where, a_scene(where) as scene:
        yield scene, where


def written(where: Target) -> dict[str, tuple[int, int]]:
    """How many rows of the record there are, and how many bytes their long columns have."""
    columns = {"audit_pages": "length(body)", "refused_calls": "length(address) + length(codes) + length(id)"}
    found = {}
    for table, size in columns.items():
        text = f"SELECT count(*), coalesce(sum({size}), 0) FROM {table}"
        if where.url is None:
            with closing(sqlite3.connect(where.directory / "leasebook.db")) as store:
                found[table] = store.execute(text).fetchone()
        else:
            with psycopg.connect(where.url) as database:
                found[table] = database.execute(text.encode()).fetchone()
    return found


def test_thousands_of_badly_signed_calls_write_a_bounded_number_of_bytes(place: tuple[ServiceHarness, Target]) -> None:
    scene, where = place
    victim = scene.customer()
    wrong = scene.caller({"accessKeyId": victim.desk.access_key, "secretAccessKey": "wrong"})
    scene.runner.run(scene.running.sequencer.flush())
    before = written(where)
    batches = Batches()
    scene.running.sequencer.watch(batches)
    headers = wrong.desk.signed(UNITS, "Action=PurchaseComputeUnit", b"x" * 4096)

    async def flood() -> None:
        for _ in range(FLOOD):
            answer = await wrong.desk.send(UNITS, "Action=PurchaseComputeUnit", b"x" * 4096, headers=headers)
            assert answer.code == "SignatureDoesNotMatch"

    scene.runner.run(flood())
    rows = scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"accessKeyId": victim.desk.access_key})["rows"]
    scene.runner.run(scene.running.sequencer.flush())
    after = written(where)
    assert sum(row["codes"]["SignatureDoesNotMatch"] for row in rows) == FLOOD
    assert all(row["address"] == CLIENT[0] for row in rows)
    # A minute may have ended a few times meanwhile.
    assert batches.number < 100
    assert after["refused_calls"][0] - before["refused_calls"][0] < 10
    assert sum(size for _, size in after.values()) - sum(size for _, size in before.values()) < 20_000
    shown = [one for page in victim.pages(ACCOUNT, "DescribeAuditLog", {"maxKeys": 1000}) for one in page["entries"]]
    assert {one["action"] for one in shown if one["code"] == "SignatureDoesNotMatch"} <= {"RefusedCalls"}


class Batches:
    def __init__(self) -> None:
        self.number = 0

    def committed(self, changes: Any) -> None:  # noqa: ARG002
        self.number += 1


def test_a_clean_stop_writes_the_running_minute_and_tells_the_account(tmp_path: Path) -> None:
    with a_scene(tmp_path) as scene:
        victim = scene.customer()
        wrong = scene.caller({"accessKeyId": victim.desk.access_key, "secretAccessKey": "wrong"})
        assert wrong.refused(UNITS, "DescribeComputeUnits") == "SignatureDoesNotMatch"
        keys = {"accessKeyId": victim.desk.access_key, "secretAccessKey": victim.desk.secret_key}
    with a_scene(tmp_path) as scene:
        (row,) = scene.operator.do(ACCOUNT, "DescribeRefusedCalls")["rows"]
        assert (row["accessKeyId"], row["calls"]) == (keys["accessKeyId"], 1)
        (told,) = scene.caller(keys).do(ACCOUNT, "DescribeAuditLog", {"action": "RefusedCalls"})["entries"]
        assert told["message"].startswith("1 calls that name this access key were refused")
        assert (told["accessKeyId"], told["code"], told["status"]) == (
            keys["accessKeyId"],
            "SignatureDoesNotMatch",
            400,
        )
        assert "address" not in told or told["address"] == ""


def test_rows_are_listed_in_pages_and_by_what_is_asked_for(place: tuple[ServiceHarness, Target]) -> None:
    scene, _ = place
    for number in range(5):
        unknown = scene.caller({"accessKeyId": f"AKLISTED{number}", "secretAccessKey": "x"})
        assert unknown.refused(UNITS, "DescribeComputeUnits") == "InvalidAccessKeyId"
    everything = scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"maxKeys": 1000})["rows"]
    pages = scene.operator.pages(ACCOUNT, "DescribeRefusedCalls", {"maxKeys": 2})
    paged = [row for page in pages for row in page["rows"]]
    assert paged == everything
    (one,) = scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"accessKeyId": "AKLISTED3"})["rows"]
    assert one["codes"] == {"InvalidAccessKeyId": 1}
    assert scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"address": "203.0.113.1"})["rows"] == []
    assert scene.operator.do(ACCOUNT, "DescribeRefusedCalls", {"endTime": "2001-01-01 00:00:00"})["rows"] == []
    assert scene.operator.refused(ACCOUNT, "DescribeRefusedCalls", {"marker": "x"}) == "InvalidMarker"


# Keys that no user has


class Counting:
    """Counts the questions about keys that the store is asked."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.number = 0
        self.at_once = self.most_at_once = 0

    async def read(self, question: Any, *, long: bool = False) -> Any:
        self.number += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._reader.read(question, long=long)
        finally:
            self.at_once -= 1


def lookups_of(scene: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> Counting:
    lookups = scene.running.app._identities._lookups
    counting = Counting(lookups._reader)
    monkeypatch.setattr(lookups, "_reader", counting)
    return counting


def test_a_key_that_nobody_has_is_looked_up_once_and_found_once_it_is_there(
    place: tuple[ServiceHarness, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = place
    unknown = scene.caller({"accessKeyId": "AKNOBODYHERE", "secretAccessKey": "x"})
    counted = lookups_of(scene, monkeypatch)
    for _ in range(20):
        assert unknown.refused(UNITS, "DescribeComputeUnits") == "InvalidAccessKeyId"
    assert counted.number == 1
    make(scene, "AKNOBODYHERE", monkeypatch)
    assert unknown.ask(ACCOUNT, "DescribeAccount").status == 200


def make(scene: ServiceHarness, key_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an account opened whose key has that id and the secret x; the dice would not make it."""
    app = scene.running.app
    keys = msgspec.structs.replace(app._context.keys, make=lambda: (key_id, "x"))
    with monkeypatch.context() as dice:
        dice.setattr(app, "_context", msgspec.structs.replace(app._context, keys=keys))
        assert scene.operator.do(IAM, "CreateAccount", {"name": "late"})["accessKeyId"] == key_id


def test_a_key_that_another_server_makes_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with empty("postgres", tmp_path / "data", migrated=True) as where, a_scene(where) as one, a_scene(where) as other:
        unknown = one.caller({"accessKeyId": "AKELSEWHERE", "secretAccessKey": "x"})
        for _ in range(2):
            assert unknown.refused(ACCOUNT, "DescribeAccount") == "InvalidAccessKeyId"
        make(other, "AKELSEWHERE", monkeypatch)
        assert unknown.ask(ACCOUNT, "DescribeAccount").status == 200


def test_a_crowd_with_keys_that_nobody_has_asks_one_question_at_a_time(
    place: tuple[ServiceHarness, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = place
    counted = lookups_of(scene, monkeypatch)

    async def crowd() -> None:
        strangers = [scene.desk.as_user(f"AKSTRANGER{number}", "x") for number in range(400)]
        answers = await asyncio.gather(*(one.call(UNITS, "DescribeComputeUnits", {}) for one in strangers))
        assert {answer.code for answer in answers} == {"InvalidAccessKeyId"}

    scene.runner.run(crowd())
    # Two strangers begin in one turn of the loop (``api.admission``), so that a question is for two at least.
    assert counted.number <= 400 / 2
    assert counted.most_at_once == 1


def test_what_no_key_looks_like_is_not_looked_up(
    place: tuple[ServiceHarness, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, _ = place
    counted = lookups_of(scene, monkeypatch)
    for key in ("AK!", "a" * 65, "a;b", "%00"):
        odd: Caller = scene.caller({"accessKeyId": key, "secretAccessKey": "x"})
        assert odd.refused(UNITS, "DescribeComputeUnits") == "InvalidAccessKeyId"
    assert counted.number == 0


def test_a_disabled_key_is_refused_and_a_new_one_works_at_once(place: tuple[ServiceHarness, Target]) -> None:
    scene, _ = place
    root = scene.customer()
    user = scene.user(root, "QianfanReadAccessPolicy")
    assert root.do(IAM, "DisableAccessKey", {"accessKeyId": user.desk.access_key}) is True
    for _ in range(3):
        assert user.refused(UNITS, "DescribeComputeUnits") == "InvalidAccessKeyId"
    (me,) = (one for one in root.do(IAM, "DescribeUsers")["users"] if not one["isRoot"])
    new = scene.caller(root.do(IAM, "CreateAccessKey", {"userId": me["userId"]}))
    new.do(UNITS, "DescribeComputeUnits")
