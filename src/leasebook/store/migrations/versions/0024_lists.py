"""The list of all live instances has no index of its own: it is merged from the index of kinds."""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("units_live", table_name="units")
