"""Replicas: the replicas that engines run, and the workers and leases that look after them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _big(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=null)


def _where(name: str, table: str, condition: str, column: str) -> None:
    text = sa.text(condition)
    op.create_index(name, table, [column], unique=False, sqlite_where=text, postgresql_where=text)


def upgrade() -> None:
    op.create_table(
        "workers", _text("id"), _text("node"), _big("beat"), _big("started_at"), sa.PrimaryKeyConstraint("id")
    )
    op.create_table(
        "leases", _text("unit_id"), _text("holder"), _text("node"), _big("since"), sa.PrimaryKeyConstraint("unit_id")
    )
    op.create_table(
        "replicas",
        _text("unit_id"),
        _text("service_id"),
        _big("number"),
        _text("account_id"),
        _text("model_id"),
        _text("engine"),
        _text("node"),
        _big("units"),
        _big("generation"),
        _text("state"),
        _big("since"),
        _text("address", null=True),
        sa.Column("devices", sa.Text(), nullable=False, server_default="[]"),
        _text("reason", null=True),
        _text("trouble", null=True),
        sa.Column("restarts", sa.BigInteger(), nullable=False, server_default="0"),
        _big("not_before", null=True),
        _big("deadline", null=True),
        sa.PrimaryKeyConstraint("unit_id", "service_id", "number"),
    )
    _where("services_run", "services", "runs", "id")
    op.create_index("leases_holder", "leases", ["holder"], unique=False)
    op.create_index("replicas_service", "replicas", ["service_id"], unique=False)
    _where("replicas_live", "replicas", "state <> 'Gone'", "unit_id")
    _where("units_asked", "units", "generation > 0 AND status <> 'Released' AND status <> 'CreateFailed'", "id")
