"""The tables of the record: orders, postings, events, subscriptions to them, and the audit log."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, text

from leasebook.store.rows.conditions import WITH_MOVES
from leasebook.store.rows.postings import DAY
from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import count as _count
from leasebook.store.rows.table import numbered as _numbered
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import views
from leasebook.store.rows.table import where as _where
from leasebook.store.rows.table import word as _text

# The number of each account in its postings. An account gets it with its row, and keeps it.
account_numbers = _table(
    "account_numbers",
    _numbered(),
    _text("account_id"),
    Index("account_numbers_account", "account_id", unique=True),
)

# The columns are in the order in which PostgreSQL needs the least padding between them.
posting_rows = _table(
    "posting_rows",
    _numbered(),
    _big("at"),
    _big("amount"),
    _big("price", null=True),
    _big("since", null=True),
    _big("unit", null=True),
    _big("count", null=True),
    Column("account", Integer, nullable=False),
    Column("minutes", Integer, nullable=True),
    _text("kind"),
    _text("order_id", null=True),
    _big("until", null=True),
    _text("project_id", null=True),
    # Empty: the usual one of the kind.
    _text("debit", null=True),
    _text("credit", null=True),
    # By time, so that a month is one range, and pages are newest first. Without the number, which SQLite adds itself,
    # PostgreSQL keeps a key once, with the places of all its postings: those of an hour, or of an instance and a day.
    Index("posting_rows_account", "account", "at"),
    Index(
        "posting_rows_unit",
        "unit",
        text(f"({DAY})"),
        sqlite_where=text("unit IS NOT NULL"),
        postgresql_where=text("unit IS NOT NULL"),
    ),
    # Few compared with the hourly charges.
    _where("posting_rows_unusual", "kind <> 'Usage'", "account", "at", "seq"),
)

# The view ``postings``.
postings = Table(
    "postings",
    views,
    _numbered(),
    _text("account_id"),
    _big("at"),
    _text("kind"),
    _text("debit"),
    _text("credit"),
    _big("amount"),
    _text("order_id", null=True),
    _text("unit_id", null=True),
    _big("minutes", null=True),
    _big("count", null=True),
    _big("price", null=True),
    _big("since", null=True),
    _big("until", null=True),
    _text("project_id", null=True),
    _big("account"),
    _big("unit", null=True),
)

# The columns are in the order in which PostgreSQL needs the least padding between them.
order_rows = _table(
    "order_rows",
    _numbered(),
    _big("unit"),
    _big("amount"),
    _big("count"),
    Column("account", Integer, nullable=False),
    Column("months", Integer, nullable=False),
    _text("kind"),
    _text("payment_timing"),
    # Empty: that of the instance.
    _text("id", null=True),
    _text("region", null=True),
    _text("type", null=True),
    _big("created_at", null=True),
    _text("created_by", null=True),
    Index("order_rows_account", "account", "seq"),
    Index("order_rows_unit", "unit", "seq"),
    # Few compared with the purchases: renewals and the like.
    _where("order_rows_unusual", "kind <> 'Purchase'", "account", "seq"),
)

# The view ``orders``.
orders = Table(
    "orders",
    views,
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("kind"),
    _text("unit_id"),
    _text("payment_timing"),
    _text("region"),
    _text("type"),
    _big("count"),
    Column("months", Integer, nullable=False),
    _big("amount"),
    _big("created_at"),
    _text("created_by"),
    _big("account"),
    _big("unit"),
)

# An account's events of a batch are one row. Rows of an account are numbered in the order of their commits, so that a
# reader who follows them misses none.
event_pages = _table(
    "event_pages",
    _numbered(),
    _text("account_id"),
    _big("first_at"),
    _big("last_at"),
    _big("types"),
    Column("events", LargeBinary, nullable=False),
    Index("event_pages_account", "account_id", "seq"),
    _where("event_pages_moves", WITH_MOVES, "account_id", "seq"),
)

# The pages with events of an instance.
event_units = _table(
    "event_units",
    _text("unit_id", key=True),
    _big("page", key=True),
    without_rowid=True,
)

# Calls: an account's entries of a batch are one row. Each run of a server writes its own chain, so that servers do not
# wait for each other.
audit_pages = _table(
    "audit_pages",
    _numbered(),
    _text("chain"),
    _big("number"),
    _text("account_id"),
    _big("first_at"),
    _big("last_at"),
    _big("size"),
    Column("hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("audit_pages_chain", "chain", "number", unique=True),
    Index("audit_pages_account", "account_id", "seq"),
)

audit_chains = _table(
    "audit_chains",
    _text("chain", key=True),
    _big("number"),
    Column("hash", LargeBinary, nullable=False),
    _big("last_at"),
    Column("seal", LargeBinary, nullable=False),
)

# The pages with calls that name an instance of their account.
audit_units = _table(
    "audit_units",
    _text("unit_id", key=True),
    _big("page", key=True),
    without_rowid=True,
)

# Refused calls of a minute without a verified caller; each server writes them once a minute.
refused_calls = _table(
    "refused_calls",
    _numbered(),
    _text("id"),
    _big("minute"),
    _text("address"),
    _text("access_key_id"),
    _text("account_id"),
    _big("calls"),
    _text("codes"),
    _big("first_at"),
    _big("last_at"),
    Index("refused_calls_id", "id", unique=True),
    Index("refused_calls_minute", "minute", "seq"),
)

audit_closures = _table(
    "audit_closures",
    _numbered(),
    _text("chain"),
    _big("first_number"),
    _big("last_number"),
    _big("first_at"),
    _big("last_at"),
    _big("size"),
    Column("hash_before", LargeBinary, nullable=False),
    Column("hash_after", LargeBinary, nullable=False),
    _text("counts"),
    _big("closed_at"),
    _text("public_key"),
    Column("signature", LargeBinary, nullable=False),
    Index("audit_closures_chain", "chain", "last_number", unique=True),
)

# Subscriptions to an account's events.
hooks = _table(
    "hooks",
    _text("id", key=True),
    _text("account_id"),
    _text("kind"),
    _text("target"),
    Column("sealed", LargeBinary, nullable=False),
    _text("types"),
    _text("unit_id", null=True),
    _text("status"),
    _text("created_by"),
    _big("created_at"),
    _big("since"),
    _big("page"),
    Column("sealed_before", LargeBinary, nullable=False),
    _big("before_until", null=True),
    _text("reason", null=True),
    _big("tests"),
    _count("sealed_at"),
    _count("confirms"),
    _big("confirm_until", null=True),
    Column("accounts", Text, nullable=False, server_default=text("'[]'")),
    Column("projects", Text, nullable=False, server_default=text("'[]'")),
    Index("hooks_account", "account_id", "created_at", "id"),
    _where("hooks_working", "status IN ('Active', 'Pending', 'Deleting')", "id"),
    # The operators' subscriptions, over other accounts: there are few.
    _where("hooks_wide", "accounts <> '[]'", "id"),
    _where("hooks_kept", "status IN ('Active', 'Paused', 'Pending')", "account_id"),
)

# Deleted after the deadline has passed.
used_links = _table(
    "used_links",
    _text("unit_id", key=True),
    _big("deadline", key=True),
    _text("deed"),
    _big("used_at"),
    Index("used_links_deadline", "deadline"),
)

# Deleted after the time in ``free_at``.
notice_rates = _table("notice_rates", _text("name", key=True), _big("free_at"), Index("notice_rates_free", "free_at"))

# How far each of the operators' subscriptions came in each account; cleared once the subscription is deleted.
hook_places = _table(
    "hook_places",
    _text("hook_id", key=True),
    _text("account_id", key=True),
    _big("page"),
    without_rowid=True,
)

# Queues of deliveries, by subscription and instance; an empty queue is deleted.
lanes = _table(
    "lanes",
    _text("hook_id", key=True),
    _text("name", key=True),
    _big("waiting"),
    _big("next_at", null=True),
    _text("holder", null=True),
    _big("leased_until", null=True),
    _where("lanes_due", "next_at IS NOT NULL", "hook_id", "next_at"),
    _where("lanes_idle", "next_at IS NULL", "hook_id", "name"),
)

# Each row has the time after which it may be deleted.
deliveries = _table(
    "deliveries",
    _text("hook_id", key=True),
    _big("page", key=True),
    _big("line", key=True),
    _text("account_id"),
    _text("lane"),
    _text("unit_id", null=True),
    _text("type"),
    _big("since"),
    _text("state"),
    _big("attempts"),
    _big("next_at", null=True),
    Column("status", Integer, nullable=True),
    _text("failure", null=True),
    _big("done_at", null=True),
    _big("clear_at", null=True),
    Index("deliveries_account", "account_id", "page", "line", "hook_id"),
    _where("deliveries_waiting", "state = 'Waiting'", "hook_id", "lane", "page", "line"),
    _where("deliveries_oldest", "state = 'Waiting'", "since"),
    _where("deliveries_clear", "clear_at IS NOT NULL", "clear_at"),
)
