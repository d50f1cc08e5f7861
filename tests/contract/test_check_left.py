"""Remarks of ``check`` on replicas that no running server looks after, on both stores."""

from __future__ import annotations

import pytest

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.contract.test_store_newer import write

COLUMNS = "unit_id, service_id, number, account_id, model_id, engine, node, units, generation, state, since"


def worker(name: str, node: str, beat: int, engines: str) -> str:
    return (
        f"INSERT INTO workers (id, node, beat, started_at, engines) VALUES ('{name}', '{node}', {beat}, 1, '{engines}')"
    )


def replica(number: int, engine: str, node: str, state: str) -> str:
    values = f"'u', 's', {number}, 'a', 'm', '{engine}', '{node}', 1, {number}, '{state}', 1"
    return f"INSERT INTO replicas ({COLUMNS}) VALUES ({values})"


@pytest.mark.parametrize(
    ("workers", "is_remarked"),
    [
        ([], False),
        ([worker("w", "one", -1, "")], False),
        ([worker("w", "one", 7, "process")], False),
        ([worker("w", "two", 7, "process")], True),
        ([worker("w", "two", 7, "process"), worker("v", "one", 3, "process,ray")], False),
        ([worker("w", "one", -1, "process"), worker("v", "one", 3, "ray")], True),
        ([worker("w", "two", 7, "process"), worker("old", "one", 3, "")], False),
    ],
)
def test_replicas_that_no_server_which_is_up_looks_after_are_a_remark(
    migrated: Target, workers: list[str], *, is_remarked: bool
) -> None:
    rows = [replica(1, "process", "one", "Ready"), replica(2, "process", "two", "Failed")]
    write(migrated, *workers, *rows)
    said = [line for line in check_store(migrated).remarks if "live replica" in line]
    assert [line.partition(",")[0] for line in said] == (
        ["1 live replica on engine process of one"] if is_remarked else []
    )
