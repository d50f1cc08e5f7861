"""The row of replica 0 says since when its service is down on the instance, and whether that was reported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("replicas", sa.Column("outage", sa.Text(), nullable=False, server_default=sa.text("'None'")))
    op.add_column("replicas", sa.Column("down_since", sa.BigInteger(), nullable=True))
    in_loops = sa.text("outage = 'Reported'")
    op.create_index("replicas_in_loops", "replicas", ["unit_id"], sqlite_where=in_loops, postgresql_where=in_loops)
