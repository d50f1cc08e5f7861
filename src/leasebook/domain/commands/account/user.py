"""Commands on a user after it was made: delete, rename, and set the mail address and the language."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import KeysOfUser
from leasebook.domain.book.tables import ACCESS_KEYS, USERS
from leasebook.domain.commands.account.identity import own_user, refuse_operator
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import Language
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import DENIED, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

# In the commands below, ``operators`` is the name of the policy that makes a user an operator.


class DeleteUser(Command, frozen=True, kw_only=True):
    """Delete a user, and disable all keys of the user. The row stays, with the time. Returns True.

    The caller is never deleted and must still have its rights when this is decided. So one operator always remains,
    also if two operators delete each other in the same batch.
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    caller_id: str
    by_operator: bool
    operators: frozenset[str]
    operator: str

    def needs(self) -> Needs:
        """The user with all keys, and the caller."""
        yield USERS, (self.user_id,)
        yield USERS, (self.caller_id,)
        yield KeysOfUser(self.user_id)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown user, a root, the caller itself, or operator needed."""
        user = own_user(draft, self.account_id, self.user_id)
        caller = draft.require(USERS, self.caller_id)
        if caller.deleted_at is not None or (self.by_operator and self.operator not in caller.policies):
            raise Refusal(DENIED, "The caller has lost the right to delete users.")
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId")
        if user.id == caller.id:
            raise Refusal(
                WRONG_STATE,
                "This request is signed by the user that it would delete. Sign it as another user.",
                field="userId",
            )
        if user.is_root:
            raise Refusal(
                WRONG_STATE,
                "This is the root user of its account, which every account has. Its keys can be disabled "
                "(DisableAccessKey, /v2/iam).",
                field="userId",
            )
        for key in draft.keys_of(user.id):
            if key.status == "Active":
                draft.put(ACCESS_KEYS, msgspec.structs.replace(key, status="Disabled"))
        draft.put(USERS, msgspec.structs.replace(user, deleted_at=now))
        return True


class RenameUser(Command, frozen=True, kw_only=True):
    """Give a user another name. Returns True."""

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    name: str
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user."""
        yield USERS, (self.user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown user, or operator needed."""
        user = own_user(draft, self.account_id, self.user_id)
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId")
        draft.put(USERS, msgspec.structs.replace(user, name=self.name))
        return True


class SetUserContact(Command, frozen=True, kw_only=True):
    """Set the mail address and the language of a user; UNSET leaves a value, None clears it. Returns True."""

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    email: str | UnsetType | None
    language: Language | UnsetType | None
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user."""
        yield USERS, (self.user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown user, or operator needed."""
        user = own_user(draft, self.account_id, self.user_id)
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId")
        draft.put(
            USERS,
            msgspec.structs.replace(
                user,
                email=user.email if self.email is UNSET else self.email,
                language=user.language if self.language is UNSET else self.language,
            ),
        )
        return True
