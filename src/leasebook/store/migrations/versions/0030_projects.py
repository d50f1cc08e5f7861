"""Accounts have projects; what was bought and made before them belongs to the default one, which has no row.

No row is rewritten: an empty column is the default project.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

INDEXES = (
    ("projects_name", "projects", ["account_id", "name"], "status = 'Active'"),
    ("units_project_live", "units", ["project_id", "kind", "seq"], "project_id IS NOT NULL AND status <> 'Released'"),
    (
        "units_project_released",
        "units",
        ["project_id", "kind", "seq"],
        "project_id IS NOT NULL AND status = 'Released'",
    ),
    ("services_project", "services", ["project_id"], "project_id IS NOT NULL AND deleted_at IS NULL"),
    ("packages_project", "packages", ["project_id"], "project_id IS NOT NULL"),
)


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="Active"),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("projects_account", "projects", ["account_id", "created_at", "id"])
    for table in ("units", "services", "packages", "postings"):
        op.add_column(table, sa.Column("project_id", sa.Text(), nullable=True))
    op.add_column("guards", sa.Column("project_rules", sa.Text(), nullable=True))
    for name in ("project_units", "project_spent", "project_crossed"):
        op.add_column("guards", sa.Column(name, sa.Text(), nullable=False, server_default="{}"))
    for name, table, columns, condition in INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
