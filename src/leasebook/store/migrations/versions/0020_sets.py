"""Model sets have a type, labels and the time of their last change; versions say where their model comes from.

A set was last changed when a version of it was added or deleted; a set that never had one was not changed since then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_sets", sa.Column("model_type", sa.Text(), nullable=True))
    op.add_column("model_sets", sa.Column("labels", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("model_sets", sa.Column("modified_at", sa.BigInteger(), nullable=True))
    op.add_column("models", sa.Column("source_type", sa.Text(), nullable=True))
    op.add_column("models", sa.Column("source_meta", sa.Text(), nullable=True))
    op.execute(
        "UPDATE model_sets SET modified_at = (SELECT max(t.changed_at) FROM ("
        "SELECT set_id, created_at AS changed_at FROM models UNION ALL "
        "SELECT set_id, deleted_at FROM models WHERE deleted_at IS NOT NULL) t WHERE t.set_id = model_sets.id)"
    )
    # A machine's clock may have been set back between the set and its version.
    op.execute("UPDATE model_sets SET modified_at = created_at WHERE modified_at < created_at")
