"""Trust in model versions, and indexes for the counts of an account's rows.

The owner of a version does not show who made it: any user who may write services could. So none of an account's
versions becomes trusted here; an operator inspects and approves them (ApproveModel). Only operators could add versions
for all accounts, so those are trusted from their creation on. Running replicas go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEPT = "deleted_at IS NULL"
INDEXES = (
    ("access_keys_active", "access_keys", "status = 'Active'", ["account_id"]),
    ("services_kept", "services", KEPT, ["account_id"]),
    ("model_sets_kept", "model_sets", KEPT, ["account_id"]),
    ("models_kept", "models", KEPT, ["account_id"]),
    ("quotes_held", "quotes", "used_by IS NULL", ["account_id", "expires_at"]),
    ("service_keys_active", "service_keys", "status = 'Active'", ["account_id"]),
    ("hooks_kept", "hooks", "status IN ('Active', 'Paused', 'Pending')", ["account_id"]),
)


def upgrade() -> None:
    op.add_column("models", sa.Column("approved_by", sa.Text(), nullable=True))
    op.add_column("models", sa.Column("approved_at", sa.BigInteger(), nullable=True))
    op.add_column("models", sa.Column("withdrawn_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE models SET approved_by = created_by, approved_at = created_at WHERE account_id = ''")
    for name, table, condition, columns in INDEXES:
        where = sa.text(condition)
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)
