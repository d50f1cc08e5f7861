"""Links to sign in are used once, sessions are ended, and passwords are set."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import PASSWORDS, SPENT_SIGN_INS, USERS
from leasebook.domain.commands.account.identity import refuse_operator
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.console.sign_in import Password, SpentSignIn
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class SpendSignIn(Command, frozen=True, kw_only=True):
    """Use a link to sign in, or end a session: it holds no more, on any server. Returns True.

    ``until`` is when it would have ended by itself, by the machine's clock.
    """

    answer: ClassVar[type] = bool

    sign_in_id: str
    user_id: str
    until: Instant

    def needs(self) -> Needs:
        """The user, and the record of links and sessions that hold no more."""
        yield USERS, (self.user_id,)
        yield SPENT_SIGN_INS, (self.sign_in_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal: it holds no more (WRONG_STATE), or its user does not exist (NO_RESOURCE)."""
        if draft.get(USERS, self.user_id) is None:
            raise Refusal(NO_RESOURCE, "The user of this link does not exist.")
        if draft.get(SPENT_SIGN_INS, self.sign_in_id) is not None:
            raise Refusal(WRONG_STATE, "This link was used, or this session was ended. Sign in again.")
        draft.put(SPENT_SIGN_INS, SpentSignIn(self.sign_in_id, self.user_id, self.until, now))
        return True


class SetPassword(Command, frozen=True, kw_only=True):
    """Set the login name and the password of a user, who keeps the second factor. Returns True.

    ``former`` is the login name that the user had, and gives up. ``at`` is by the machine's clock. ``operators`` are
    the policies over every account: only an operator sets the password of another user who holds one, and no other
    password opens one (``refuse_known_password``).
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    login: str
    former: str | None
    hash: str
    at: Instant
    by_operator: bool
    operators: frozenset[str]

    def needs(self) -> Needs:
        """The user, and both names."""
        yield USERS, (self.user_id,)
        yield PASSWORDS, (self.login,)
        if self.former not in (None, self.login):
            yield PASSWORDS, (self.former,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal.

        NO_RESOURCE: unknown user. DENIED: an operator is needed. BAD_VALUE: another user's name. WRONG_STATE: a race
        was lost.
        """
        user = draft.get(USERS, self.user_id)
        if user is None or user.account_id != self.account_id or user.deleted_at is not None:
            raise Refusal(NO_RESOURCE, f"The account has no user {self.user_id[:64]!r}.", field="userId")
        if self.by != user.id and not self.by_operator:
            refuse_operator(user, self.operators, "user")
        taken = draft.get(PASSWORDS, self.login)
        if taken is not None and taken.hash and taken.user_id != self.user_id:
            raise Refusal(BAD_VALUE, "This login name is taken. Choose another one.", field="login")
        before = taken if self.former in (None, self.login) else draft.get(PASSWORDS, self.former)
        if self.former is not None and (before is None or before.user_id != self.user_id or not before.hash):
            # Without the row that has the second factor, a race of two calls would set a password without it.
            raise Refusal(WRONG_STATE, "The login name was changed by another call meanwhile. Load the page again.")
        made = Password(self.login, self.user_id, self.hash, self.at, by_operator=self.by_operator)
        if before is not None and before.user_id == self.user_id and before.hash:
            made = replace(made, totp=before.totp, totp_step=before.totp_step, recovery=before.recovery)
            if before.login != self.login:
                draft.put(PASSWORDS, Password(before.login, before.user_id, "", self.at))
        draft.put(PASSWORDS, made)
        return True
