"""Links to sign in are used once, and sessions are ended."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import SPENT_SIGN_INS, USERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.console.sign_in import SpentSignIn
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
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
