"""The number of the last instance whose purchase is older than events.

Times do not show it: events of work that was overdue when events began carry its due time, which can be before the
purchase of an instance without events.
"""

from __future__ import annotations

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

AT_ONCE, PAGES_MAX, NAMES_MAX = 500, 10_000, 10_000
"""Upper bound of the pages that are searched for purchases.

A page is written together with the instances of its events, so the first instance with an event is on one of the first
pages, even with several servers. If there are more pages, reading them all would take long and could only find a
slightly smaller number.
"""


def upgrade() -> None:
    connection = op.get_bind()
    first = _first_bought(connection)
    last = connection.execute(sa.text("SELECT coalesce(max(seq), 0) FROM units")).scalar_one()
    before = last if first is None else first - 1
    facts = sa.table("facts", sa.column("name", sa.Text()), sa.column("value", sa.Text()))
    connection.execute(facts.insert().values(name="units_before_events", value=str(before)))


def _first_bought(connection: sa.Connection) -> int | None:
    """Return the number of the first instance with an event of its purchase."""
    pages = sa.text(
        # The first type has the first bit.
        "SELECT seq, events FROM event_pages WHERE seq > :seq AND types % 2 = 1 ORDER BY seq LIMIT :many"
    )
    numbers = sa.text("SELECT min(seq) FROM units WHERE id IN :ids").bindparams(sa.bindparam("ids", expanding=True))
    found: list[int | None] = []
    seq = -1
    for _ in range(PAGES_MAX // AT_ONCE):
        rows = connection.execute(pages, {"seq": seq, "many": AT_ONCE}).all()
        if not rows:
            break
        seq = rows[-1][0]
        ids = [event[2] for _, text in rows for event in _events(text) if event[1] == "unit.bought"]
        parts = (ids[begin : begin + NAMES_MAX] for begin in range(0, len(ids), NAMES_MAX))
        found += [connection.execute(numbers, {"ids": part}).scalar() for part in parts]
    return min((number for number in found if number is not None), default=None)


def _events(text: bytes | str) -> list[list[object]]:
    """Parse a page: a list of times, types, instances, users and data; empty if it is damaged."""
    try:
        page = text.encode() if isinstance(text, str) else bytes(text)
        events: list[list[object]] = json.loads(zlib.decompress(page) if page.startswith(b"x") else page)
    except (ValueError, zlib.error):
        return []
    return events
