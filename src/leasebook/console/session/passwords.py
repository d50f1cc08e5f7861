"""Passwords: set by their users or by managers, hashed with argon2id, and verified in constant time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from leasebook.api.audit_record import CallRecord
from leasebook.api.fault import Fault, bad_field
from leasebook.batch import Sequencer
from leasebook.contract import errors as e
from leasebook.contract.policies import FULL, OF_THE_HOUSE, OPERATOR
from leasebook.domain.commands.console.sign_in import SetPassword
from leasebook.domain.model.account import User
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import Reader, ReadRepository

T = TypeVar("T")

LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,63}")
PASSWORD_MIN: Final = 12
PASSWORD_MAX: Final = 128
AT_ONCE: Final = 2
"""Hashes that are computed at once: each takes 64 MiB and a core."""


class Proved(NamedTuple):
    """A user who has given the right password, and the row of that password."""

    user: User
    password: Password


class Passwords:
    """Sets and verifies passwords. An unknown name takes as long as a wrong password, with the same work."""

    def __init__(self, reader: Reader, sequencer: Sequencer, now_us: Callable[[], int]) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._now_us = now_us
        self._hasher = PasswordHasher()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._none = ""

    async def prove(self, login: str, password: str) -> Proved | None:
        """Return the user with this login name and password; None where they do not fit. Raises Unavailable."""
        if not self._none:
            self._none = await self._computed(self._hasher.hash, "nobody's")
        name = login.strip().lower()

        def look(ask: ReadRepository) -> tuple[Password | None, User | None]:
            row = ask.password(name) if LOGIN.fullmatch(name) else None
            return row, None if row is None else ask.user(row.user_id)

        row, user = await self._reader.read(look)
        known = row is not None and bool(row.hash) and user is not None and user.deleted_at is None
        against = row.hash if row is not None and known else self._none
        fits = await self._computed(self._fits, against, password[: PASSWORD_MAX + 1])
        if not (known and fits):
            return None
        # The password may have been changed while its hash was computed, which takes long where many wait.
        row, user = await self._reader.read(look)
        return None if row is None or user is None or row.hash != against else Proved(user, row)

    async def set(self, user: User, to: User, login: str, password: str, record: CallRecord) -> Instant:
        """Set a user's login name and password: the own ones, or as a manager those of another user of the account.

        Only an operator sets those of another user who holds a policy over every account, or of another account's user.
        The account of that user has it in its audit log. Sessions that began by an
        earlier password end. Returns when it was set, by the machine's clock. Raises Fault, and what
        ``Sequencer.submit`` raises.
        """
        name = login.strip().lower()
        is_operator = OPERATOR in user.policies
        is_manager = to.account_id == user.account_id and (user.is_root or FULL in user.policies)
        if to.id != user.id and not (is_operator or is_manager):
            raise Fault(e.ACCESS_DENIED, f"To set another user's password takes {FULL}.")
        if not LOGIN.fullmatch(name):
            raise bad_field("login", "A login name has from 2 to 64 characters: letters, digits, and . _ @ + -.")
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise bad_field("password", f"A password has from {PASSWORD_MIN} to {PASSWORD_MAX} characters.")
        former = await self.login_of(to)
        hashed = await self._computed(self._hasher.hash, password)
        record.account_id, record.user_id, record.body = to.account_id, user.id, to.id.encode()
        at = Instant(self._now_us())
        command = SetPassword(
            account_id=to.account_id,
            user_id=to.id,
            login=name,
            former=former,
            hash=hashed,
            at=at,
            by_operator=is_operator,
            operators=OF_THE_HOUSE,
            by=user.id,
        )
        await self._sequencer.submit(command, None, record, party=user.account_id)
        return at

    async def is_present(self, row: Password, password: str) -> bool:
        """Whether it is the password that a user has now."""
        return await self._computed(self._fits, row.hash, password[: PASSWORD_MAX + 1])

    async def login_of(self, user: User) -> str | None:
        """Return the login name of a user; None: the user has no password."""
        row = await self._reader.read(lambda ask: ask.password_of(user.id))
        return None if row is None else row.login

    def _fits(self, hashed: str, password: str) -> bool:
        with suppress(VerificationError, InvalidHashError):
            return self._hasher.verify(hashed, password)
        return False

    async def _computed(self, work: Callable[..., T], *given: str) -> T:
        async with self._places:
            return await asyncio.to_thread(work, *given)
