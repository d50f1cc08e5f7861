"""Rules for signatures, used nonces, and the log of refused calls."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCESS_KEYS, REFUSED_CALLS, USERS
from leasebook.domain.commands.account.identity import own_user, refuse_operator
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import AccessKey, User
from leasebook.domain.record.signature import RefusedCalls, Requirement
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, Refusal
from leasebook.domain.values.rule_settings import Rules


class UseNonce(Command, frozen=True, kw_only=True):
    """Use up the nonce of a call that changes nothing else."""

    answer: ClassVar[type] = bool

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Do nothing: the nonce of a command is used up before the decision."""
        return True


class SetKeyRules(Command, frozen=True, kw_only=True):
    """Set what a key, or a user with every key, must sign. Returns True.

    ``user_id`` is the user, or the owner of the key; with ``access_key_id`` None the rule applies to all of the user's
    keys.
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    access_key_id: str | None
    requires: tuple[Requirement, ...]
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user, and the key if one is given."""
        yield USERS, (self.user_id,)
        if self.access_key_id is not None:
            yield ACCESS_KEYS, (self.access_key_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown user or key (NO_RESOURCE), or operator needed (DENIED)."""
        key = None
        if self.access_key_id is not None:
            key = draft.get(ACCESS_KEYS, self.access_key_id)
            if key is None or key.account_id != self.account_id or key.user_id != self.user_id:
                raise Refusal(
                    NO_RESOURCE,
                    f"The account has no access key {self.access_key_id[:64]!r}. DescribeUsers (/v2/iam) lists them.",
                    field="accessKeyId",
                )
        user = own_user(draft, self.account_id, self.user_id)
        if not self.by_operator:
            refuse_operator(user, self.operators, "userId" if key is None else "accessKeyId")
        self._set(draft, user, key)
        return True

    def _set(self, draft: Draft, user: User, key: AccessKey | None) -> None:
        if key is None:
            draft.put(USERS, msgspec.structs.replace(user, requires=self.requires))
        else:
            draft.put(ACCESS_KEYS, msgspec.structs.replace(key, requires=self.requires))


class NoteRefused(Command, frozen=True, kw_only=True):
    """Write the counts of refused calls. A row replaces the row with the same id."""

    answer: ClassVar[type] = bool

    rows: tuple[RefusedCalls, ...]

    def needs(self) -> Needs:
        """The rows."""
        for row in self.rows:
            yield REFUSED_CALLS, (row.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write them."""
        for row in self.rows:
            draft.put(REFUSED_CALLS, row)
        return True
