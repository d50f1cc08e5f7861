"""A key says whether an operator made it; a subscription may be over several accounts, with a place in each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "access_keys", sa.Column("by_operator", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("hooks", sa.Column("accounts", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
    is_wide = sa.text("accounts <> '[]'")
    op.create_index("hooks_wide", "hooks", ["id"], sqlite_where=is_wide, postgresql_where=is_wide)
    op.create_table(
        "hook_places",
        sa.Column("hook_id", sa.Text(), primary_key=True),
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("page", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
