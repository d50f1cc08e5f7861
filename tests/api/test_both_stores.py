"""An ordinary run leaves out some values of parameters on PostgreSQL, and no test."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.copies import ROUNDS, STORES


def test_every_test_of_either_store_runs_on_both_and_one_runs_with_all_its_values(
    request: pytest.FixtureRequest,
) -> None:
    options = request.config.option
    if options.keyword or options.markexpr or options.lf or os.environ.get("LEASEBOOK_TEST_STORE"):
        pytest.skip("only a part of the tests was asked for")
    ran: defaultdict[tuple[Path, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(STORES, 0))
    for item in request.session.items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "either" in item.callspec.params:
            ran[item.path, item.originalname][str(item.callspec.params["either"])] += 1
    assert [name for name, counts in ran.items() if 0 in counts.values()] == []
    if ROUNDS == 1:
        assert {counts["postgres"] for counts in ran.values()} <= {1}
    else:
        assert [name for name, counts in ran.items() if len(set(counts.values())) > 1] == []
