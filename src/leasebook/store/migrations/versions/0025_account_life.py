"""An account has a status and the reason for it; accounts are listed by their creation and found by their name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("status", sa.Text(), nullable=False, server_default=sa.text("'Active'")))
    op.add_column("accounts", sa.Column("status_reason", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index("accounts_created", "accounts", ["created_at", "id"])
    op.create_index("accounts_name", "accounts", ["name", "created_at", "id"])
