"""The tables of client tokens, of used nonces, and of links and sessions that hold no more."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Text, text

from leasebook.store.rows.table import big as _big
from leasebook.store.rows.table import table as _table
from leasebook.store.rows.table import word as _text

# Small, because old rows are deleted: every purchase with a client token looks it up.
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

# Nonces that signatures used. The key begins with their end, so that new rows are written side by side.
nonce_pages = _table(
    "nonce_pages",
    _big("until", key=True),
    _text("access_key_id", key=True),
    _big("number", key=True),
    Column("digests", LargeBinary, nullable=False),
    without_rowid=True,
)

# The same by earlier versions, a row each. They are still read, and deleted when their time is over.
nonces = _table(
    "nonces",
    _text("access_key_id", key=True),
    _text("value", key=True),
    _big("hour"),
    Index("nonces_hour", "hour"),
    without_rowid=True,
)

# Links to sign in to the console that were used, and sessions that were ended.
spent_sign_ins = _table(
    "spent_sign_ins",
    _text("id", key=True),
    _text("user_id"),
    _big("until"),
    _big("spent_at"),
    Index("spent_sign_ins_until", "until"),
    without_rowid=True,
)

# Machines that ask for a key of the person who confirms their code at the console.
device_logins = _table(
    "device_logins",
    _text("user_code", key=True),
    _text("digest"),
    _text("machine"),
    _text("address"),
    _big("until"),
    _big("asked_at"),
    _text("status"),
    _text("account_id", null=True),
    _text("user_id", null=True),
    _big("decided_at", null=True),
    _text("access_key_id", null=True),
    Index("device_logins_until", "until"),
    without_rowid=True,
)

# Passwords for the console, by login name.
passwords = _table(
    "passwords",
    _text("login", key=True),
    _text("user_id"),
    _text("hash"),
    _big("changed_at"),
    Column("totp", LargeBinary, nullable=True),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),
    Column("recovery", Text, nullable=False, server_default=text("''")),
    Column("by_operator", Boolean, nullable=False, server_default=text("false")),
    Index("passwords_user", "user_id"),
    without_rowid=True,
)
