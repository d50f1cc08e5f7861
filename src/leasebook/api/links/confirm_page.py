"""The page behind the link in a confirmation mail: the reader of an address agrees to get events there."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from leasebook.api.audit_record import CallRecord
from leasebook.api.links.sheet import Form, Sheet
from leasebook.api.links.tokens import Confirmation
from leasebook.api.links.words import LinkWords
from leasebook.batch import Sequencer
from leasebook.domain.commands.account.subscription import ConfirmHook
from leasebook.domain.model.account import Account
from leasebook.domain.model.subscription import LIVE, Subscription
from leasebook.domain.values.refusal import Refusal
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import Reader, ReadRepository
from leasebook.translations.catalogues import Language, language_of


class _Seen(NamedTuple):
    hook: Subscription
    account: Account
    language: Language | None
    """The language that the user wants who made the subscription."""


class ConfirmPages:
    """Answers the links of confirmations. ``wanted`` is the reader's language; None: any that there is."""

    def __init__(self, reader: Reader, sequencer: Sequencer, clock: Clock) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock

    async def show(self, link: Confirmation, wanted: Language | None) -> Sheet:
        """Say what the link would do. Nothing is changed."""
        seen = await self._look(link)
        if seen is None:
            return _gone(LinkWords(wanted))
        words = LinkWords(wanted or seen.language)
        closed = self._closed(words, link, seen)
        if closed is not None:
            return closed
        account, target = seen.account.name, seen.hook.target
        asks = words.gettext("A manager of this account wants mails about its compute units sent to %(address)s.")
        return words.sheet(
            200,
            words.gettext("Send events of %(account)s here?") % {"account": account},
            asks % {"address": target},
            words.gettext("If that was not you, close this page: nothing more is sent."),
            facts=[
                (words.gettext("Account"), account),
                (words.gettext("The link holds until"), words.time(link.until, seen.account.time_zone)),
            ],
            form=Form(words.gettext("Yes, send them"), secrets.token_hex(16)),
            note=words.gettext("Looking at this page changes nothing."),
        )

    async def do(self, link: Confirmation, record: CallRecord, wanted: Language | None) -> Sheet:
        """Confirm, and say so. The audit log of the account gets a call without a user."""
        seen = await self._look(link)
        if seen is None:
            return _gone(LinkWords(wanted))
        words = LinkWords(wanted or seen.language)
        closed = self._closed(words, link, seen)
        if closed is not None:
            return closed
        record.confirmed(seen.account.id)
        try:
            await self._sequencer.submit(ConfirmHook(hook_id=link.hook_id, until=link.until), None, record)
        except Refusal as refusal:
            return words.sheet(409, words.gettext("This cannot be done"), quoted=refusal.message)
        said = words.gettext("Events of %(account)s are sent to %(address)s now.")
        said %= {"account": seen.account.name, "address": seen.hook.target}
        return words.sheet(200, words.gettext("The address is confirmed"), said)

    async def _look(self, link: Confirmation) -> _Seen | None:
        def look(ask: ReadRepository) -> _Seen | None:
            hook = ask.hook(link.hook_id)
            account = None if hook is None else ask.account(hook.account_id)
            if hook is None or account is None or hook.status not in LIVE:
                return None
            maker = ask.user(hook.created_by)
            return _Seen(hook, account, None if maker is None else language_of(maker.language or ""))

        return await self._reader.read(look)

    def _closed(self, words: LinkWords, link: Confirmation, seen: _Seen) -> Sheet | None:
        """Say why a link does nothing any more; None where it does."""
        if seen.hook.status != "Pending":
            title = words.gettext("The address was confirmed before")
            return words.sheet(410, title, words.gettext("Nothing is left to do."))
        if seen.hook.confirm_until != link.until:
            title = words.gettext("This link does not hold any more")
            return words.sheet(410, title, words.gettext("A newer mail has the one that does."))
        if link.until <= self._clock.now():
            until = words.gettext("It held until %(time)s.") % {"time": words.time(link.until, seen.account.time_zone)}
            another = words.gettext("A manager of the account can have another one sent.")
            return words.sheet(410, words.gettext("This link has ended"), until, another)
        return None


def _gone(words: LinkWords) -> Sheet:
    title = words.gettext("There is nothing to confirm")
    return words.sheet(410, title, words.gettext("The subscription was deleted. No mail comes any more."))
