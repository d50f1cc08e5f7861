"""Changes of the audit log in the store are found out: by real SQL, on both stores."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import pytest

from leasebook.cli.stores import audit_keys
from leasebook.domain.record.audit_log import NOTHING, PageBody, chain_hash, head_message, read_body
from leasebook.security.audit_keys import AuditKeys
from leasebook.security.keyring import MASTER_KEY_FILE
from leasebook.store.opening import Target
from leasebook.store.rows.packing import unpacked
from leasebook.store.verify.check import check_store
from tests import postgres
from tests.copies import STORES, copy_of, empty
from tests.harness import a_service

pytestmark = pytest.mark.mostly_embedded

CATALOG, CLOCK, UNITS = "/v2/catalog", "/v2/clock", "/v2/computeunit"
Execute = Callable[..., list[tuple[Any, ...]]]


class Log:
    """A store that two runs of a server wrote, and an attacker with a connection to it."""

    def __init__(self, where: Target) -> None:
        self.where = where
        self.first, self.second = (row[0] for row in self.run("SELECT chain FROM audit_chains ORDER BY last_at, chain"))

    def run(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        """Say something to the store, and have it committed."""
        if self.where.url is None:
            with closing(sqlite3.connect(self.where.directory / "leasebook.db")) as store, store:
                return store.execute(text, params).fetchall()
        with psycopg.connect(self.where.url) as database:
            cursor = database.execute(text.replace("?", "%s").encode(), params)
            return cursor.fetchall() if cursor.description is not None else []

    def pages(self, chain: str) -> list[tuple[int, int, bytes, bytes]]:
        """Return seq, number, hash and body of every page of a chain."""
        rows = self.run("SELECT seq, number, hash, body FROM audit_pages WHERE chain = ? ORDER BY number", chain)
        return [(seq, number, bytes(found), unpacked(body)) for seq, number, found, body in rows]

    def forge(self, seq: int, body: bytes) -> None:
        self.run("UPDATE audit_pages SET body = ? WHERE seq = ?", body, seq)

    def rehash(self, chain: str) -> None:
        """Mend every hash of a chain, as an attacker can who knows how they are made."""
        before = NOTHING
        for seq, number, _, body in self.pages(chain):
            before = chain_hash(before, chain, number, body)
            self.run("UPDATE audit_pages SET hash = ? WHERE seq = ?", before, seq)
        self.run("UPDATE audit_chains SET hash = ?, number = ? WHERE chain = ?", before, number, chain)

    def findings(self, *, keyed: bool = True) -> list[str]:
        keys = audit_keys(self.where) if keyed else None
        assert keyed is (keys is not None)
        return check_store(self.where, keys).findings


async def _lived(where: Target) -> None:
    for _ in range(2):
        async with a_service(where) as desk:
            for number in range(6):
                await desk.call(CATALOG, "SetOffering", {"region": "bj", "type": f"gpu-{number}", "stockTotal": 1})
                # A refusal: an entry that an attacker might want to remove.
                await desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": f"unit-{number}"})
            stands = (await desk.call(CLOCK, "DescribeClock")).result["now"]
            await desk.advance(stands.replace("T", " ")[:10] + " 23:59:59")


@pytest.fixture(scope="module", params=STORES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A log that no test changes: to make it takes longer than most of these tests."""
    with empty(request.param, tmp_path_factory.mktemp("lived") / "data", migrated=True) as where:
        asyncio.run(_lived(where))
        yield where


@pytest.fixture
def log(lived: Target, tmp_path: Path) -> Iterator[Log]:
    """A copy of it."""
    with copy_of(lived, tmp_path / "data") as copy:
        yield Log(copy)


def _plain(log: Log) -> int:
    """Return the place of a page that is not packed and tells of an offering, after the first."""
    return next(place for place, page in enumerate(log.pages(log.first)) if place and b"SetOffering" in page[3])


def alter(log: Log) -> None:
    seq, _, _, body = log.pages(log.first)[_plain(log)]
    log.forge(seq, body.replace(b"SetOffering", b"BuyOffering"))


def alter_and_mend_that_page(log: Log) -> None:
    pages = log.pages(log.first)
    place = _plain(log)
    seq, number, _, body = pages[place]
    body = body.replace(b"SetOffering", b"BuyOffering")
    log.forge(seq, body)
    before = pages[place - 1][2]
    log.run("UPDATE audit_pages SET hash = ? WHERE seq = ?", chain_hash(before, log.first, number, body), seq)


def alter_and_mend_the_chain(log: Log) -> None:
    alter(log)
    log.rehash(log.first)


def alter_the_newest_and_mend_the_chain(log: Log) -> None:
    seq, _, _, body = log.pages(log.second)[3]
    log.forge(seq, body.replace(b"InstanceNotFound", b"OK").replace(b'"unit-', b'"unat-'))
    log.rehash(log.second)


def remove_a_page(log: Log) -> None:
    log.run("DELETE FROM audit_pages WHERE seq = ?", log.pages(log.first)[4][0])


def remove_the_first_page(log: Log) -> None:
    log.run("DELETE FROM audit_pages WHERE seq = ?", log.pages(log.first)[0][0])


def remove_the_tail(log: Log) -> None:
    for seq, *_ in log.pages(log.second)[-2:]:
        log.run("DELETE FROM audit_pages WHERE seq = ?", seq)


def remove_the_tail_and_move_the_head(log: Log) -> None:
    remove_the_tail(log)
    _, number, found, _ = log.pages(log.second)[-1]
    log.run("UPDATE audit_chains SET number = ?, hash = ? WHERE chain = ?", number, found, log.second)


def insert_a_page(log: Log) -> None:
    pages = log.pages(log.second)
    last = pages[-1]
    log.run(
        "INSERT INTO audit_pages (seq, chain, number, account_id, first_at, last_at, size, hash, body) "
        "SELECT seq + 1000, chain, number + 1, account_id, first_at, last_at, size, hash, body FROM audit_pages "
        "WHERE seq = ?",
        last[0],
    )


def insert_a_page_between(log: Log) -> None:
    log.run("UPDATE audit_pages SET number = number + 1000 WHERE chain = ? AND number > 3", log.first)
    log.run("UPDATE audit_pages SET number = number - 999 WHERE chain = ? AND number > 1000", log.first)
    log.run(
        "INSERT INTO audit_pages (seq, chain, number, account_id, first_at, last_at, size, hash, body) "
        "SELECT seq + 1000, chain, 4, account_id, first_at, last_at, size, hash, body FROM audit_pages "
        "WHERE chain = ? AND number = 3",
        log.first,
    )


def swap_two_pages(log: Log) -> None:
    (one, first, *_), (other, second, *_) = log.pages(log.first)[2:4]
    log.run("UPDATE audit_pages SET number = 1000 WHERE seq = ?", one)
    log.run("UPDATE audit_pages SET number = ? WHERE seq = ?", first, other)
    log.run("UPDATE audit_pages SET number = ? WHERE seq = ?", second, one)


def move_a_page_to_another_account(log: Log) -> None:
    log.run("UPDATE audit_pages SET account_id = 'somebody' WHERE seq = ?", log.pages(log.first)[2][0])


def hide_a_page_from_searches_by_time(log: Log) -> None:
    log.run("UPDATE audit_pages SET last_at = 0, first_at = 0 WHERE seq = ?", log.pages(log.first)[2][0])


def remove_a_head(log: Log) -> None:
    log.run("DELETE FROM audit_chains WHERE chain = ?", log.first)


def remove_a_chain(log: Log) -> None:
    log.run("DELETE FROM audit_pages WHERE chain = ?", log.first)
    log.run("DELETE FROM audit_chains WHERE chain = ?", log.first)


def remove_the_pages_of_a_chain(log: Log) -> None:
    log.run("DELETE FROM audit_pages WHERE chain = ?", log.first)


def forget_a_chain_in_the_next_and_mend_it(log: Log) -> None:
    remove_a_chain(log)
    seq, _, _, body = log.pages(log.second)[0]
    read = read_body(body)
    log.forge(seq, msgspec.json.encode(PageBody(read.account_id, read.entries, ())))
    log.rehash(log.second)


def seal_with_another_key(log: Log) -> None:
    alter_and_mend_the_chain(log)
    ((number, found),) = log.run("SELECT number, hash FROM audit_chains WHERE chain = ?", log.first)
    seal = AuditKeys(b"x" * 32).seal(head_message(log.first, number, bytes(found)))
    log.run("UPDATE audit_chains SET seal = ? WHERE chain = ?", seal, log.first)


def index_a_page_that_is_none(log: Log) -> None:
    log.run("INSERT INTO audit_units (unit_id, page) VALUES ('unit-1', 999999)")


def damage_a_page(log: Log) -> None:
    log.forge(log.pages(log.first)[2][0], b"\xff")


# The change, the finding of ``check``, and whether it takes the master key to find it.
TAMPERED: Final[list[tuple[Callable[[Log], None], str, bool]]] = [
    (alter, "is not what was written, or does not follow", False),
    (alter_and_mend_that_page, "is not what was written, or does not follow", False),
    (alter_and_mend_the_chain, "was another one when this one began", False),
    (alter_the_newest_and_mend_the_chain, "does not have the seal of the master key", True),
    (remove_a_page, "page 5 was removed", False),
    (remove_the_first_page, "page 1 was removed", False),
    (remove_the_tail, "were removed", False),
    (remove_the_tail_and_move_the_head, "does not have the seal of the master key", True),
    (insert_a_page, "is not what was written, or does not follow", False),
    (insert_a_page_between, "page 4 is not what was written, or does not follow page 3", False),
    (swap_two_pages, "page 3 is not what was written", False),
    (move_a_page_to_another_account, "page 3 stands under another account", False),
    (hide_a_page_from_searches_by_time, "page 3 stands under another account, number or time", False),
    (remove_a_head, "its head was removed", False),
    (remove_a_chain, "and they are gone", False),
    (remove_the_pages_of_a_chain, "pages after 0 were removed", False),
    (forget_a_chain_in_the_next_and_mend_it, "does not have the seal of the master key", True),
    (seal_with_another_key, "does not have the seal of the master key", True),
    (index_a_page_that_is_none, "page 999999, which does not exist", False),
    (damage_a_page, "page 3 cannot be read", False),
]


def test_what_nobody_touched_is_right(log: Log) -> None:
    assert log.findings() == []
    assert log.findings(keyed=False) == []
    assert len(log.pages(log.first)) > 6


@pytest.mark.parametrize(("tamper", "said", "needs_key"), TAMPERED, ids=lambda one: getattr(one, "__name__", ""))
def test_whatever_is_done_to_the_log_is_found(
    log: Log,
    tamper: Callable[[Log], None],
    said: str,
    needs_key: bool,  # noqa: FBT001
) -> None:
    tamper(log)
    assert any(said in finding for finding in log.findings()), log.findings()
    assert any(said in finding for finding in log.findings(keyed=False)) is not needs_key


def test_without_the_master_key_the_check_says_what_it_cannot_prove(log: Log) -> None:
    assert "seals were not checked" not in check_store(log.where, audit_keys(log.where)).summary
    (log.where.directory / MASTER_KEY_FILE).unlink()
    assert audit_keys(log.where) is None
    assert "seals were not checked" in check_store(log.where).summary


async def test_a_server_goes_on_with_a_chain_of_its_own_whatever_was_done_to_the_others(log: Log) -> None:
    remove_a_page(log)
    await _lived(log.where)
    found = log.findings()
    assert len(found) == 1
    assert log.first in found[0]


@pytest.mark.slow
async def test_servers_on_one_database_write_chains_of_their_own_and_none_waits_for_another(tmp_path: Path) -> None:
    async def scene(where: Target) -> None:
        async with a_service(where) as one, a_service(where) as other:
            calls = [
                desk.call(UNITS, "ReleaseComputeUnit", {"instanceId": f"unit-{number}"})
                for number in range(20)
                for desk in (one, other)
            ]
            answers = await asyncio.gather(*calls)
            assert {answer.code for answer in answers} == {"InstanceNotFound"}

    with postgres.shared_server().database(migrated=True) as url:
        where = Target(tmp_path / "data", url)
        await scene(where)
        log = Log(where)
        assert log.findings() == []
        assert (
            sum(len(read_body(body).entries) for chain in (log.first, log.second) for *_, body in log.pages(chain))
            == 40
        )
