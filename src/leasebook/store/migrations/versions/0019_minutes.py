"""Calls of the last two days are also counted by the minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("minutes", sa.Text(), nullable=False, server_default=sa.text("''")))
