"""A password can have a second factor: its sealed secret, the last half minute used, and recovery codes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passwords", sa.Column("totp", sa.LargeBinary(), nullable=True))
    op.add_column("passwords", sa.Column("totp_step", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("passwords", sa.Column("recovery", sa.Text(), nullable=False, server_default=sa.text("''")))
