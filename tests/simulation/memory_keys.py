"""Answers of the store of dictionaries about access keys and sealed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leasebook.domain.book.tables import ACCESS_KEYS, PASSWORDS, SUBSCRIPTIONS, USERS, Key, Table
from leasebook.domain.model.account import AccessKey, User
from leasebook.ports.queries.across import Across, is_of
from leasebook.ports.queries.identities import SealedRow

if TYPE_CHECKING:
    from leasebook.domain.values.calendar import Instant


class KeyQuestions:
    """Questions about the sealed tables."""

    _uses: dict[str, Instant]

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        raise NotImplementedError

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        key = self._rows(ACCESS_KEYS).get((access_key_id,))
        return None if key is None else (key, self._rows(USERS)[(key.user_id,)])

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        return self._rows(USERS).get((user_id,))

    def holders(self, policy: str) -> list[str]:
        """Return the ids of all users who have a policy."""
        return sorted(user.id for user in self._rows(USERS).values() if policy in user.policies)

    def users(
        self,
        account_id: str | Across,
        *,
        after: tuple[int, str] | None = None,
        limit: int | None = None,
        deleted: bool = True,
    ) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users, oldest first, each with its keys."""

        def oldest_first(table: Table[Any]) -> list[Any]:
            rows = [row for row in self._rows(table).values() if is_of(row.account_id, account_id)]
            return sorted(rows, key=lambda row: (row.created_at, row.id))

        keys = oldest_first(ACCESS_KEYS)
        users = [user for user in oldest_first(USERS) if deleted or user.deleted_at is None]
        users = [user for user in users if after is None or (user.created_at, user.id) > after][:limit]
        return [(user, [key for key in keys if key.user_id == user.id]) for user in users]

    def key_uses(self, account_id: str | Across) -> dict[str, Instant]:
        """Return when the keys of an account were last used."""
        keys = self._rows(ACCESS_KEYS)
        return {key: at for key, at in self._uses.items() if is_of(keys[key,].account_id, account_id)}

    def sealed_rows(self, table: str, *, after: str, limit: int) -> list[SealedRow]:
        """Return the sealed values of a table, in the order of ids."""
        if table == PASSWORDS.name:
            passwords = [row for row in self._rows(PASSWORDS).values() if row.login > after and row.totp is not None]
            return sorted(SealedRow(row.login, row.totp, b"", row.user_id) for row in passwords)[:limit]
        rows = self._rows(ACCESS_KEYS if table == ACCESS_KEYS.name else SUBSCRIPTIONS).values()
        before = "sealed_before"
        found = [SealedRow(row.id, row.sealed, getattr(row, before, b""), row.id) for row in rows if row.id > after]
        return sorted(found)[:limit]
