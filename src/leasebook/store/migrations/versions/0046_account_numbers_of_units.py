"""Instances have the number of their account, which the indexes of lists have in place of its id.

The index of live instances also has their numbers of units and their ends, which are then read without the rows.

Besides, pages of events and of the audit log are compressed with a dictionary from now on, which earlier versions
cannot read. Pages that were written without it are read as before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0044"
branch_labels = None
depends_on = None

KINDS = ("account", "region", "type", "payment_timing", "seq")
INDEXES = {
    "units_live_kinds": ("status <> 'Released'", [*KINDS, "count", "target_count", "release_at", "expires_at"]),
    "units_released_kinds": ("status = 'Released'", [*KINDS]),
}


def upgrade() -> None:
    op.execute(
        "INSERT INTO account_numbers (account_id) SELECT DISTINCT account_id FROM units "
        "WHERE account_id NOT IN (SELECT account_id FROM account_numbers)"
    )
    for name in INDEXES:
        op.drop_index(name, "units")
    op.add_column("units", sa.Column("account", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE units SET account = (SELECT seq FROM account_numbers n WHERE n.account_id = units.account_id)")
    for name, (condition, columns) in INDEXES.items():
        where = sa.text(condition)
        op.create_index(name, "units", columns, sqlite_where=where, postgresql_where=where)
