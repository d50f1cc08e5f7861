"""Root keys from the environment, the last use of each key, and events of existing accounts, users and keys.

From here on every change of them is an event, and the check expects events for every row. So each existing row gets an
event of the type found, in the log of its account. The first seal follows their digest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

# The position of a type in the table never changes.
from leasebook.domain.record.event import types_mask
from leasebook.domain.values.former_name import SEALED

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FOUND = "iam.found"

ACCOUNT = ("id", "name", "time_zone", "created_at")
USER = ("id", "account_id", "name", "is_root", "policies", "created_at")
KEY = ("id", "user_id", "account_id", "sealed", "status", "created_at", "from_environment")
SERVICE_KEY = ("id", "account_id", "created_by", "name", "service_id", "digest", "created_at", "status")
TABLES = (
    ("account", "accounts", "id", ACCOUNT),
    ("user", "users", "account_id", USER),
    ("accessKey", "access_keys", "account_id", KEY),
    ("serviceKey", "service_keys", "account_id", SERVICE_KEY),
)


def upgrade() -> None:
    op.add_column(
        "access_keys", sa.Column("from_environment", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("access_keys", sa.Column("used_at", sa.BigInteger(), nullable=True))
    op.add_column("workers", sa.Column("keys", sa.Text(), nullable=False, server_default=sa.text("''")))
    connection = op.get_bind()
    now = _now(connection)
    digest, found = bytes(32), False
    pages = sa.table(
        "event_pages",
        *(sa.column(name) for name in ("account_id", "first_at", "last_at", "types")),
        sa.column("events", sa.LargeBinary()),
    )
    for account_id in _accounts(connection):
        events = [[now, FOUND, None, None, data] for data in _found_data(connection, account_id)]
        for event in events:
            text = msgspec.json.encode(event)
            head = SEALED + b"identity event\n%b\n%d\n%b\n" % (digest, 0, account_id.encode())
            digest, found = sha256(head + text).digest(), True
        connection.execute(
            pages.insert().values(
                account_id=account_id,
                first_at=now,
                last_at=now,
                types=types_mask({FOUND}),
                events=msgspec.json.encode(events),
            )
        )
    if found:
        facts = sa.table("facts", sa.column("name", sa.Text()), sa.column("value", sa.Text()))
        connection.execute(facts.insert().values(name="identity_log", value=f"0:{digest.hex()}"))


def _now(connection: sa.Connection) -> int:
    """Return the store's time: its virtual clock's if it has one."""
    stands = connection.execute(sa.text("SELECT value FROM facts WHERE name = 'clock_at'")).scalar()
    return int(stands) if stands is not None else time.time_ns() // 1000


def _accounts(connection: sa.Connection) -> list[str]:
    """Return every account, the operator's first: its first user is the first root."""
    root = "SELECT u.account_id FROM users u JOIN facts f ON f.value = u.id WHERE f.name = 'root_user'"
    first = connection.execute(sa.text(root)).scalar()
    # Includes accounts whose own row is gone but that still have a user or a key.
    every = (
        "SELECT id FROM accounts UNION SELECT account_id FROM users UNION SELECT account_id FROM access_keys "
        "UNION SELECT account_id FROM service_keys"
    )
    found = sorted(connection.execute(sa.text(every)).scalars())
    return sorted(found, key=lambda account_id: account_id != first)


def _found_data(connection: sa.Connection, account_id: str) -> Iterator[dict[str, Any]]:
    root = connection.execute(sa.text("SELECT value FROM facts WHERE name = 'root_user'")).scalar()
    for what, table, owner, columns in TABLES:
        text = f"SELECT {', '.join(columns)} FROM {table} WHERE {owner} = :owner ORDER BY created_at, id"
        rows = connection.execute(sa.text(text), {"owner": account_id}).mappings().all()
        # The first root comes before users of the same age.
        for row in sorted(rows, key=lambda row: what != "user" or row["id"] != root):
            now = {name: _value(name, row[name]) for name in columns if name != "id"}
            yield {"what": what, "id": row["id"], "now": now}


def _value(name: str, value: Any) -> Any:
    if name in ("sealed", "digest"):
        return sha256(value.encode() if isinstance(value, str) else bytes(value)).hexdigest()
    if name == "policies":
        return json.loads(value)
    if name in ("is_root", "from_environment"):
        return bool(value)
    return value
