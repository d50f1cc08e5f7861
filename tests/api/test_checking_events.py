"""The check names each event, page or counter that was changed behind the server's back, on both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol

import psycopg
import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check
from tests.api.conftest import open_up
from tests.api.scene import ACCOUNT, UNITS, a_scene


class Sql(Protocol):
    def __call__(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...


@contextmanager
def tampering(where: Target) -> Iterator[Sql]:
    """Change rows in a transaction that is rolled back in the end; the check reads them in it."""
    if where.url is None:
        with closing(sqlite3.connect(where.directory / "leasebook.db")) as embedded:
            yield lambda text, params=(): embedded.execute(text, params).fetchall()
            embedded.rollback()
        return
    with psycopg.connect(where.url) as shared:

        def run(text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            cursor = shared.execute(text.replace("?", "%s").encode(), params)
            return [] if cursor.description is None else cursor.fetchall()

        yield run
        shared.rollback()


CHANGES: Final = (
    ("UPDATE guards SET held = '{}'", "account {account} counts 0 units of gpu-1"),
    ("UPDATE guards SET spent = '{}'", "account {account} counts 0.00 in 2030-01"),
    ("UPDATE guards SET month = '2030-02'", "account {account} counts 60.00 in 2030-02"),
    ("UPDATE guards SET account_id = 'nobody'", "account nobody has limits and does not exist"),
    ("UPDATE posting_rows SET amount = amount + 1 WHERE kind = 'Usage'", "account {account} counts 60.00 in 2030-01"),
    ("UPDATE units SET status = 'Stopped' WHERE id = '{unit}'", "unit {unit} has status Stopped, and its events tell"),
    ("UPDATE units SET count = 3 WHERE id = '{unit}'", "unit {unit} has count 3, and its events tell 2"),
    ("UPDATE units SET release_at = 1 WHERE id = '{unit}'", "unit {unit} has release_at 1, and its events tell"),
    ("DELETE FROM event_units WHERE unit_id = '{unit}'", "and unit {unit} disagree"),
    ("INSERT INTO event_units (unit_id, page) VALUES ('{unit}', 99)", "unit {unit} has events on page 99, which"),
    ("UPDATE event_pages SET last_at = last_at + 1", "is of other times than it says"),
    (
        "DELETE FROM event_pages WHERE seq = (SELECT min(page) FROM event_units WHERE unit_id = '{unit}')",
        "unit {unit} was bought, and no event tells of it",
    ),
    (
        "DELETE FROM event_pages WHERE seq = (SELECT max(page) FROM event_units WHERE unit_id = '{unit}')",
        "unit {unit} has release_at",
    ),
    ("UPDATE event_pages SET account_id = 'nobody'", "and its events tell another account of it"),
)


def test_every_change_behind_the_servers_back_is_named(migrated: Target) -> None:
    with a_scene(migrated) as scene:
        open_up(scene)
        scene.customer().buy()
        customer = scene.customer()
        customer.do(ACCOUNT, "SetGuardRails", {"limits": {"units": {"gpu-1": 5}}})
        unit = customer.buy(count=1)
        customer.do(UNITS, "ResizeComputeUnit", {"instanceId": unit, "count": 2})
        scene.advance("2030-01-15T09:00:00+08:00")
        customer.schedule(unit, "2030-01-15T12:00:00+08:00")
        named = {"account": customer.account_id(), "unit": unit}
    with tampering(migrated) as run:
        assert check(run).findings == []
    for change, finding in CHANGES:
        with tampering(migrated) as run:
            run(change.replace("{unit}", unit))
            findings = check(run).findings
            expected = finding.format(**named)
            assert any(expected in line for line in findings), (change, findings)


@pytest.mark.parametrize("kept", [1, 2])
def test_units_in_parts_are_compared_like_all_at_once(
    migrated: Target, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    with a_scene(migrated) as scene:
        open_up(scene)
        customer = scene.customer()
        units = [customer.buy() for _ in range(3)]
    monkeypatch.setattr("leasebook.store.verify.nouns.stories.UNITS_AT_ONCE", kept)
    monkeypatch.setattr("leasebook.store.verify.nouns.stories.SPOOL_BYTES", 1)
    monkeypatch.setattr("leasebook.store.verify.nouns.events.ROWS_AT_ONCE", kept)
    monkeypatch.setattr("leasebook.store.verify.nouns.events.PAGES_AT_ONCE", kept)
    with tampering(migrated) as run:
        assert check(run).findings == []
        run("UPDATE units SET count = 9")
        findings = check(run).findings
    assert {line for line in findings if line.startswith("unit ")} == {
        f"unit {unit} has count 9, and its events tell 1" for unit in units
    }
