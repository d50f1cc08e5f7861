"""Each server says which engines it works with, so that everybody sees what nobody looks after."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("engines", sa.Text(), nullable=False, server_default=sa.text("''")))
