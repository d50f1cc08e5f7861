"""The audit log: pages of chains, the sealed ends of chains, the index of instances, and receipts of removed pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "audit_pages",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_with_rowid=True,
    )
    op.create_index("audit_pages_chain", "audit_pages", ["chain", "number"], unique=True)
    op.create_index("audit_pages_account", "audit_pages", ["account_id", "seq"], unique=False)
    op.create_table(
        "audit_chains",
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "audit_units",
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("page", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "page"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "audit_closures",
        sa.Column("seq", number, autoincrement=True, nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hash_before", sa.LargeBinary(), nullable=False),
        sa.Column("hash_after", sa.LargeBinary(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_with_rowid=True,
    )
    op.create_index("audit_closures_chain", "audit_closures", ["chain", "last_number"], unique=True)
