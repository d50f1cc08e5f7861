"""Second factors: added by their users, asked for after the password, and removed by a code or by a manager."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, NamedTuple

from leasebook.api.audit_record import CallRecord
from leasebook.api.auth.identity import policies_of
from leasebook.api.fault import Fault
from leasebook.batch import Sequencer
from leasebook.console.factor import codes
from leasebook.console.session.tokens import CodeState, Keys, code_state, read_code_state
from leasebook.contract import errors as e
from leasebook.contract.policies import FULL, OF_THE_HOUSE, OPERATOR
from leasebook.domain.commands.console.second_factor import (
    AddSecondFactor,
    Proof,
    RemoveSecondFactor,
    UseSecondFactor,
)
from leasebook.domain.model.account import User
from leasebook.domain.model.console.sign_in import Password
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.queries.read_repository import Reader, ReadRepository
from leasebook.security.vault import BadMasterKey, Vault

HOLDS_S: Final = 300
"""Seconds after the password in which the code must come."""
OFFER_HOLDS_S: Final = 900
"""Seconds in which an offered secret can be confirmed."""


class Offer(NamedTuple):
    """A secret that waits for its first code; ``sealed`` comes back with the form, and only this session can use it."""

    secret: str
    address: str
    sealed: str


class Asked(NamedTuple):
    """A user whose password was right, and who is asked for a code."""

    user: User
    password: Password


class CodeRefused(Exception):
    """A code will not do; ``why`` is ``ended`` (the password again), ``wrong`` or ``used``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class SecondFactors:
    """Adds, asks for and removes second factors. Their times are the machine's, as those of sessions are.

    The secret is sealed under the master key, bound to its user; the user may change the login name.
    """

    def __init__(
        self, reader: Reader, sequencer: Sequencer, vault: Vault, keys: Keys, now_us: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._vault = vault
        self._keys = keys
        self._now_us = now_us

    async def password_of(self, user_id: str) -> Password | None:
        """Return the password of a user; None: the user has none. Raises Unavailable."""
        return await self._reader.read(lambda ask: ask.password_of(user_id))

    async def offer(self, user: User, session_id: str) -> Offer:
        """Draw a secret for a user to confirm. Raises Fault: the user has no password, or a second factor."""
        return self._offer(await self._without(user), session_id, codes.new_secret(), self._now_s())

    async def add(self, user: User, session_id: str, sealed: str, typed: str, record: CallRecord) -> list[str]:
        """Add an offered secret, if its code is right; returns the recovery codes, which nothing shows again.

        Raises Fault, CodeRefused, and what ``Sequencer.submit`` raises.
        """
        row = await self._without(user)
        offer = self._opened(row, session_id, sealed)
        step = codes.step_of(offer.secret, typed, self._now_s())
        if step is None:
            raise CodeRefused("wrong")
        recovery = codes.new_recovery_codes()
        record.account_id, record.user_id, record.body = user.account_id, user.id, user.id.encode()
        command = AddSecondFactor(
            user_id=user.id,
            login=row.login,
            totp=self._vault.seal(offer.secret, context=user.id),
            step=step,
            recovery=tuple(codes.digest_of(user.id, code) for code in recovery),
            by=user.id,
        )
        await self._sequencer.submit(command, None, record, party=user.account_id)
        return recovery

    async def offered(self, user: User, session_id: str, sealed: str) -> Offer:
        """Return an offer that came back with a form; raises Fault if it is too old, or another session's."""
        return self._opened(await self._without(user), session_id, sealed)

    def _opened(self, row: Password, session_id: str, sealed: str) -> Offer:
        try:
            plain = self._vault.open(base64.urlsafe_b64decode(sealed), context=_context(row.user_id, session_id))
        except (BadMasterKey, binascii.Error, ValueError):
            plain = ""
        drawn, _, secret = plain.partition(" ")
        if not secret or self._now_s() - int(drawn) >= OFFER_HOLDS_S:
            raise Fault(e.INVALID_STATE, "This secret was offered too long ago, or to another session. Begin again.")
        return self._offer(row, session_id, secret, int(drawn))

    async def remove(self, user: User, to: User, typed: str, record: CallRecord) -> None:
        """Remove a user's second factor: the own one by a code, or as a manager that of another user of the account.

        Raises Fault, CodeRefused, and what ``Sequencer.submit`` raises.
        """
        if to.id != user.id and (FULL not in policies_of(user) or to.account_id != user.account_id):
            raise Fault(e.ACCESS_DENIED, f"To remove another user's second factor takes {FULL}.")
        row = await self.password_of(to.id)
        if row is None or row.totp is None:
            raise Fault(e.RESOURCE_NOT_FOUND, "The password has no second factor.")
        proof = self._proof(row, typed) if to.id == user.id else None
        if to.id == user.id and proof is None:
            raise CodeRefused("wrong")
        record.account_id, record.user_id, record.body = user.account_id, user.id, to.id.encode()
        command = RemoveSecondFactor(
            user_id=to.id,
            login=row.login,
            proof=proof,
            by_operator=OPERATOR in user.policies,
            operators=OF_THE_HOUSE,
            by=user.id,
        )
        await self._sequencer.submit(command, None, record, party=user.account_id)

    def asks(self, row: Password, party: str) -> str | None:
        """Return the state that a browser brings back with the code; None: the password needs no second factor."""
        if row.totp is None:
            return None
        return code_state(self._keys()[0], CodeState(row.user_id, self._now_s(), row.changed_at), party)

    async def asked(self, state: str, party: str) -> Asked:
        """Return who is asked for a code.

        Raises CodeRefused (``ended``): too late, another browser's state, or a password that was changed since.
        """
        found = read_code_state(self._keys(), state, party)
        if found is None or not 0 <= self._now_s() - found.began_s < HOLDS_S:
            raise CodeRefused("ended")

        def look(ask: ReadRepository) -> tuple[Password | None, User | None]:
            return ask.password_of(found.user_id), ask.user(found.user_id)

        row, user = await self._reader.read(look)
        is_there = row is not None and row.totp is not None and row.changed_at == found.password_at
        if row is None or user is None or not is_there or user.deleted_at is not None:
            raise CodeRefused("ended")
        return Asked(user, row)

    async def use(self, asked: Asked, typed: str, record: CallRecord) -> None:
        """Use a code to sign in. Raises CodeRefused, and what ``Sequencer.submit`` raises except Refusal."""
        proof = self._proof(asked.password, typed)
        if proof is None:
            raise CodeRefused("wrong")
        user = asked.user
        record.account_id, record.user_id = user.account_id, user.id
        record.body = b"password and recovery code" if proof.recovery else b"password and code"
        command = UseSecondFactor(user_id=user.id, login=asked.password.login, proof=proof, by=user.id)
        try:
            await self._sequencer.submit(command, None, record)
        except Refusal:
            raise CodeRefused("used") from None

    def _proof(self, row: Password, typed: str) -> Proof | None:
        secret = self._vault.open(row.totp or b"", context=row.user_id)
        return codes.proof_of(secret, row.recovery, row.user_id, typed, self._now_s())

    async def _without(self, user: User) -> Password:
        row = await self.password_of(user.id)
        if row is None:
            raise Fault(e.INVALID_STATE, "Set a password first: the second factor belongs to it.")
        if row.totp is not None:
            raise Fault(e.INVALID_STATE, "The password has a second factor. Remove it before you add another one.")
        return row

    def _offer(self, row: Password, session_id: str, secret: str, drawn_s: int) -> Offer:
        sealed = self._vault.seal(f"{drawn_s} {secret}", context=_context(row.user_id, session_id))
        return Offer(secret, codes.address_of(secret, row.login), base64.urlsafe_b64encode(sealed).decode())

    def _now_s(self) -> int:
        return self._now_us() // SECOND_US


def _context(user_id: str, session_id: str) -> str:
    return f"offer {user_id} {session_id}"
