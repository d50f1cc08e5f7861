"""Machines ask for a key, and the person at the console approves or refuses."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import KEYS as KEYS_MADE
from leasebook.domain.book.store_queries import KNOWN_PASSWORDS, Asked
from leasebook.domain.book.store_queries import USER_KEYS as USER_KEYS_MADE
from leasebook.domain.book.tables import ACCESS_KEYS, DEVICE_LOGINS, USERS
from leasebook.domain.commands.account.identity import NewKey, own_user
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.account import AccessKey
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class AskForKey(Command, frozen=True, kw_only=True):
    """Keep a machine's request until a person decides, or its code lapses. Returns True."""

    answer: ClassVar[type] = bool

    user_code: str
    digest: str
    machine: str
    address: str
    until: Instant

    def needs(self) -> Needs:
        """The row, to make sure that no other machine has that code."""
        yield DEVICE_LOGINS, (self.user_code,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal (WRONG_STATE) if the code is taken."""
        if draft.get(DEVICE_LOGINS, self.user_code) is not None:
            raise Refusal(WRONG_STATE, "Another machine has this code.")
        row = DeviceLogin(self.user_code, self.digest, self.machine, self.address, self.until, now)
        draft.add(DEVICE_LOGINS, row)
        return True


class AnswerDevice(Command, frozen=True, kw_only=True):
    """Approve or refuse a machine's request, as the user who is signed in. Returns True.

    ``key`` is the machine's new key if the user approves, and None if the user refuses. ``wall`` is the time by the
    machine's clock.
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    user_code: str
    key: NewKey | None
    wall: Instant

    def needs(self) -> Needs:
        """The request, the user, and with a new key the numbers of keys."""
        yield DEVICE_LOGINS, (self.user_code,)
        yield USERS, (self.user_id,)
        if self.key is not None:
            yield ACCESS_KEYS, (self.key.id,)
            yield Asked(KNOWN_PASSWORDS, self.user_id)
            yield from bound_needs(
                self.account_id, counted(KEYS_MADE, self.account_id), counted(USER_KEYS_MADE, self.user_id)
            )

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal: the code is unknown, lapsed or decided, the user was deleted, or too many keys."""
        login = draft.get(DEVICE_LOGINS, self.user_code)
        if login is None or login.until <= self.wall:
            raise Refusal(NO_RESOURCE, "No machine waits with this code, or it has lapsed. Begin again on the machine.")
        if login.status != "Waiting":
            raise Refusal(WRONG_STATE, "This code was approved or refused before. Begin again on the machine.")
        user = own_user(draft, self.account_id, self.user_id)
        decided = msgspec.structs.replace(
            login, status="Refused", account_id=user.account_id, user_id=user.id, decided_at=now
        )
        if self.key is not None:
            check_bound(draft, rules, USER_KEYS_MADE, user.id)
            check_bound(draft, rules, KEYS_MADE, user.account_id)
            # Its own user alone gets the secret, as with a key that an operator makes. But a manager who chose the
            # password of the user may be the one who approves.
            is_known = draft.book.answers.count(KNOWN_PASSWORDS, user.id) > 0
            key = AccessKey(
                self.key.id,
                user.id,
                user.account_id,
                self.key.sealed,
                "Active",
                now,
                by_operator=not is_known,
                name=login.machine,
            )
            draft.add(ACCESS_KEYS, key)
            decided = msgspec.structs.replace(decided, status="Approved", access_key_id=key.id)
        draft.put(DEVICE_LOGINS, decided)
        return True
