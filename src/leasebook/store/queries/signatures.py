"""Queries about keys and refused calls, and the statements that delete used nonces and old rows of that log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import ACCESS_KEYS, DEVICE_LOGINS, PASSWORDS, REFUSED_CALLS, USERS
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Numbered, RefusedFilter
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS

AT_ONCE: Final = 100
"""Keys per statement."""


class SignatureQueries:
    """Queries on one connection; see ``ReadRepository``."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def identities(self, access_key_ids: Sequence[str]) -> dict[str, tuple[AccessKey, User]]:
        """Return the existing access keys among these ids, each with its user."""
        keys = self._by_id(ACCESS_KEYS, access_key_ids)
        users = self._by_id(USERS, sorted({key.user_id for key in keys.values()}))
        return {key_id: (key, users[key.user_id]) for key_id, key in keys.items()}

    def _by_id(self, table: Any, ids: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for begin in range(0, len(ids), AT_ONCE):
            some = ids[begin : begin + AT_ONCE]
            # The same number of marks each time, so that there are two statements and not a hundred.
            size = 1 if len(some) == 1 else AT_ONCE
            marks = ", ".join("?" * size)
            text = f"SELECT {columns(CODECS[table])} FROM {table.name} WHERE id IN ({marks})"
            rows = self._fetch(text, [*some, *[some[-1]] * (size - len(some))])
            found.update((row.id, row) for row in map(CODECS[table].read, rows))
        return found

    def former_nonces_until(self) -> Instant:
        """Return the last hour until which a former row of a used nonce is of use; 0: there is none."""
        ((hour,),) = self._fetch("SELECT max(hour) FROM nonces", ())
        return Instant(hour or 0)

    def is_spent(self, sign_in_id: str) -> bool:
        """Whether a link to sign in was used, or a session was ended."""
        return bool(self._fetch("SELECT 1 FROM spent_sign_ins WHERE id = ?", (sign_in_id,)))

    def device_login(self, user_code: str) -> DeviceLogin | None:
        """Return a machine's request for a key; None: there is none with that code."""
        codec = CODECS[DEVICE_LOGINS]
        text = f"SELECT {columns(codec)} FROM {codec.name} WHERE user_code = ?"
        return next((codec.read(row) for row in self._fetch(text, (user_code,))), None)

    def password(self, login: str) -> Password | None:
        """Return the password of a login name; None: it has none."""
        return self._password("login = ?", login)

    def password_of(self, user_id: str) -> Password | None:
        """Return the password of a user; None: the user has none."""
        return self._password("user_id = ? AND hash <> ''", user_id)

    def _password(self, where: str, value: str) -> Password | None:
        codec = CODECS[PASSWORDS]
        rows = self._fetch(f"SELECT {columns(codec)} FROM passwords WHERE {where} ORDER BY changed_at DESC", (value,))
        return codec.read(rows[0]) if rows else None

    def refused_calls(self, wanted: RefusedFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return rows of the log of refused calls, last written first."""
        where, params = ["1 = 1"], []
        for text, value in (
            ("address = ?", wanted.address),
            ("access_key_id = ?", wanted.access_key_id),
            ("minute >= ?", wanted.since),
            ("minute < ?", wanted.until),
            ("seq < ?", after),
        ):
            if value is not None:
                where.append(text)
                params.append(value)
        rows = self._fetch(
            f"SELECT seq, {columns(CODECS[REFUSED_CALLS])} FROM refused_calls WHERE {' AND '.join(where)} "
            "ORDER BY seq DESC LIMIT ?",
            (*params, limit),
        )
        return [Numbered(row[0], CODECS[REFUSED_CALLS].read(row[1:])) for row in rows]


def forgetting(
    nonces_before: Instant, refused_before: Instant, limit: int, lock: str = ""
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the statements that delete up to ``limit`` rows: nonces of each kind, spent sign-ins, refused calls.

    Pages of nonces go with all others of the same key and second, which count as one.
    """
    pages = (
        "DELETE FROM nonce_pages WHERE (until, access_key_id) IN "
        f"(SELECT until, access_key_id FROM nonce_pages WHERE until < ? AND number = 0 ORDER BY until LIMIT ?{lock})"
    )
    yield pages, (nonces_before, limit)
    nonces = (
        "DELETE FROM nonces WHERE (access_key_id, value) IN "
        f"(SELECT access_key_id, value FROM nonces WHERE hour < ? ORDER BY hour LIMIT ?{lock})"
    )
    yield nonces, (nonces_before, limit)
    spent = (
        "DELETE FROM spent_sign_ins WHERE id IN "
        f"(SELECT id FROM spent_sign_ins WHERE until < ? ORDER BY until LIMIT ?{lock})"
    )
    yield spent, (nonces_before, limit)
    devices = (
        "DELETE FROM device_logins WHERE user_code IN "
        f"(SELECT user_code FROM device_logins WHERE until < ? ORDER BY until LIMIT ?{lock})"
    )
    yield devices, (nonces_before, limit)
    calls = (
        "DELETE FROM refused_calls WHERE seq IN "
        f"(SELECT seq FROM refused_calls WHERE minute < ? ORDER BY minute LIMIT ?{lock})"
    )
    yield calls, (refused_before, limit)
