"""From when on rows must have their digest in the audit log."""

from __future__ import annotations

import pytest

from leasebook.store.verify.nouns.audit_log import NotedRows


@pytest.mark.parametrize(
    ("founded", "older", "noting", "closed", "until"),
    [
        (5, -1, [(1, 5)], None, None),
        # Founded by a version that took note of nothing, and never called before the upgrade.
        (5, -1, [(1, 9)], None, 9),
        (5, 3, [(4, 9)], None, 9),
        (None, -1, [(1, 9)], None, None),
        # Its first pages were closed, and the next one is of much later.
        (5, -1, [(4, 90)], 6, 6),
    ],
)
def test_rows_of_an_earlier_version_need_no_digest(
    founded: int | None, older: int, noting: list[tuple[int, int]], closed: int | None, until: int | None
) -> None:
    assert NotedRows(founded_at=founded, older_seq=older, noting=noting, closed_until=closed).unnoted_until == until
