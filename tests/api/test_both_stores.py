"""An ordinary run tries each kind of thing on PostgreSQL, and a deep one each test."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.copies import STORES
from tests.depth import IS_DEEP, ROUNDS


def counted(request: pytest.FixtureRequest) -> dict[tuple[Path, str], dict[str, int]]:
    """Return how often each test of either store runs on each."""
    options = request.config.option
    if options.keyword or options.markexpr or options.lf or os.environ.get("LEASEBOOK_TEST_STORE"):
        pytest.skip("only a part of the tests was asked for")
    ran: defaultdict[tuple[Path, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(STORES, 0))
    for item in request.session.items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "either" in item.callspec.params:
            if any("either" in mark.args[0] for mark in item.iter_markers("parametrize")):
                continue  # It names its store itself.
            ran[item.path, item.originalname][str(item.callspec.params["either"])] += 1
    return ran


def test_every_test_of_either_store_runs_with_all_its_values_and_in_each_folder_some_on_postgresql(
    request: pytest.FixtureRequest,
) -> None:
    ran = counted(request)
    assert [name for name, counts in ran.items() if not counts["sqlite"]] == []
    found = [item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    again = {item.path.parent for item in found if "postgres" in map(str, item.callspec.params.values())}
    assert {path.parent for path, _ in ran} - again == set()


def test_a_deep_run_has_each_of_them_on_both(request: pytest.FixtureRequest) -> None:
    ran = counted(request)
    if not IS_DEEP:
        pytest.skip("an ordinary run was asked for")
    assert [name for name, counts in ran.items() if 0 in counts.values()] == []
    if ROUNDS > 1:
        assert [name for name, counts in ran.items() if len(set(counts.values())) > 1] == []
    else:
        assert {counts["postgres"] for counts in ran.values()} <= {1}
