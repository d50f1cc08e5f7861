"""Identity events: every change of accounts, users and keys, so that their rows can be verified against the log.

An event reports every field of the row except those of ``NOT_REPORTED``; a field that is added later is reported too. A
changed field is reported with its former value: if a row was changed without an event, the next event shows it.
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
"""The types of identity events. Reading them requires the permission to manage the account."""
NOT_REPORTED: Final[dict[type[msgspec.Struct], frozenset[str]]] = {
    Account: frozenset({"balance", "arrears_since", "remind_before_us"}),
    User: frozenset(),
    AccessKey: frozenset(),
    ServiceKey: frozenset(),
}
"""Fields that identity events leave out: they grant no rights, or other records have them. The keys are the identities.
"""
HASHED: Final = frozenset({"sealed", "digest"})
"""Fields whose SHA-256 is reported instead: it shows that the value was replaced, and does not reveal it."""

_NAMES: Final[dict[type[msgspec.Struct], tuple[str, str, str]]] = {
    Account: ("account", IAM_ACCOUNT_CREATED, IAM_ACCOUNT_CHANGED),
    User: ("user", IAM_USER_CREATED, IAM_USER_CHANGED),
    AccessKey: ("accessKey", IAM_KEY_CREATED, IAM_KEY_CHANGED),
    ServiceKey: ("serviceKey", IAM_SERVICE_KEY_CREATED, IAM_SERVICE_KEY_CHANGED),
}
WHAT: Final = {name: row for row, (name, _, _) in _NAMES.items()}
"""The row type of each value of an event's ``what``."""
_FIELDS: Final = {
    row: tuple(name for name in row.__struct_fields__ if name != "id" and name not in hidden)
    for row, hidden in NOT_REPORTED.items()
}


def reported_fields(row: Any) -> dict[str, Any]:
    """Return all fields of a row that identity events report, by name."""
    return {name: _reported(name, getattr(row, name)) for name in _FIELDS[type(row)]}


def identity_events(before: Any, after: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the event that a change of an account, a user or a key causes."""
    kind = type(after)
    what, created, changed = _NAMES[kind]
    if before is None:
        yield created, {"what": what, "id": after.id, "now": reported_fields(after)}
        return
    names = [name for name in _FIELDS[kind] if getattr(before, name) != getattr(after, name)]
    if names:
        now = {name: _reported(name, getattr(after, name)) for name in names}
        was = {name: _reported(name, getattr(before, name)) for name in names}
        yield changed, {"what": what, "id": after.id, "now": now, "before": was}


def _reported(name: str, value: Any) -> Any:
    if name in HASHED:
        return sha256(value if isinstance(value, bytes) else str(value).encode()).hexdigest()
    return msgspec.to_builtins(value, builtin_types=())
