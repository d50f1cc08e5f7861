"""Costs are summed by hour, day and month, in groups of charges that are alike; instances' former tags are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tags", sa.Column("changed_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "tag_history",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("until", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("tags", sa.Text(), nullable=False),
    )
    op.create_table(
        "cost_groups",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("service_id", sa.Text(), nullable=True),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("rest", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "costs",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("level", sa.Text(), primary_key=True),
        sa.Column("since", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sums", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
