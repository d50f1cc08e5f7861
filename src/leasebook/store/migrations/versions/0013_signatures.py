"""Requirements on signatures, used nonces, and refused calls without a verified caller."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("users", "access_keys"):
        op.add_column(name, sa.Column("requires", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "nonces",
        sa.Column("access_key_id", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), primary_key=True),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("nonces_hour", "nonces", ["hour"], unique=False)
    op.create_table(
        "refused_calls",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("access_key_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("refused_calls_id", "refused_calls", ["id"], unique=True)
    op.create_index("refused_calls_minute", "refused_calls", ["minute", "seq"], unique=False)
