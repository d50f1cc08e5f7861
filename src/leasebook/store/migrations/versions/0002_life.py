"""The full life of an instance: placements, terms, meters, arrears; quota, quotes, usage and token packages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LIVE = sa.text("status <> 'Released'")


def _big(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=null, server_default=default)


def _text(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null, server_default=default)


def _add(table: str, *columns: sa.Column[int] | sa.Column[str] | sa.Column[bool]) -> None:
    for column in columns:
        op.add_column(table, column)


def _where(name: str, table: str, condition: str, *columns: str) -> None:
    text = sa.text(condition)
    op.create_index(name, table, [*columns], unique=False, sqlite_where=text, postgresql_where=text)


def upgrade() -> None:
    _accounts_and_offerings()
    _units()
    _services()
    _history()
    _new_tables()


def _accounts_and_offerings() -> None:
    _add("accounts", _big("arrears_since", null=True))
    # Accounts that are in arrears already get the full grace from the day of the upgrade.
    op.execute(
        "UPDATE accounts SET arrears_since = (SELECT coalesce(max(at), 0) FROM postings "
        "WHERE postings.account_id = accounts.id) WHERE balance < 0"
    )
    _add("offerings", _text("kind", default="ComputingUnit"))


def _units() -> None:
    _add(
        "units",
        _text("kind", default="ComputingUnit"),
        _big("target_count", null=True),
        _big("resize_paid", default="0"),
        _text("placements", default=""),
        _big("term_from", null=True),
        _big("term_anchor", null=True),
        _big("renew_at", null=True),
        _big("meter_from", null=True),
        _big("metered_peak", default="0"),
        _big("quoted_at", null=True),
        _big("stop_at", null=True),
        _big("resume_at", null=True),
        _text("failure", null=True),
    )
    op.execute(
        "UPDATE units SET placements = '[[\"' || service_id || '\",' || replicas || ',' || (count / replicas) || ']]' "
        "WHERE service_id IS NOT NULL AND replicas > 0 AND status IN ('Creating', 'Running', 'Stopped')"
    )
    op.execute("UPDATE units SET term_from = started_at, term_anchor = started_at WHERE payment_timing = 'Prepaid'")
    op.execute("UPDATE units SET meter_from = started_at, metered_peak = count WHERE payment_timing = 'Postpaid'")
    # Automatic renewals are tried next at the next offset before their expiry. Those whose last attempt has passed
    # expire.
    day = 86_400_000_000
    for days in (0, 1, 3, 7):
        op.execute(
            f"UPDATE units SET renew_at = expires_at - {days * day} WHERE auto_renew AND status = 'Running' "
            f"AND expires_at IS NOT NULL AND expires_at - {days * day} > (SELECT coalesce(max(at), 0) FROM postings)"
        )
    op.execute(
        "INSERT INTO agenda (at, kind, unit_id) SELECT renew_at, 0, id FROM units "
        "WHERE renew_at IS NOT NULL AND status = 'Running'"
    )
    op.drop_index("units_live", table_name="units")
    op.create_index(
        "units_live",
        "units",
        ["account_id", "kind", "seq"],
        unique=False,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    _where("units_renewed", "units", "auto_renew AND status <> 'Released'", "account_id", "seq")
    op.create_table(
        "placements",
        _text("service_id"),
        _text("unit_id"),
        sa.PrimaryKeyConstraint("service_id", "unit_id"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO placements (service_id, unit_id) SELECT service_id, id FROM units WHERE placements <> ''")


def _services() -> None:
    _add(
        "services",
        _text("service_type", default="chat"),
        sa.Column("protocol_version", sa.Integer(), nullable=False, server_default="1"),
        _big("deploying", default="0"),
        _big("prepaid_units", default="0"),
        _big("postpaid_units", default="0"),
        sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        _big("deleted_at", null=True),
    )
    placed = "FROM units u WHERE u.placements <> '' AND u.service_id = services.id"
    op.execute(
        f"UPDATE services SET prepaid_units = (SELECT count(*) {placed} AND u.payment_timing = 'Prepaid'), "
        f"postpaid_units = (SELECT count(*) {placed} AND u.payment_timing = 'Postpaid')"
    )
    # Replicas that were still being created were counted as running.
    coming = f"(SELECT coalesce(sum(u.replicas), 0) {placed} AND u.status = 'Creating')"
    op.execute(f"UPDATE services SET deploying = {coming}, replicas = replicas - {coming}")
    op.drop_column("units", "replicas")


def _history() -> None:
    op.create_index("orders_unit", "orders", ["unit_id", "seq"], unique=False)
    _where("orders_unusual", "orders", "kind <> 'Purchase'", "account_id", "seq")
    _add(
        "postings",
        _big("count", null=True),
        _big("price", null=True),
        _big("since", null=True),
        _big("until", null=True),
    )
    op.drop_index("postings_account", table_name="postings")
    op.create_index("postings_account", "postings", ["account_id", "at", "seq"], unique=False)
    _where("postings_unusual", "postings", "kind <> 'Usage'", "account_id", "at", "seq")


def _new_tables() -> None:
    op.create_table(
        "quotes",
        _text("id"),
        _text("account_id"),
        _text("region"),
        _text("type"),
        _big("count"),
        _text("payment_timing"),
        sa.Column("months", sa.Integer(), nullable=False),
        _big("price"),
        _big("created_at"),
        _big("expires_at"),
        _text("used_by", null=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "calls",
        _text("service_id"),
        _text("app_id"),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        _text("account_id"),
        _big("input_tokens"),
        _big("output_tokens"),
        _big("succeeded"),
        _big("failed"),
        sa.PrimaryKeyConstraint("service_id", "app_id", "hour"),
        sqlite_with_rowid=True,
    )
    op.create_index("calls_account", "calls", ["account_id", "hour"], unique=False)
    op.create_table(
        "packages",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        _text("id"),
        _text("account_id"),
        _text("created_by"),
        _text("service_name"),
        _big("specification"),
        _big("used"),
        _big("started_at"),
        _big("expires_at"),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_with_rowid=True,
    )
    op.create_index("packages_id", "packages", ["id"], unique=True)
    op.create_index("packages_account", "packages", ["account_id", "seq"], unique=False)
