"""Which rows have their digest in the audit log, and from when on they must have it."""

from __future__ import annotations

from contextlib import closing

import pytest

from leasebook.domain.record.row_digest import BYTES
from leasebook.store.verify.digests import SPOOL_BYTES, RowDigests
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
    with closing(RowDigests()) as digests:
        noted = NotedRows(digests, founded_at=founded, older_seq=older, noting=noting, closed_until=closed)
        assert noted.unnoted_until == until


def test_digests_that_are_on_no_page_are_found_among_more_than_fit_into_memory_at_once() -> None:
    size = 3 * SPOOL_BYTES // BYTES
    rows = [bytes(BYTES - 4) + number.to_bytes(4) for number in range(size)]
    rows += [digest[::-1] for digest in rows]
    missing = {rows[0], rows[size], rows[-1]}
    with closing(RowDigests()) as digests:
        for digest in rows:
            digests.want(digest)
        digests.note(b"".join(digest for digest in reversed(rows) if digest not in missing))
        # A digest that no row has, or not any more, does no harm.
        digests.note(bytes(range(BYTES)))
        assert digests.missing() == missing
        assert digests.missing() == missing
