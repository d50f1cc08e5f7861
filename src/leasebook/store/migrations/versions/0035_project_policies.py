"""A user has policies for projects of the account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("project_policies", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
