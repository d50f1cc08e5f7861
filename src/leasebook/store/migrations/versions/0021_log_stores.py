"""A service may have a log store, to which the lines of its replicas are sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("services", sa.Column("log_store", sa.Text(), nullable=True))
    here = sa.text("log_store IS NOT NULL")
    op.create_index("services_log_store", "services", ["id"], sqlite_where=here, postgresql_where=here)
