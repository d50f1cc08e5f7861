"""Sessions at the console: begun by a proof of who the user is, and ended by the user, by time, or with the user."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from leasebook.api.audit_record import CallRecord
from leasebook.batch import Sequencer
from leasebook.console.session.tokens import (
    How,
    Keys,
    SessionToken,
    SignInLink,
    calendar_text,
    form_token,
    is_form_token,
    link_text,
    new_id,
    read_calendar,
    read_link,
    read_session,
    session_text,
)
from leasebook.domain.commands.console.sign_in import SpendSignIn
from leasebook.domain.model.account import Account, User
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.ports.queries.read_repository import Reader, ReadRepository

ABSOLUTE_MAX_S: Final = 720 * 3600
"""The longest that a session lasts under any setting. One that was ended is remembered until then, as another server
may have another setting."""
FOREVER_S: Final = 253_402_300_799
"""The last second of the year 9999, in seconds since 1970 UTC: an address of a calendar that was ended stays so."""
RENEW_S: Final = 60
"""A cookie is written again when its last time is older than this, so that not every answer writes one."""


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a session lasts without a call and in all, and how long a link to sign in holds; in seconds."""

    idle_s: int
    absolute_s: int
    link_s: int


class Session(NamedTuple):
    """A session that holds, with the rows of its user and account as they are now."""

    token: SessionToken
    user: User
    account: Account


class LinkRefused(Exception):
    """A link to sign in does not hold; ``why`` is ``unknown``, ``ended``, ``used`` or ``gone``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Sessions:
    """Begins, finds and ends sessions. Their times are the machine's, as those of signatures are.

    A session is a signed cookie, and no row: only what was ended early is in the store, until its time is over. A
    cookie is therefore good at every server of the store, and one that was ended is good at none.
    """

    def __init__(
        self, reader: Reader, sequencer: Sequencer, keys: Keys, limits: SessionLimits, now_us: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._keys = keys
        self._now_us = now_us
        self.limits = limits

    def begin(self, user_id: str, how: How, password_at: int = 0) -> str:
        """Begin a session of a user who has proved who it is; returns the cookie's value.

        ``password_at`` is when the password that is the proof was set: the session ends with that password.
        """
        now = self._now_s()
        return session_text(self._keys()[0], SessionToken(user_id, new_id(), now, now, how, password_at))

    async def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it does not hold (any more). Raises Unavailable."""
        token = read_session(self._keys(), cookie)
        if token is None or not self._is_in_time(token):
            return None

        def look(ask: ReadRepository) -> tuple[User, Account] | None:
            user = None if ask.is_spent(token.id) else ask.user(token.user_id)
            if user is not None and token.how == "password":
                password = ask.password_of(user.id)
                # A new password ends the sessions that began by an earlier one.
                if password is None or password.changed_at != token.password_at:
                    return None
            account = None if user is None or user.deleted_at is not None else ask.account(user.account_id)
            return None if user is None or account is None else (user, account)

        found = await self._reader.read(look)
        return None if found is None else Session(token, *found)

    def party_of(self, cookie: str) -> str | None:
        """Return whose forms a browser with that cookie sends; None: the cookie is none of a session."""
        token = read_session(self._keys(), cookie)
        return None if token is None else token.id

    def renewed(self, token: SessionToken) -> str | None:
        """Return the cookie that says that the user was here now; None while the present one says so well enough."""
        now = self._now_s()
        if now - token.seen_s < RENEW_S:
            return None
        return session_text(self._keys()[0], token._replace(seen_s=now))

    def age_s(self, token: SessionToken) -> int:
        """Return for how many seconds a session has been there."""
        return self._now_s() - token.began_s

    async def end(self, session: Session, record: CallRecord) -> None:
        """End a session, at every server and for good. Raises what ``Sequencer.submit`` raises."""
        token = session.token
        record.account_id, record.user_id = session.account.id, session.user.id
        with suppress(Refusal):
            await self._spend(token.id, token.user_id, token.began_s + ABSOLUTE_MAX_S, record)

    def link(self, user_id: str) -> str:
        """Return the last part of the address of a link to sign in as a user: it works once, for some minutes."""
        return new_link(self._keys()[0], user_id, self._now_s() + self.limits.link_s)

    def reads(self, text: str) -> SignInLink:
        """Return what a link says, without using it; raises LinkRefused."""
        link = read_link(self._keys(), text)
        if link is None:
            raise LinkRefused("unknown")
        if link.until_s <= self._now_s():
            raise LinkRefused("ended")
        return link

    async def use_link(self, text: str, record: CallRecord) -> str:
        """Use a link to sign in; returns its user's id. Raises LinkRefused, and what ``Sequencer.submit`` raises.

        The audit log gets ``record``.
        """
        link = self.reads(text)
        user = await self._reader.read(lambda ask: ask.user(link.user_id))
        if user is None or user.deleted_at is not None:
            raise LinkRefused("gone")
        record.account_id, record.user_id, record.body = user.account_id, user.id, b"link"
        try:
            await self._spend(link.id, link.user_id, link.until_s, record)
        except Refusal as refusal:
            raise LinkRefused({WRONG_STATE: "used", NO_RESOURCE: "gone"}[refusal.reason]) from None
        return link.user_id

    async def calendar(self, user_id: str) -> str:
        """Return the part of the address of a user's calendar that opens it. Raises Unavailable."""
        number = await self._reader.read(lambda ask: calendar_number(ask, user_id))
        return calendar_text(self._keys()[0], user_id, number)

    async def user_of_calendar(self, text: str) -> User | None:
        """Return whose calendar an address opens; None: it does not hold (any more). Raises Unavailable."""
        found = read_calendar(self._keys(), text)
        if found is None:
            return None
        user_id, number = found

        def look(ask: ReadRepository) -> User | None:
            return ask.user(user_id) if calendar_number(ask, user_id) == number else None

        user = await self._reader.read(look)
        return None if user is None or user.deleted_at is not None else user

    async def end_calendar(self, user: User, record: CallRecord) -> None:
        """End the address of a user's calendar, at every server and for good; the next one has the next number.

        The audit log gets ``record``. Raises what ``Sequencer.submit`` raises.
        """
        number = await self._reader.read(lambda ask: calendar_number(ask, user.id))
        record.account_id, record.user_id = user.account_id, user.id
        # Where another call has just ended the same address, it is ended.
        with suppress(Refusal):
            await self._spend(_calendar_id(user.id, number), user.id, FOREVER_S, record)

    def form_token(self, party: str) -> str:
        """Return the token that the forms of a session, or of a browser without one, carry."""
        return form_token(self._keys()[0], party)

    def is_form_token(self, party: str, given: str) -> bool:
        """Whether a form that came back was made for that party."""
        return is_form_token(self._keys(), party, given)

    async def _spend(self, sign_in_id: str, user_id: str, until_s: int, record: CallRecord) -> None:
        command = SpendSignIn(sign_in_id=sign_in_id, user_id=user_id, until=Instant(until_s * SECOND_US), by=user_id)
        await self._sequencer.submit(command, None, record)

    def _is_in_time(self, token: SessionToken) -> bool:
        now = self._now_s()
        return now - token.seen_s < self.limits.idle_s and now - token.began_s < self.limits.absolute_s

    def _now_s(self) -> int:
        return self._now_us() // SECOND_US


def calendar_number(ask: ReadRepository, user_id: str) -> int:
    """Return the number of a user's calendar: the first from 0 that was not ended. It takes few looks at the store."""

    def is_ended(number: int) -> bool:
        return ask.is_spent(_calendar_id(user_id, number))

    if not is_ended(0):
        return 0
    last, ahead = 0, 1
    while is_ended(last + ahead):
        last, ahead = last + ahead, ahead * 2
    while ahead > 1:
        ahead //= 2
        if is_ended(last + ahead):
            last += ahead
    return last + 1


def _calendar_id(user_id: str, number: int) -> str:
    """Return the id under which an ended address is kept. Ids of links and sessions have no dots."""
    return f"ca1.{user_id}.{number}"


def new_link(key: bytes, user_id: str, until_s: int) -> str:
    """Return the last part of the address of a link to sign in; ``until_s`` in seconds since 1970 UTC."""
    return link_text(key, SignInLink(user_id, until_s, new_id()))
