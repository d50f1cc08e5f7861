"""Pages of events that tell of moves from project to project have an index: it says where a thing was at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None
# No row changes, and a server of before writes the same ones.
writable_from = "0039"


def upgrade() -> None:
    is_move = sa.text("types & 288230376151711744 <> 0")
    op.create_index(
        "event_pages_moves", "event_pages", ["account_id", "seq"], sqlite_where=is_move, postgresql_where=is_move
    )
