"""The second factor of a password: added, used at a sign-in, and removed."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import PASSWORDS, USERS
from leasebook.domain.commands.account.identity import refuse_operator
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class Proof(msgspec.Struct, frozen=True):
    """A right code: the half minute since 1970 UTC that it is of, or the digest of a recovery code."""

    step: int = 0
    recovery: str = ""


class AddSecondFactor(Command, frozen=True, kw_only=True):
    """Add a second factor to the password of a user, who has proved it by the code of ``step``. Returns True.

    ``totp`` is its secret, sealed under the master key, ``recovery`` the digests of the recovery codes.
    """

    answer: ClassVar[type] = bool

    user_id: str
    login: str
    totp: bytes
    step: int
    recovery: tuple[str, ...]

    def needs(self) -> Needs:
        """The password."""
        yield PASSWORDS, (self.login,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: unknown password (NO_RESOURCE), or it has a second factor (WRONG_STATE)."""
        row = password_of(draft, self.login, self.user_id)
        if row.totp is not None:
            raise Refusal(WRONG_STATE, "The password has a second factor. Remove it before you add another one.")
        draft.put(PASSWORDS, msgspec.structs.replace(row, totp=self.totp, totp_step=self.step, recovery=self.recovery))
        return True


class UseSecondFactor(Command, frozen=True, kw_only=True):
    """Use a code to sign in: it is good once, at all servers together. Returns True."""

    answer: ClassVar[type] = bool

    user_id: str
    login: str
    proof: Proof

    def needs(self) -> Needs:
        """The password."""
        yield PASSWORDS, (self.login,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: no second factor (NO_RESOURCE), or the code was used (WRONG_STATE)."""
        row = password_of(draft, self.login, self.user_id)
        draft.put(PASSWORDS, used(row, self.proof))
        return True


class RemoveSecondFactor(Command, frozen=True, kw_only=True):
    """Remove the second factor of a password, by a code, or (``proof`` is None) by a manager. Returns True.

    ``operators`` are the policies over every account: only an operator removes that of another user who holds one.
    """

    answer: ClassVar[type] = bool

    user_id: str
    login: str
    proof: Proof | None
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user and the password."""
        yield USERS, (self.user_id,)
        yield PASSWORDS, (self.login,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: no second factor (NO_RESOURCE), the code was used (WRONG_STATE), or an operator is needed."""
        user = draft.get(USERS, self.user_id)
        if user is not None and self.proof is None and not self.by_operator:
            refuse_operator(user, self.operators, "user")
        row = password_of(draft, self.login, self.user_id)
        if row.totp is None:
            raise Refusal(NO_RESOURCE, "The password has no second factor.")
        if self.proof is not None:
            used(row, self.proof)
        draft.put(PASSWORDS, msgspec.structs.replace(row, totp=None, totp_step=0, recovery=()))
        return True


def password_of(draft: Draft, login: str, user_id: str) -> Password:
    """Return the password of a login name, if it is that user's; raises Refusal (NO_RESOURCE)."""
    row = draft.get(PASSWORDS, login)
    if row is None or row.user_id != user_id or not row.hash:
        raise Refusal(NO_RESOURCE, "The login name was changed meanwhile. Load the page again.")
    return row


def used(row: Password, proof: Proof) -> Password:
    """Return the row after a code was used; raises Refusal (NO_RESOURCE, WRONG_STATE)."""
    if row.totp is None:
        raise Refusal(NO_RESOURCE, "The password has no second factor.")
    if proof.recovery:
        if proof.recovery not in row.recovery:
            raise Refusal(WRONG_STATE, "This recovery code was used. Each is good once.")
        left = tuple(digest for digest in row.recovery if digest != proof.recovery)
        return msgspec.structs.replace(row, recovery=left)
    if proof.step <= row.totp_step:
        raise Refusal(WRONG_STATE, "This code was used. Each is good once: wait for the next one.")
    return msgspec.structs.replace(row, totp_step=proof.step)
