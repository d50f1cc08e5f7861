"""Queries about users, their access keys and sealed values, and about refused and answered calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.across import Across

if TYPE_CHECKING:
    from leasebook.ports.queries.read_repository import Numbered, RefusedFilter


class SealedRow(NamedTuple):
    """A row with values that a master key sealed; empty: none. ``context`` is the id that the seals are bound to."""

    id: str
    sealed: bytes
    sealed_before: bytes
    context: str


class IdentityQuestions(Protocol):
    """Queries about identities, answered from committed rows."""

    def identity(self, access_key_id: str) -> tuple[AccessKey, User] | None:
        """Return an access key and its user."""
        ...

    def identities(self, access_key_ids: Sequence[str]) -> dict[str, tuple[AccessKey, User]]:
        """Return the existing access keys among these ids, each with its user."""
        ...

    def user(self, user_id: str) -> User | None:
        """Return a user by id."""
        ...

    def users(
        self,
        account_id: str | Across,
        *,
        after: tuple[int, str] | None = None,
        limit: int | None = None,
        deleted: bool = True,
    ) -> list[tuple[User, list[AccessKey]]]:
        """Return an account's users with their keys, oldest first, from after a time of creation and an id.

        ``deleted`` says whether deleted users are among them.
        """
        ...

    def holders(self, policy: str) -> list[str]:
        """Return the ids of all users who have a policy."""
        ...

    def key_uses(self, account_id: str | Across) -> dict[str, Instant]:
        """Return when the keys of an account were last used; a key without a recorded use is missing."""
        ...

    def sealed_rows(self, table: str, *, after: str, limit: int) -> list[SealedRow]:
        """Return the sealed values of a table (access_keys, hooks or passwords), in the order of ids."""
        ...

    def is_spent(self, sign_in_id: str) -> bool:
        """Whether a link to sign in to the console was used, or a session there was ended."""
        ...

    def device_login(self, user_code: str) -> DeviceLogin | None:
        """Return a machine's request for a key; None: there is none with that code."""
        ...

    def password(self, login: str) -> Password | None:
        """Return the password of a login name of the console; None: it has none."""
        ...

    def password_of(self, user_id: str) -> Password | None:
        """Return the password of a user; None: the user has none."""
        ...

    def refused_calls(self, wanted: RefusedFilter, *, after: int | None, limit: int) -> list[Numbered]:
        """Return rows of the log of refused calls, last written first."""
        ...

    def is_answered(self, account_id: str, client_token: str) -> bool:
        """Return whether an answer is kept for a client token."""
        ...
