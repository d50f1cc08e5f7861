"""The tables of the record: what happened, who is told of it, and who called what."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary

from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import count as _count
from leasebook.store.rows.table import numbered as _numbered
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import where as _where
from leasebook.store.rows.table import word as _text

# What happened to an account in a batch is one row. Numbered in the order of their commits within an account, so that
# who follows them misses none.
event_pages = _table(
    "event_pages",
    _numbered(),
    _text("account_id"),
    _big("first_at"),
    _big("last_at"),
    _big("types"),
    Column("events", LargeBinary, nullable=False),
    Index("event_pages_account", "account_id", "seq"),
)

# On which pages something happened to an instance.
event_units = _table(
    "event_units",
    _text("unit_id", key=True),
    _big("page", key=True),
    without_rowid=True,
)

# Who called what: an account's entries of a batch are one row. Each server's run writes a chain of its own, so that
# none waits for another.
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

# On which pages a call names an instance of its account.
audit_units = _table(
    "audit_units",
    _text("unit_id", key=True),
    _big("page", key=True),
    without_rowid=True,
)

# Calls of a minute that were refused before anybody knew who called; written once a minute by each server.
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

# Who is told of an account's events.
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
    Index("hooks_account", "account_id", "created_at", "id"),
    _where("hooks_working", "status IN ('Active', 'Pending', 'Deleting')", "id"),
    _where("hooks_kept", "status IN ('Active', 'Paused', 'Pending')", "account_id"),
)

# Pruned once the deadline has passed.
used_links = _table(
    "used_links",
    _text("unit_id", key=True),
    _big("deadline", key=True),
    _text("deed"),
    _big("used_at"),
    Index("used_links_deadline", "deadline"),
)

# Pruned once it is free.
notice_rates = _table("notice_rates", _text("name", key=True), _big("free_at"), Index("notice_rates_free", "free_at"))

# What waits, by hook and instance; a lane where nothing waits is cleared away.
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

# Pruned: each says itself when it may be forgotten.
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
