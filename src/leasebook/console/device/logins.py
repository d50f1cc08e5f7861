"""Requests of machines for a key: made by the machine, decided by the person, and answered to the machine."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, NamedTuple

from leasebook.api.audit_record import CallRecord
from leasebook.api.context import Context, KeyMaker
from leasebook.batch import Sequencer
from leasebook.console.device.codes import digest_of, new_device_code, user_code_of
from leasebook.domain.commands.account.identity import NewKey
from leasebook.domain.commands.console.device import AnswerDevice, AskForKey
from leasebook.domain.model.account import User
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.clock import wall_us
from leasebook.ports.queries.read_repository import Reader, ReadRepository

HOLDS_S: Final = 600
"""How long a code holds, in seconds."""
MACHINE_MAX: Final = 64
DRAWS_MAX: Final = 5
"""How often a code is drawn again because another machine has the one for the person."""


class Asked(NamedTuple):
    """A machine's request: the code that it keeps to itself, and the one that it shows."""

    device_code: str
    user_code: str


class Collected(NamedTuple):
    """The key that a machine got."""

    user_id: str
    account_id: str
    access_key_id: str
    secret: str


class DeviceLogins:
    """Keeps the requests of machines in the store. ``now_us`` is the machine's clock, which codes lapse by."""

    def __init__(
        self, reader: Reader, sequencer: Sequencer, keys: KeyMaker, now_us: Callable[[], int] = wall_us
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._keys = keys
        self._now_us = now_us

    @classmethod
    def of(cls, context: Context) -> DeviceLogins:
        """Return those of a server."""
        return cls(context.reader, context.sequencer, context.keys)

    async def ask(self, machine: str, address: str) -> Asked:
        """Keep a request. Raises Refusal, and what else ``Sequencer.submit`` raises."""
        for draw in range(DRAWS_MAX):
            device_code = new_device_code()
            command = AskForKey(
                user_code=user_code_of(device_code),
                digest=digest_of(device_code),
                machine=name_of(machine),
                address=address,
                until=Instant(self._now_us() + HOLDS_S * SECOND_US),
            )
            try:
                await self._sequencer.submit(command)
                break
            except Refusal:
                if draw == DRAWS_MAX - 1:
                    raise
        return Asked(device_code, command.user_code)

    async def find(self, user_code: str) -> DeviceLogin | None:
        """Return the request that a person's code names; None: it lapsed, was decided, or never was."""
        login = await self._reader.read(lambda ask: ask.device_login(user_code))
        return None if login is None or login.status != "Waiting" or login.until <= self._now_us() else login

    async def decide(self, user: User, user_code: str, record: CallRecord, *, approves: bool) -> None:
        """Approve or refuse a request as a user; the audit log gets ``record``.

        Raises Refusal, and what else ``Sequencer.submit`` raises.
        """
        key = None
        if approves:
            key_id, secret = self._keys.make()
            key = NewKey(key_id, self._keys.seal(key_id, secret))
        record.account_id, record.user_id = user.account_id, user.id
        record.body = b"approve" if approves else b"refuse"
        command = AnswerDevice(
            account_id=user.account_id,
            user_id=user.id,
            user_code=user_code,
            key=key,
            wall=Instant(self._now_us()),
            by=user.id,
        )
        await self._sequencer.submit(command, None, record, party=user.account_id)

    async def collect(self, device_code: str) -> Collected | str:
        """Return the key of a machine that was approved, or the word of RFC 8628 for why there is none.

        An approved machine gets the same key as often as it asks until its code lapses: an answer may have been lost.
        """
        user_code, digest = user_code_of(device_code), digest_of(device_code)

        def look(ask: ReadRepository) -> tuple[DeviceLogin, NewKey | None] | None:
            login = ask.device_login(user_code)
            if login is None or not hmac.compare_digest(login.digest, digest):
                return None
            found = None if login.access_key_id is None else ask.identity(login.access_key_id)
            is_good = found is not None and found[0].status == "Active" and found[1].deleted_at is None
            return login, NewKey(found[0].id, found[0].sealed) if found is not None and is_good else None

        seen = await self._reader.read(look)
        if seen is None:
            return "invalid_grant"
        login, key = seen
        if login.until <= self._now_us():
            return "expired_token"
        if login.status == "Waiting":
            return "authorization_pending"
        if key is None or login.user_id is None or login.account_id is None:
            return "access_denied"
        return Collected(login.user_id, login.account_id, key.id, self._keys.open(key.id, key.sealed))


def name_of(machine: str) -> str:
    """Return a machine's name for people: bounded, on one line, and never empty."""
    text = "".join(letter if letter.isprintable() else " " for letter in machine[: 4 * MACHINE_MAX])
    return " ".join(text.split())[:MACHINE_MAX] or "a machine"
