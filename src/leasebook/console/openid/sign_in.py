"""Signing in: the person whom the provider names becomes a user of this service, with the policies of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from leasebook.api.audit_record import CallRecord
from leasebook.batch import Sequencer
from leasebook.console.openid.failures import REFUSED, SignInFailed
from leasebook.console.openid.flow import Begun, CodeFlow, Completed
from leasebook.contract.policies import OF_THE_HOUSE
from leasebook.domain.commands.console.openid import SignedIn, SignInByOpenId, user_id_of
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.values.calendar import SECOND_US, Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.queries.read_repository import Reader, ReadRepository

SIGN_OUT: Final = "/openid/signed-out"
"""The page, under the console's address, that a browser comes to when a session of this kind has ended."""


class Arrived(NamedTuple):
    """A user who has signed in, and the path of the console where the browser goes on."""

    user_id: str
    back: str


class OpenIdSignIn:
    """Signs people in with the identity provider.

    ``groups`` are the policies by group. ``account_id`` is the account in which a first sign-in makes a user; None:
    that of the first root.
    """

    def __init__(
        self,
        flow: CodeFlow,
        reader: Reader,
        sequencer: Sequencer,
        groups: Mapping[str, Sequence[str]],
        account_id: str | None,
    ) -> None:
        self.flow: Final = flow
        self._reader = reader
        self._sequencer = sequencer
        self._groups = groups
        self._account_id = account_id

    async def begin(self, back: str) -> Begun:
        """Begin a sign-in that leads to a path of the console in the end; raises SignInFailed."""
        return await self.flow.begin(back)

    async def complete(self, query: Sequence[tuple[str, str]], cookie: str, record: CallRecord) -> Arrived:
        """Complete a sign-in; the audit log gets ``record``.

        Raises SignInFailed, and what ``Sequencer.submit`` raises except Refusal.
        """
        completed = await self.flow.complete(query, cookie)
        command = await self._command(completed)
        record.account_id, record.user_id, record.body = command.account_id, command.user_id, b"openid"
        try:
            signed: SignedIn = await self._sequencer.submit(command, None, record)
        except Refusal as refusal:
            raise SignInFailed(
                "refused", REFUSED, f"{command.user_id}: {refusal.message}", status=403, quoted=refusal.message
            ) from None
        return Arrived(signed.user_id, completed.back)

    def policies_of(self, groups: Sequence[str]) -> tuple[str, ...]:
        """Return the policies that groups give, each once."""
        return tuple(dict.fromkeys(policy for group in groups for policy in self._groups.get(group, ())))

    async def _command(self, completed: Completed) -> SignInByOpenId:
        person = completed.person
        user_id = user_id_of(person.issuer, person.subject)

        def look(ask: ReadRepository) -> str:
            user = ask.user(user_id)
            if user is not None:
                return user.account_id
            root = None if self._account_id is not None else ask.user(ask.fact(ROOT_USER) or "")
            return self._account_id or ("" if root is None else root.account_id)

        return SignInByOpenId(
            account_id=await self._reader.read(look),
            user_id=user_id,
            issuer=person.issuer,
            subject=person.subject,
            name=person.name,
            policies=self.policies_of(person.groups),
            operators=OF_THE_HOUSE,
            sign_in_id=sha256(f"openid {completed.state}".encode()).hexdigest(),
            until=Instant(completed.until_s * SECOND_US),
            by=user_id,
        )
