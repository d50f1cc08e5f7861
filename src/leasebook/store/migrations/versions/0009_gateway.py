"""Keys for calling services, and indexes that find a service by its address and the users of a model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, column in (("model_sets", "made"), ("model_sets", "models"), ("models", "services")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("services_suffix", "services", ["account_id", "url_suffix", "seq"], unique=False)
    op.create_table(
        "service_keys",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "account_id", "created_by", "name")),
        sa.Column("service_id", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="Active"),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_with_rowid=True,
    )
    op.create_index("service_keys_id", "service_keys", ["id"], unique=True)
    op.create_index("service_keys_account", "service_keys", ["account_id", "seq"], unique=False)
