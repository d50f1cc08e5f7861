"""The table of purchases that wait for an approval."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer

from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import where as _where
from leasebook.store.rows.table import word as _text

# Purchases that wait for an approval, or waited for one.
approvals = _table(
    "approvals",
    _text("id", key=True),
    _text("account_id"),
    _text("asked_by"),
    _text("deed"),
    _text("command"),
    _text("token", null=True),
    _text("reasons"),
    _text("region"),
    _text("type"),
    _big("count"),
    _text("payment_timing"),
    Column("months", Integer, nullable=False),
    _big("release_at", null=True),
    _big("price"),
    _big("cost"),
    Column("self_approval", Boolean, nullable=False),
    _big("asked_at"),
    _big("lapses_at"),
    _big("remind_at", null=True),
    _text("status"),
    _big("reminded_at", null=True),
    _text("decided_by", null=True),
    _big("decided_at", null=True),
    _text("reason", null=True),
    _text("order_id", null=True),
    _text("unit_id", null=True),
    _text("service_id", null=True),
    # The next due work, derived from the times above (``Approval.due_at``).
    _big("due_at", null=True),
    Index("approvals_account", "account_id", "asked_at", "id"),
    Index("approvals_asked", "asked_at", "id"),
    _where("approvals_open", "status = 'Open'", "account_id", "asked_at", "id"),
    _where("approvals_due", "due_at IS NOT NULL", "due_at", "id"),
)
