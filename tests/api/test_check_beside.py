"""The check is of one moment, whatever is committed between two of its queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from leasebook.store.verify.check import check_store
from leasebook.store.verify.looking import Looking
from tests.api.scene import ServiceHarness

EVERY: Final = 6
"""Queries of the check between two commits; there are some 150."""


@pytest.mark.both_stores
def test_purchases_and_releases_between_any_two_queries_are_no_findings(
    either: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = either.customer("1000")
    units = [caller.buy() for _ in range(3)]
    plain, asked = Looking.fetch, [0]

    def beside(self: Looking, text: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        asked[0] += 1
        if asked[0] % EVERY == 0:
            caller.release(units.pop())
            units.append(caller.buy())
        return plain(self, text, params)

    before = check_store(either.where)
    with monkeypatch.context() as patch:
        patch.setattr(Looking, "fetch", beside)
        report = check_store(either.where)
    assert report.findings == []
    assert asked[0] > 10 * EVERY
    # The number of orders and charges says which moment was checked: that of before the first of these commits.
    assert report.summary == before.summary
    assert check_store(either.where).summary != before.summary
