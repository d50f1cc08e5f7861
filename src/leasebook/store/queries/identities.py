"""Access keys in SQL: those of a user, and when each was last used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import ACCESS_KEYS
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.across import Across
from leasebook.ports.queries.identities import SealedRow
from leasebook.store.queries.account.across import of_accounts
from leasebook.store.rows.codec import CODECS

Fetch = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_COLUMNS: Final = ", ".join(f'"{name}"' for name in CODECS[ACCESS_KEYS].columns)
KEYS_OF_TEXT: Final = f"SELECT {_COLUMNS} FROM access_keys WHERE user_id = ? ORDER BY id"
USE_TEXT: Final = "UPDATE access_keys SET used_at = ? WHERE id = ? AND (used_at IS NULL OR used_at < ?)"
"""The last use of a key is in no row of the book: it changes no rights, and is no event."""

_SEALED: Final = {
    "access_keys": "SELECT id, sealed, '', id FROM access_keys WHERE id > ? ORDER BY id LIMIT ?",
    "hooks": "SELECT id, sealed, sealed_before, id FROM hooks WHERE id > ? ORDER BY id LIMIT ?",
    "passwords": "SELECT login, totp, '', user_id FROM passwords "
    "WHERE login > ? AND totp IS NOT NULL ORDER BY login LIMIT ?",
}


class IdentityQueries:
    """Queries about access keys."""

    _fetch: Fetch

    def key_uses(self, account_id: str | Across) -> dict[str, Instant]:
        """Return when the keys of accounts were last used; a key without a recorded use is missing."""
        whose, params = of_accounts(account_id)
        rows = self._fetch(f"SELECT id, used_at FROM access_keys WHERE {whose} AND used_at IS NOT NULL", params)
        return {key: Instant(at) for key, at in rows}

    def sealed_rows(self, table: str, *, after: str, limit: int) -> list[SealedRow]:
        """Return the sealed values of a table (access_keys, hooks or passwords), in the order of ids."""
        rows = self._fetch(_SEALED[table], (after, limit))
        return [SealedRow(row[0], bytes(row[1]), bytes(row[2] or b""), row[3]) for row in rows]
