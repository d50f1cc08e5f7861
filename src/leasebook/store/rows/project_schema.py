"""The table of projects."""

from __future__ import annotations

from sqlalchemy import Index

from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import named as _named
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import where as _where
from leasebook.store.rows.table import word as _text

# Projects of accounts, the default ones left out. Active ones of an account have different names.
projects = _table(
    "projects",
    _text("id", key=True),
    _text("account_id"),
    _text("name"),
    _text("description"),
    _text("created_by"),
    _big("created_at"),
    _named("status", "Active"),
    _big("closed_at", null=True),
    Index("projects_account", "account_id", "created_at", "id"),
    _where("projects_name", "status = 'Active'", "account_id", "name"),
)
