"""Each server reports its engines, so that others see which replicas have no server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("engines", sa.Text(), nullable=False, server_default=sa.text("''")))
