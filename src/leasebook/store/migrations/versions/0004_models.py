"""The model repository, and marks of the services that engines run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("units", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("services", sa.Column("runs", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("services", sa.Column("ready", sa.BigInteger(), nullable=False, server_default="0"))
    for name, columns, by in (
        ("model_sets", ("name", "description"), "account_id"),
        ("models", ("version", "description", "run"), "set_id"),
    ):
        op.create_table(
            name,
            sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
            sa.Column("id", sa.Text(), nullable=False),
            *([sa.Column("set_id", sa.Text(), nullable=False)] if name == "models" else []),
            sa.Column("account_id", sa.Text(), nullable=False),
            sa.Column("created_by", sa.Text(), nullable=False),
            *(sa.Column(column, sa.Text(), nullable=False) for column in columns),
            sa.Column("created_at", sa.BigInteger(), nullable=False),
            sa.Column("deleted_at", sa.BigInteger(), nullable=True),
            sa.PrimaryKeyConstraint("seq"),
            sqlite_with_rowid=True,
        )
        op.create_index(f"{name}_id", name, ["id"], unique=True)
        op.create_index(f"{name}_{'set' if name == 'models' else 'account'}", name, [by, "seq"], unique=False)
