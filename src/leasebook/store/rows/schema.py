"""The tables. Amounts are micro-units, times microseconds since 1970 UTC, both 64-bit on every store."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, SmallInteger, Text, text

from leasebook.store.rows import approval_schema as _approvals  # noqa: F401 - its tables are part of the schema
from leasebook.store.rows import orders as _orders
from leasebook.store.rows import postings as _postings
from leasebook.store.rows import project_schema as _projects  # noqa: F401 - its tables are part of the schema
from leasebook.store.rows import record_schema as _record
from leasebook.store.rows import token_schema as _tokens  # noqa: F401 - its tables are part of the schema
from leasebook.store.rows.conditions import UNUSUAL
from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import count as _count
from leasebook.store.rows.table import metadata, views
from leasebook.store.rows.table import named as _named
from leasebook.store.rows.table import numbered as _numbered
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import where as _where
from leasebook.store.rows.table import word as _text

__all__ = ["VIEWS", "facts", "metadata", "views"]

# The views by name, which are created after the migrations, and the view that shows the rows of a table.
VIEWS = {_record.orders.name: _orders.VIEW, _record.postings.name: _postings.VIEW}
SHOWN_BY = {_record.order_rows.name: _record.orders, _record.posting_rows.name: _record.postings}

KINDS = ("account", "region", "type", "payment_timing", "seq")
LIVE = "state <> 'Gone'"

accounts = _table(
    "accounts",
    _text("id", key=True),
    _text("name"),
    _text("time_zone"),
    _big("balance"),
    _big("created_at"),
    _big("arrears_since", null=True),
    Column("remind_before_us", Text, nullable=False, server_default=text("''")),
    _named("status", "Active"),
    Column("status_reason", Text, nullable=False, server_default=text("''")),
    _text("tag_policy", null=True),
    Index("accounts_created", "created_at", "id"),
    Index("accounts_name", "name", "created_at", "id"),
)

users = _table(
    "users",
    _text("id", key=True),
    _text("account_id"),
    _text("name"),
    Column("is_root", Boolean, nullable=False),
    _text("policies"),
    _big("created_at"),
    Column("requires", Text, nullable=False, server_default=text("''")),
    _text("email", null=True),
    _text("language", null=True),
    _big("deleted_at", null=True),
    Column("project_policies", Text, nullable=False, server_default=text("'[]'")),
    _text("openid", null=True),
    Index("users_account", "account_id", "created_at", "id"),
)

access_keys = _table(
    "access_keys",
    _text("id", key=True),
    _text("user_id"),
    _text("account_id"),
    Column("sealed", LargeBinary, nullable=False),
    _text("status"),
    _big("created_at"),
    Column("requires", Text, nullable=False, server_default=text("''")),
    Column("from_environment", Boolean, nullable=False, server_default=text("false")),
    Column("by_operator", Boolean, nullable=False, server_default=text("false")),
    Column("name", Text, nullable=False, server_default=text("''")),
    # Written beside the rows (``identity_queries``): the use of a key is no change of it.
    _big("used_at", null=True),
    Index("access_keys_user", "user_id"),
    # Partial indexes for bounded rows: only those that count towards an account's bound are scanned.
    _where("access_keys_active", "status = 'Active'", "account_id"),
)

offerings = _table(
    "offerings",
    _text("region", key=True),
    _text("type", key=True),
    _big("position"),
    _big("per_minute", null=True),
    _big("per_month", null=True),
    _big("stock_total"),
    _big("stock_free"),
    _named("kind", "ComputingUnit"),
    _named("stock_source", "Set"),
    _count("oversold"),
    _count("price_number"),
    _big("closed_at", null=True),
    Column("no_renewals", Boolean, nullable=False, server_default=text("false")),
    _big("removed_at", null=True),
)

# One row an engine: reports about it and commands that set its stock lock this row.
supplies = _table(
    "supplies",
    _text("engine", key=True),
    _text("told_to", null=True),
    _text("words"),
    _text("stocks"),
)

prices = _table("prices", _text("region", key=True), _text("type", key=True), _text("changes"))

units = _table(
    "units",
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("created_by"),
    _text("order_id"),
    _text("service_id", null=True),
    _text("region"),
    _text("type"),
    _big("count"),
    _text("payment_timing"),
    _text("status"),
    _big("created_at"),
    _named("kind", "ComputingUnit"),
    _big("target_count", null=True),
    _count("resize_paid"),
    Column("placements", Text, nullable=False, server_default=text("''")),
    Column("term_months", Integer, nullable=False),
    _big("term_from", null=True),
    _big("term_anchor", null=True),
    Column("auto_renew", Boolean, nullable=False),
    Column("auto_renew_months", Integer, nullable=False),
    _big("renew_at", null=True),
    _big("started_at", null=True),
    _big("meter_from", null=True),
    _big("metered_minutes"),
    _count("metered_peak"),
    _big("sized_at", null=True),
    _big("price_number", null=True),
    _big("quoted_price", null=True),
    _count("quoted_count"),
    _count("quoted_number"),
    _big("release_at", null=True),
    _big("charge_at", null=True),
    _big("expires_at", null=True),
    _big("stop_at", null=True),
    _big("resume_at", null=True),
    _big("retire_at", null=True),
    _big("charged"),
    _big("ended_at", null=True),
    _text("end_reason", null=True),
    _big("released_at", null=True),
    _count("extensions"),
    _count("generation"),
    _text("failure", null=True),
    _big("remind_at", null=True),
    Column("remind_before_us", Text, nullable=False, server_default=text("''")),
    _big("reminded_at", null=True),
    # The first due work of the instance, derived from the times above (``agenda.head_of``).
    _big("due_at", null=True),
    Column("due_kind", SmallInteger, nullable=True),
    _text("project_id", null=True),
    # The account's number: the indexes of lists have it in place of the id, which is eight times as long.
    Column("account", Integer, nullable=False, server_default="0"),
    Index("units_id", "id", unique=True),
    # The order in which due work is done. Many thousand instances may be due at the same time, and with the time alone
    # every batch would sort them all. With the release time, overdue releases are found without reading the rows.
    _where("units_due", "due_at IS NOT NULL", "due_at", "due_kind", "seq", "release_at"),
    # Lists are merged from these two indexes, one scan from the start of the page for each region, type and payment
    # timing that is asked for; a list of all has no index of its own, which every purchase and release would write.
    # With the status in the key every change of status would move an entry, so live and released instances have an
    # index each. The holdings of an account, and its coming ends, are read from the entries of live instances alone.
    _where("units_live_kinds", "status <> 'Released'", *KINDS, "count", "target_count", "release_at", "expires_at"),
    _where("units_released_kinds", "status = 'Released'", *KINDS),
    # The few that neither run nor are released.
    _where("units_unusual", UNUSUAL, "account_id", "status", "seq"),
    _where("units_renewed", "auto_renew AND status <> 'Released'", "account_id", "seq"),
    _where("units_asked", "generation > 0 AND status <> 'Released' AND status <> 'CreateFailed'", "id"),
    _where("units_service", "service_id IS NOT NULL AND status <> 'Released'", "service_id", "seq"),
    # Only those outside of the default project: a purchase into that writes no entry.
    _where("units_project_live", "project_id IS NOT NULL AND status <> 'Released'", "project_id", "kind", "seq"),
    _where("units_project_released", "project_id IS NOT NULL AND status = 'Released'", "project_id", "kind", "seq"),
)

# The services with replicas on an instance: the placements in the instances' rows, by service.
placements = _table(
    "placements",
    _text("service_id", key=True),
    _text("unit_id", key=True),
    without_rowid=True,
)

services = _table(
    "services",
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("created_by"),
    _text("name"),
    _text("description"),
    _text("url_suffix"),
    _text("model_set_id"),
    _text("model_id"),
    _text("resource_type"),
    _text("region", null=True),
    Column("qps", Float, nullable=True),
    _big("replicas"),
    _big("created_at"),
    _named("service_type", "chat"),
    Column("protocol_version", Integer, nullable=False, server_default="1"),
    _count("deploying"),
    _count("prepaid_units"),
    _count("postpaid_units"),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    Column("runs", Boolean, nullable=False, server_default=text("false")),
    _count("ready"),
    _big("deleted_at", null=True),
    _text("log_store", null=True),
    _text("project_id", null=True),
    Index("services_id", "id", unique=True),
    Index("services_account", "account_id", "seq"),
    Index("services_suffix", "account_id", "url_suffix", "seq"),
    _where("services_run", "runs", "id"),
    _where("services_kept", "deleted_at IS NULL", "account_id"),
    _where("services_log_store", "log_store IS NOT NULL", "id"),
    _where("services_project", "project_id IS NOT NULL AND deleted_at IS NULL", "project_id"),
)

model_sets = _table(
    "model_sets",
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("created_by"),
    _text("name"),
    _text("description"),
    _big("created_at"),
    _big("deleted_at", null=True),
    _count("made"),
    _count("models"),
    _text("model_type", null=True),
    Column("labels", Text, nullable=False, server_default=text("''")),
    _big("modified_at", null=True),
    Index("model_sets_id", "id", unique=True),
    Index("model_sets_account", "account_id", "seq"),
    _where("model_sets_kept", "deleted_at IS NULL", "account_id"),
)

models = _table(
    "models",
    _numbered(),
    _text("id"),
    _text("set_id"),
    _text("account_id"),
    _text("created_by"),
    _text("version"),
    _text("description"),
    _text("run"),
    _big("created_at"),
    _big("deleted_at", null=True),
    _count("services"),
    _text("approved_by", null=True),
    _big("approved_at", null=True),
    _big("withdrawn_at", null=True),
    _text("source_type", null=True),
    _text("source_meta", null=True),
    Index("models_id", "id", unique=True),
    Index("models_set", "set_id", "seq"),
    _where("models_kept", "deleted_at IS NULL", "account_id"),
)

guards = _table(
    "guards",
    _text("account_id", key=True),
    _text("rules"),
    _text("held"),
    _text("month"),
    _text("spent"),
    _text("crossed"),
    _count("waiting"),
    _text("project_rules", null=True),
    _named("project_units", "{}"),
    _named("project_spent", "{}"),
    _named("project_crossed", "{}"),
    _named("tag_spent", "{}"),
    _named("tag_crossed", "{}"),
)

quotes = _table(
    "quotes",
    _text("id", key=True),
    _text("account_id"),
    _text("region"),
    _text("type"),
    _big("count"),
    _text("payment_timing"),
    Column("months", Integer, nullable=False),
    _big("price"),
    _big("created_at"),
    _big("expires_at"),
    _text("used_by", null=True),
    _where("quotes_held", "used_by IS NULL", "account_id", "expires_at"),
)

calls = _table(
    "calls",
    _text("service_id", key=True),
    _text("app_id", key=True),
    _big("hour", key=True),
    _text("account_id"),
    _big("input_tokens"),
    _big("output_tokens"),
    _big("succeeded"),
    _big("failed"),
    Column("minutes", Text, nullable=False, server_default=text("''")),
    Index("calls_account", "account_id", "hour"),
)

packages = _table(
    "packages",
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("created_by"),
    _text("service_name"),
    _big("specification"),
    _big("used"),
    _big("started_at"),
    _big("expires_at"),
    _text("project_id", null=True),
    Index("packages_id", "id", unique=True),
    Index("packages_account", "account_id", "seq"),
    _where("packages_project", "project_id IS NOT NULL", "project_id"),
)

service_keys = _table(
    "service_keys",
    _numbered(),
    _text("id"),
    _text("account_id"),
    _text("created_by"),
    _text("name"),
    _text("service_id", null=True),
    _text("digest"),
    _big("created_at"),
    _named("status", "Active"),
    Index("service_keys_id", "id", unique=True),
    Index("service_keys_account", "account_id", "seq"),
    _where("service_keys_active", "status = 'Active'", "account_id"),
)

# The name and the tags of a thing, by its id. A thing without them has no row.
tags = _table(
    "tags",
    _text("id", key=True),
    _text("account_id"),
    _text("kind"),
    _text("name", null=True),
    _text("tags"),
    _big("changed_at", null=True),
)

# The tags that instances had before: each row until a moment, at which they changed.
tag_history = _table("tag_history", _text("id", key=True), _big("until", key=True), _text("tags"))

# The same by key, for lists that are filtered: ``seq`` is the number of the thing's row, by which its list is cut into
# pages. A name has an entry under a key of its own.
tagged = _table(
    "tagged",
    _text("account_id", key=True),
    _text("kind", key=True),
    _text("key", key=True),
    _big("seq", key=True),
    _text("value"),
    Index("tagged_value", "account_id", "kind", "key", "value", "seq"),
    without_rowid=True,
)

# The properties of charges by which costs are grouped, one row for all charges that have them in common.
cost_groups = _table(
    "cost_groups",
    _text("account_id", key=True),
    _text("id", key=True),
    _text("kind"),
    _text("region"),
    _text("type"),
    _text("user_id"),
    _text("service_id", null=True),
    _text("project_id", null=True),
    _text("tags"),
    Column("rest", Boolean, nullable=False, server_default=text("false")),
    without_rowid=True,
)

# An account's costs in an hour, a day or a month, of all its groups: a year is read in a few rows.
costs = _table(
    "costs",
    _text("account_id", key=True),
    _text("level", key=True),
    _big("since", key=True),
    _text("sums"),
    without_rowid=True,
)

_KEYS = Column("keys", Text, nullable=False, server_default=text("''"))
_ENGINES = Column("engines", Text, nullable=False, server_default=text("''"))
workers = _table("workers", _text("id", key=True), _text("node"), _big("beat"), _big("started_at"), _KEYS, _ENGINES)

leases = _table(
    "leases",
    _text("unit_id", key=True),
    _text("holder"),
    _text("node"),
    _big("since"),
    Index("leases_holder", "holder"),
)

replicas = _table(
    "replicas",
    _text("unit_id", key=True),
    _text("service_id", key=True),
    _big("number", key=True),
    _text("account_id"),
    _text("model_id"),
    _text("engine"),
    _text("node"),
    _big("units"),
    _big("generation"),
    _text("state"),
    _big("since"),
    _text("address", null=True),
    _named("devices", "[]"),
    _text("reason", null=True),
    _text("trouble", null=True),
    _count("restarts"),
    _big("not_before", null=True),
    _big("deadline", null=True),
    _named("outage", "None"),
    _big("down_since", null=True),
    Index("replicas_service", "service_id"),
    # Few compared with the replicas of past instances.
    _where("replicas_live", LIVE, "unit_id"),
    _where("replicas_in_loops", "outage = 'Reported'", "unit_id"),
)

facts = _table("facts", _text("name", key=True), _text("value"))
