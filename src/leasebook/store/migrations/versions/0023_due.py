"""An instance's row has the first of its due work, and there is no table of all due work any more.

The later pieces are derived from the times in the row when work is read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("units", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.add_column("units", sa.Column("due_kind", sa.SmallInteger(), nullable=True))
    op.execute(
        "UPDATE units SET due_at = first.at, due_kind = first.kind FROM (SELECT at, kind, unit_id, "
        "row_number() OVER (PARTITION BY unit_id ORDER BY at, kind) AS place FROM agenda) AS first "
        "WHERE first.place = 1 AND first.unit_id = units.id"
    )
    op.drop_table("agenda")
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "units_due", "units", ["due_at", "due_kind", "seq", "release_at"], sqlite_where=is_due, postgresql_where=is_due
    )
