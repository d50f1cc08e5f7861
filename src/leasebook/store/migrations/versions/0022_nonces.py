"""Used nonces are kept on pages, by access key and end of the signature. Rows of earlier versions stay where they are.

A row of an earlier version has only the hour of its signature's end, so it cannot be put on a page. Servers look for
the nonces of those signatures in the former table as well, until the last row there has been deleted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "nonce_pages",
        sa.Column("until", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("access_key_id", sa.Text(), primary_key=True),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
