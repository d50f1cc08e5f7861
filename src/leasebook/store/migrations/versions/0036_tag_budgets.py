"""Accounts may have budgets by tag: their limits count what was charged for each of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("tag_spent", "tag_crossed"):
        op.add_column("guards", sa.Column(name, sa.Text(), nullable=False, server_default="{}"))
