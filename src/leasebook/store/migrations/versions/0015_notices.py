"""Mail addresses are confirmed, a link works only once, and tests have a rate.

Addresses that receive mail already count as confirmed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hooks", sa.Column("sealed_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("hooks", sa.Column("confirms", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("hooks", sa.Column("confirm_until", sa.BigInteger(), nullable=True))
    # The end of a former secret's day shows when it was replaced; older replacements have no record.
    op.execute("UPDATE hooks SET sealed_at = coalesce(before_until - 86400000000, created_at)")
    op.drop_index("hooks_working", "hooks")
    where = sa.text("status IN ('Active', 'Pending', 'Deleting')")
    op.create_index("hooks_working", "hooks", ["id"], unique=False, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "used_links",
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "deadline"),
        sqlite_with_rowid=True,
    )
    op.create_index("used_links_deadline", "used_links", ["deadline"], unique=False)
    op.create_table(
        "notice_rates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=True,
    )
    op.create_index("notice_rates_free", "notice_rates", ["free_at"], unique=False)
