"""The used nonces of a key and second are kept on several pages, so that a batch writes a small one.

The row of an earlier version becomes page 0. It is full where it has more nonces than a page takes now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("nonce_pages", "former_nonce_pages")
    op.create_table(
        "nonce_pages",
        sa.Column("until", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("access_key_id", sa.Text(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO nonce_pages (until, access_key_id, digests, number) "
        "SELECT until, access_key_id, digests, 0 FROM former_nonce_pages"
    )
    op.drop_table("former_nonce_pages")
