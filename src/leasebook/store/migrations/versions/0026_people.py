"""A user has a mail address, a language and the time when it was deleted; an offering can be closed and removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("email", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    op.add_column("offerings", sa.Column("closed_at", sa.BigInteger(), nullable=True))
    op.add_column("offerings", sa.Column("no_renewals", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("offerings", sa.Column("removed_at", sa.BigInteger(), nullable=True))
