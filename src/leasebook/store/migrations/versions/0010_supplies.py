"""The units of each type that engines report, and offerings whose stock follows them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offerings", sa.Column("stock_source", sa.Text(), nullable=False, server_default="Set"))
    op.add_column("offerings", sa.Column("oversold", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "supplies",
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("told_to", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("stocks", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("engine"),
        sqlite_with_rowid=True,
    )
