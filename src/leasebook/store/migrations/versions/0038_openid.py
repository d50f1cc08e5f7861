"""A user can be a person at an identity provider, and a machine can ask for a key of the person who confirms it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("openid", sa.Text(), nullable=True))
    op.add_column("access_keys", sa.Column("name", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "device_logins",
        sa.Column("user_code", sa.Text(), primary_key=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("access_key_id", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("device_logins_until", "device_logins", ["until"])
