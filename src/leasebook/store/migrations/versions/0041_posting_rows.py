"""Postings have numbers of accounts and instances in place of ids, and no ledger accounts where these are usual.

The view ``postings``, which shows them with all fields, is created after the migrations (``rows/postings.py``).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

WALLET = "'wallet:' || p.account_id"
DEBIT = (
    "CASE p.kind WHEN 'TopUp' THEN 'funding' WHEN 'WriteOff' THEN 'loss:written-off' WHEN 'Refund' "
    f"THEN 'revenue:prepaid' ELSE {WALLET} END"
)
CREDIT = (
    "CASE p.kind WHEN 'Usage' THEN 'revenue:usage' WHEN 'PayOut' THEN 'funding' WHEN 'TopUp' THEN "
    f"{WALLET} WHEN 'WriteOff' THEN {WALLET} WHEN 'Refund' THEN {WALLET} ELSE 'revenue:prepaid' END"
)
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "account_numbers",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("account_id", sa.Text(), nullable=False),
    )
    op.execute("INSERT INTO account_numbers (account_id) SELECT id FROM accounts ORDER BY created_at, id")
    op.execute(
        "INSERT INTO account_numbers (account_id) SELECT DISTINCT account_id FROM postings "
        "WHERE account_id NOT IN (SELECT id FROM accounts)"
    )
    op.create_index("account_numbers_account", "account_numbers", ["account_id"], unique=True)
    op.create_table(
        "posting_rows",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("unit", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("debit", sa.Text(), nullable=True),
        sa.Column("credit", sa.Text(), nullable=True),
    )
    # In the order of their numbers, in which PostgreSQL then keeps the rows. The joins are outer ones so that SQLite
    # reads the postings first.
    op.execute(
        'INSERT INTO posting_rows (seq, at, amount, price, since, unit, "count", account, minutes, kind, order_id, '
        f'until, project_id, debit, credit) SELECT p.seq, p.at, p.amount, p.price, p.since, u.seq, p."count", n.seq, '
        f"p.minutes, p.kind, p.order_id, p.until, p.project_id, CASE WHEN p.debit <> {DEBIT} THEN p.debit END, "
        f"CASE WHEN p.credit <> {CREDIT} THEN p.credit END FROM postings p "
        "LEFT JOIN account_numbers n ON n.account_id = p.account_id LEFT JOIN units u ON u.id = p.unit_id "
        "ORDER BY p.seq"
    )
    if op.get_bind().dialect.name == "postgresql":
        # The number of a posting that was undone, or rolled up, is not used again.
        op.execute(
            "SELECT setval(pg_get_serial_sequence('posting_rows', 'seq'), last_value, is_called) FROM postings_seq_seq"
        )
    op.drop_table("postings")
    op.create_index("posting_rows_account", "posting_rows", ["account", "at"])
    in_unit, unusual = sa.text("unit IS NOT NULL"), sa.text("kind <> 'Usage'")
    op.create_index(
        "posting_rows_unit",
        "posting_rows",
        ["unit", sa.text("(at / 86400000000)")],
        sqlite_where=in_unit,
        postgresql_where=in_unit,
    )
    op.create_index(
        "posting_rows_unusual",
        "posting_rows",
        ["account", "at", "seq"],
        sqlite_where=unusual,
        postgresql_where=unusual,
    )
