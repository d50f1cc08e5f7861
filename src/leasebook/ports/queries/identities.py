"""What the rim asks of the store about users, their access keys and what is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.values.calendar import Instant


class SealedRow(NamedTuple):
    """A row with values that a master key sealed; empty: none."""

    id: str
    sealed: bytes
    sealed_before: bytes


class IdentityQuestions(Protocol):
    """Questions about identities, answered from what is committed."""

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key with the user whom it belongs to."""
        ...

    def identities(self, access_key_ids: Sequence[str]) -> dict[str, tuple[AccessKey, User]]:
        """Return those access keys that there are, each with the user whom it belongs to."""
        ...

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        ...

    def users(
        self, account_id: str, *, after: tuple[int, str] | None = None, limit: int | None = None
    ) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users, oldest first, each with its keys; those after a moment of making and an id."""
        ...

    def holders(self, policy: str) -> list[str]:
        """Return the ids of all users who have a policy."""
        ...

    def key_uses(self, account_id: str) -> dict[str, Instant]:
        """Return when the keys of an account were last used, as far as that was written; the others are missing."""
        ...

    def sealed_rows(self, table: str, *, after: str, limit: int) -> list[SealedRow]:
        """Return what is sealed in a table (access_keys or hooks), in the order of ids."""
        ...
