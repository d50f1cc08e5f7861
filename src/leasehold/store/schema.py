"""The tables. Amounts are micro-units, times microseconds since 1970 UTC, both 64-bit on every store."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData()

# SQLite numbers rows by itself only where the key is spelled INTEGER.
Sequence = BigInteger().with_variant(Integer(), "sqlite")


def _numbered() -> Column[int]:
    """Number the rows in the order in which they were written: what pages are cut by."""
    return Column("seq", Sequence, primary_key=True, autoincrement=True)


def _table(name: str, *items: SchemaItem, without_rowid: bool = False) -> Table:
    return Table(name, metadata, *items, sqlite_with_rowid=not without_rowid)


def _text(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null, primary_key=key)


def _big(name: str, *, null: bool = False, key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null, primary_key=key)


def _named(name: str, default: str) -> Column[str]:
    """Make a column of words that older rows have one of."""
    return Column(name, Text, nullable=False, server_default=default)


def _count(name: str, default: str = "0") -> Column[int]:
    """Make a column of numbers that older rows have none of."""
    return Column(name, BigInteger, nullable=False, server_default=default)


def _where(name: str, condition: str, *columns: str) -> Index:
    """Index only the rows for which the condition holds."""
    return Index(name, *columns, sqlite_where=text(condition), postgresql_where=text(condition))


KINDS = ("account_id", "region", "type", "payment_timing", "seq")
UNUSUAL = "status <> 'Running' AND status <> 'Released'"

accounts = _table(
    "accounts",
    _text("id", key=True),
    _text("name"),
    _text("time_zone"),
    _big("balance"),
    _big("created_at"),
    _big("arrears_since", null=True),
)

users = _table(
    "users",
    _text("id", key=True),
    _text("account_id"),
    _text("name"),
    Column("is_root", Boolean, nullable=False),
    _text("policies"),
    _big("created_at"),
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
    Index("access_keys_user", "user_id"),
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
    _big("quoted_at", null=True),
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
    _text("failure", null=True),
    Index("units_id", "id", unique=True),
    # Only live instances: a release takes its row out once, and lists never step over the dead.
    _where("units_live", "status <> 'Released'", "account_id", "kind", "seq"),
    # Lists by any of these three are merged from it, each part a walk along the index from where the page begins.
    # The status would move every entry about, so it is not in it: live and released ones have an index each.
    _where("units_live_kinds", "status <> 'Released'", *KINDS),
    _where("units_released_kinds", "status = 'Released'", *KINDS),
    # Few at any time: those that neither run nor are gone.
    _where("units_unusual", UNUSUAL, "account_id", "status", "seq"),
    _where("units_renewed", "auto_renew AND status <> 'Released'", "account_id", "seq"),
    _where("units_service", "service_id IS NOT NULL AND status <> 'Released'", "service_id", "seq"),
)

# Which services have replicas on which instances: what is written in the instances, the other way round.
placements = _table(
    "placements",
    _text("service_id", key=True),
    _text("unit_id", key=True),
    without_rowid=True,
)

# The key is the order in which due work is done. A storm is one giant tie in time, so the time alone
# would make every batch sort the whole storm.
agenda = _table(
    "agenda",
    _big("at", key=True),
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
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
    _big("deleted_at", null=True),
    Index("services_id", "id", unique=True),
    Index("services_account", "account_id", "seq"),
)

orders = _table(
    "orders",
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
    Index("orders_account", "account_id", "seq"),
    Index("orders_unit", "unit_id", "seq"),
    # Few beside the purchases: renewals and the like.
    _where("orders_unusual", "kind <> 'Purchase'", "account_id", "seq"),
)

postings = _table(
    "postings",
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
    # By time, so that a month is a stretch of it, and pages are newest first.
    Index("postings_account", "account_id", "at", "seq"),
    _where("postings_unit", "unit_id IS NOT NULL", "unit_id", "seq"),
    # Few beside the hourly charges.
    _where("postings_unusual", "kind <> 'Usage'", "account_id", "at", "seq"),
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
    Index("packages_id", "id", unique=True),
    Index("packages_account", "account_id", "seq"),
)

# Small and pruned: a client token is looked up on every purchase that carries one.
tokens = _table(
    "tokens",
    _text("account_id", key=True),
    _text("value", key=True),
    _text("digest"),
    Column("refused", Boolean, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    _big("created_at"),
    Index("tokens_created", "created_at"),
    without_rowid=True,
)

facts = _table("facts", _text("name", key=True), _text("value"))
