"""The page behind the link in a confirmation mail: the reader of an address agrees to get events there."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from leasebook.api.audit_record import CallRecord
from leasebook.api.links.html import Form, Sheet
from leasebook.api.links.tokens import Confirmation
from leasebook.batch import Sequencer
from leasebook.domain.commands.account.subscription import ConfirmHook
from leasebook.domain.model.account import Account
from leasebook.domain.model.subscription import LIVE, Subscription
from leasebook.domain.values.calendar import to_datetime
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Reader, ReadRepository

_GONE = Sheet(410, "There is nothing to confirm", ("The subscription was deleted. No mail comes any more.",))


class _Seen(NamedTuple):
    hook: Subscription
    account: Account


class ConfirmPages:
    """Answers the links of confirmations."""

    def __init__(self, reader: Reader, sequencer: Sequencer, clock: Clock) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock

    async def show(self, link: Confirmation) -> Sheet:
        """Say what the link would do. Nothing is changed."""
        seen = await self._look(link)
        if seen is None:
            return _GONE
        closed = self._closed(link, seen)
        if closed is not None:
            return closed
        return Sheet(
            200,
            f"Send events of {seen.account.name} here?",
            (
                f"A manager of this account wants mails about its compute units sent to {seen.hook.target}.",
                "If that was not you, close this page: nothing more is sent.",
            ),
            [("Account", seen.account.name), ("The link holds until", self._time(link, seen))],
            Form("Yes, send them", secrets.token_hex(16)),
            "Looking at this page changes nothing.",
        )

    async def do(self, link: Confirmation, record: CallRecord) -> Sheet:
        """Confirm, and say so. The audit log of the account gets a call without a user."""
        seen = await self._look(link)
        if seen is None:
            return _GONE
        closed = self._closed(link, seen)
        if closed is not None:
            return closed
        record.confirmed(seen.account.id)
        try:
            await self._sequencer.submit(ConfirmHook(hook_id=link.hook_id, until=link.until), None, record)
        except Refusal as refusal:
            return Sheet(409, "This cannot be done", (refusal.message,))
        return Sheet(
            200, "The address is confirmed", (f"Events of {seen.account.name} are sent to {seen.hook.target} now.",)
        )

    async def _look(self, link: Confirmation) -> _Seen | None:
        def look(ask: ReadRepository) -> _Seen | None:
            hook = ask.hook(link.hook_id)
            account = None if hook is None else ask.account(hook.account_id)
            return None if hook is None or account is None or hook.status not in LIVE else _Seen(hook, account)

        return await self._reader.read(look)

    def _closed(self, link: Confirmation, seen: _Seen) -> Sheet | None:
        """Say why a link does nothing any more; None where it does."""
        if seen.hook.status != "Pending":
            return Sheet(410, "The address was confirmed before", ("Nothing is left to do.",))
        if seen.hook.confirm_until != link.until:
            return Sheet(410, "This link does not hold any more", ("A newer mail has the one that does.",))
        if link.until <= self._clock.now():
            return Sheet(
                410,
                "This link has ended",
                (f"It held until {self._time(link, seen)}.", "A manager of the account can have another one sent."),
            )
        return None

    def _time(self, link: Confirmation, seen: _Seen) -> str:
        zone = seen.account.time_zone
        return f"{to_datetime(link.until, zone):%Y-%m-%d %H:%M} ({zone})"
