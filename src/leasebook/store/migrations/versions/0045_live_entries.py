"""The index of live instances has their numbers of units and their ends, which are then read without the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None
# No row changes, and a server of before writes the same ones.
writable_from = "0044"


def upgrade() -> None:
    op.drop_index("units_live_kinds", table_name="units")
    live = sa.text("status <> 'Released'")
    op.create_index(
        "units_live_kinds",
        "units",
        [
            *("account_id", "region", "type", "payment_timing", "seq"),
            *("count", "target_count", "release_at", "expires_at"),
        ],
        sqlite_where=live,
        postgresql_where=live,
    )
