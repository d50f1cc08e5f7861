"""Orders have numbers of accounts and instances in place of ids, and only what the row of their instance has not.

The view ``orders``, which shows them with all fields, is created after the migrations (``rows/orders.py``).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "order_rows",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("unit", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_timing", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=True),
    )
    op.execute(
        "INSERT INTO account_numbers (account_id) SELECT DISTINCT account_id FROM orders "
        "WHERE account_id NOT IN (SELECT account_id FROM account_numbers)"
    )
    # In the order of their numbers, in which PostgreSQL then keeps the rows. The joins are outer ones so that SQLite
    # reads the orders first, and an order without an instance, which is no order, is for none afterwards.
    op.execute(
        'INSERT INTO order_rows (seq, unit, amount, "count", account, months, kind, payment_timing, id, region, type, '
        'created_at, created_by) SELECT o.seq, coalesce(u.seq, 0), o.amount, o."count", n.seq, o.months, o.kind, '
        "o.payment_timing, nullif(o.id, u.order_id), nullif(o.region, u.region), nullif(o.type, u.type), "
        "nullif(o.created_at, u.created_at), nullif(o.created_by, u.created_by) FROM orders o "
        "LEFT JOIN account_numbers n ON n.account_id = o.account_id LEFT JOIN units u ON u.id = o.unit_id "
        "ORDER BY o.seq"
    )
    if op.get_bind().dialect.name == "postgresql":
        # The number of an order that was undone is not used again.
        op.execute(
            "SELECT setval(pg_get_serial_sequence('order_rows', 'seq'), last_value, is_called) FROM orders_seq_seq"
        )
    op.drop_table("orders")
    op.create_index("order_rows_account", "order_rows", ["account", "seq"])
    op.create_index("order_rows_unit", "order_rows", ["unit", "seq"])
    unusual = sa.text("kind <> 'Purchase'")
    op.create_index(
        "order_rows_unusual", "order_rows", ["account", "seq"], sqlite_where=unusual, postgresql_where=unusual
    )
