"""An account can have a tag policy, in its row, which every purchase reads anyway."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("tag_policy", sa.Text(), nullable=True))
