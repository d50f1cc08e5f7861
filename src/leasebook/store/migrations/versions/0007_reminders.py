"""Reminders: when an instance's next one is due, and how long before a deadline an account wants them.

Existing accounts get none until they ask for some, and existing instances none until their deadline is set again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("remind_before_us", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("units", sa.Column("remind_at", sa.BigInteger(), nullable=True))
    op.add_column("units", sa.Column("remind_before_us", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("units", sa.Column("reminded_at", sa.BigInteger(), nullable=True))
