"""Events of identities: what became of accounts, users and keys, told so that their rows can be proved by it.

Every field is told, also one that is added later, but for those of ``NOT_TOLD``. A changed one is told with what it was
before: where a row was rewritten in between, the next event shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec

from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.record.event import (
    IAM_ACCOUNT_CHANGED,
    IAM_ACCOUNT_CREATED,
    IAM_FOUND,
    IAM_KEY_CHANGED,
    IAM_KEY_CREATED,
    IAM_SERVICE_KEY_CHANGED,
    IAM_SERVICE_KEY_CREATED,
    IAM_USER_CHANGED,
    IAM_USER_CREATED,
)

IAM_TYPES: Final = (
    *(IAM_ACCOUNT_CREATED, IAM_ACCOUNT_CHANGED, IAM_USER_CREATED, IAM_USER_CHANGED),
    *(IAM_KEY_CREATED, IAM_KEY_CHANGED, IAM_SERVICE_KEY_CREATED, IAM_SERVICE_KEY_CHANGED, IAM_FOUND),
)
"""The types of events that tell of identities; who may read them manages the account."""
NOT_TOLD: Final[dict[type[msgspec.Struct], frozenset[str]]] = {
    Account: frozenset({"balance", "arrears_since", "remind_before_us"}),
    User: frozenset(),
    AccessKey: frozenset(),
    ServiceKey: frozenset(),
}
"""Fields that are no matter of rights, or are told otherwise. The rows of these types are identities."""
HASHED: Final = frozenset({"sealed", "digest"})
"""Fields of which the SHA-256 is told: it shows that one was exchanged, and gives nothing of it away."""

_NAMES: Final[dict[type[msgspec.Struct], tuple[str, str, str]]] = {
    Account: ("account", IAM_ACCOUNT_CREATED, IAM_ACCOUNT_CHANGED),
    User: ("user", IAM_USER_CREATED, IAM_USER_CHANGED),
    AccessKey: ("accessKey", IAM_KEY_CREATED, IAM_KEY_CHANGED),
    ServiceKey: ("serviceKey", IAM_SERVICE_KEY_CREATED, IAM_SERVICE_KEY_CHANGED),
}
WHAT: Final = {name: row for row, (name, _, _) in _NAMES.items()}
"""What an event can be about, as its ``what`` says, and the rows of that."""
_FIELDS: Final = {
    row: tuple(name for name in row.__struct_fields__ if name != "id" and name not in hidden)
    for row, hidden in NOT_TOLD.items()
}


def told_of(row: Any) -> dict[str, Any]:
    """Return everything that events tell of a row, by the names of its fields."""
    return {name: _told(name, getattr(row, name)) for name in _FIELDS[type(row)]}


def identity_events(before: Any, after: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tell what happened to an account, a user or a key between two of its rows."""
    kind = type(after)
    what, created, changed = _NAMES[kind]
    if before is None:
        yield created, {"what": what, "id": after.id, "now": told_of(after)}
        return
    names = [name for name in _FIELDS[kind] if getattr(before, name) != getattr(after, name)]
    if names:
        now = {name: _told(name, getattr(after, name)) for name in names}
        was = {name: _told(name, getattr(before, name)) for name in names}
        yield changed, {"what": what, "id": after.id, "now": now, "before": was}


def _told(name: str, value: Any) -> Any:
    if name in HASHED:
        return sha256(value if isinstance(value, bytes) else str(value).encode()).hexdigest()
    return msgspec.to_builtins(value, builtin_types=())
