"""Keys, used nonces and refused calls, as the store in memory has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    DEVICE_LOGINS,
    FORMER_NONCES,
    NONCE_PAGES,
    PASSWORDS,
    REFUSED_CALLS,
    SPENT_SIGN_INS,
    USERS,
    Key,
    Table,
)
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Numbered, RefusedFilter


class SignaturesOfMemory:
    """Questions about them."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        key = self._rows(ACCESS_KEYS).get((access_key_id,))
        return None if key is None else (key, self._rows(USERS)[(key.user_id,)])

    def identities(self, access_key_ids: Sequence[str]) -> dict[str, tuple[AccessKey, User]]:
        """Return those access keys that there are, each with the user whom it belongs to."""
        found = [row for row in self._rows(ACCESS_KEYS).values() if row.id in access_key_ids]
        return {key.id: (key, self._rows(USERS)[key.user_id,]) for key in found}

    def former_nonces_until(self) -> Instant:
        """Return the last hour until which a former row of a used nonce is of use."""
        return max((row.hour for row in self._rows(FORMER_NONCES).values()), default=Instant(0))

    def is_spent(self, sign_in_id: str) -> bool:
        """Whether a link to sign in was used, or a session was ended."""
        return (sign_in_id,) in self._rows(SPENT_SIGN_INS)

    def device_login(self, user_code: str) -> DeviceLogin | None:
        """Return a machine's request for a key."""
        found: DeviceLogin | None = self._rows(DEVICE_LOGINS).get((user_code,))
        return found

    def password(self, login: str) -> Password | None:
        """Return the password of a login name."""
        return self._rows(PASSWORDS).get((login,))

    def password_of(self, user_id: str) -> Password | None:
        """Return the password of a user."""
        return next((row for row in self._rows(PASSWORDS).values() if row.user_id == user_id and row.hash), None)

    def refused_calls(self, wanted: RefusedFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return rows of the log of refused calls, those written last first."""
        found = [
            Numbered(number, row)
            for number, row in enumerate(self._rows(REFUSED_CALLS).values(), 1)
            if wanted.address in (None, row.address)
            and wanted.access_key_id in (None, row.access_key_id)
            and (wanted.since is None or row.minute >= wanted.since)
            and (wanted.until is None or row.minute < wanted.until)
            and (after is None or number < after)
        ]
        return found[::-1][:limit]


def forget(rows: dict[Table[Any], dict[Key, Any]], nonces_before: Instant, refused_before: Instant, limit: int) -> None:
    """Forget at most ``limit`` rows of used nonces, and old rows of refused calls."""
    seconds = sorted({key[:2] for key, row in rows[NONCE_PAGES].items() if row.until < nonces_before})[:limit]
    for key in [key for key in rows[NONCE_PAGES] if key[:2] in seconds]:
        del rows[NONCE_PAGES][key]
    old = sorted((row.hour, key) for key, row in rows[FORMER_NONCES].items() if row.hour < nonces_before)
    for _, key in old[:limit]:
        del rows[FORMER_NONCES][key]
    spent = sorted((row.until, key) for key, row in rows[SPENT_SIGN_INS].items() if row.until < nonces_before)
    for _, key in spent[:limit]:
        del rows[SPENT_SIGN_INS][key]
    lapsed = sorted((row.until, key) for key, row in rows[DEVICE_LOGINS].items() if row.until < nonces_before)
    for _, key in lapsed[:limit]:
        del rows[DEVICE_LOGINS][key]
    late = sorted((row.minute, key) for key, row in rows[REFUSED_CALLS].items() if row.minute < refused_before)
    for _, key in late[:limit]:
        del rows[REFUSED_CALLS][key]
