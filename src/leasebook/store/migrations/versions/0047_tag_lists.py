"""Instances of a tag are on lists, and a batch writes one row of a list; subscriptions may be for projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tags", sa.Column("entries", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "tag_lists",
        sa.Column("account_id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), primary_key=True),
        sa.Column("part", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        entries = (
            "(SELECT coalesce(string_agg(e.key || chr(30) || e.value || chr(31), ''), '') "
            "FROM json_each_text(tags.tags::json) AS e)"
        )
        between, numbers = "chr(31)", "string_agg(seq::text, ',')"
    else:
        entries = (
            "(SELECT coalesce(group_concat(e.key || char(30) || e.value || char(31), ''), '') "
            "FROM json_each(tags.tags) AS e)"
        )
        between, numbers = "char(31)", "group_concat(seq, ',')"
    is_name = between.replace("31", "30")
    op.execute(
        f"UPDATE tags SET entries = {between} || {entries} || CASE WHEN name IS NULL THEN '' "
        f"ELSE 'leasebook:name' || {is_name} || name || {between} END"
    )
    op.execute(
        "INSERT INTO tag_lists (account_id, kind, key, value, part, first, numbers) "
        "SELECT account_id, kind, key, value, seq / 1024, min(seq), "
        f"',' || {numbers} || ',' FROM tagged WHERE kind IN ('unit', 'tpm') "
        "GROUP BY account_id, kind, key, value, seq / 1024"
    )
    op.drop_table("tagged")
    op.add_column("hooks", sa.Column("projects", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
