"""A password says whether an operator set it: others may know one that no operator set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passwords", sa.Column("by_operator", sa.Boolean(), nullable=False, server_default=sa.text("false")))
