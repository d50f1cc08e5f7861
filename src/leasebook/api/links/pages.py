"""The page behind a reminder's link: it says what the link does, and its button does that once.

Looking at the page changes nothing: mail scanners follow every link. Pressing the button is the buyer's own command,
decided like any other, and refused like any other.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final, NamedTuple

import msgspec
import structlog

from leasebook.api.audit_record import CallRecord
from leasebook.api.ids import hex_id
from leasebook.api.links.confirm_page import ConfirmPages
from leasebook.api.links.sheet import Form, Sheet
from leasebook.api.links.tokens import KEPT_US, Link, Links
from leasebook.api.links.words import LinkWords, marked
from leasebook.batch import Closed, OutcomeUnknown, Overloaded, Sequencer, StaleIdentity, Unavailable
from leasebook.contract.policies import FULL, WRITERS
from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import (
    ACCOUNT_LIMITS,
    ACCOUNTS,
    INSTANCES,
    OFFERINGS,
    PRICES,
    RESOURCE_TAGS,
    SERVICES,
    USED_LINKS,
)
from leasebook.domain.commands.instance.link import UseLink
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import Renew
from leasebook.domain.model.account import Account, holds_for
from leasebook.domain.model.idempotency import IdempotencyKey
from leasebook.domain.model.instance import GONE, UP, Instance
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import wallet
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.rules.metering import uses
from leasebook.domain.rules.reminder import deadline_of, what_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository
from leasebook.translations.catalogues import Language, language_of

log = structlog.get_logger()

TRIES: Final = 5
_ATTEMPT: Final = re.compile(rb"attempt=([0-9a-f]{1,32})(?:&amount=([0-9]{1,18}))?")
_BUTTONS: Final = {
    "keep": marked("Keep it for two more hours"),
    "release": marked("Release it now"),
    "renew": marked("Renew it by a month"),
}
_DONE: Final = {
    "keep": marked("It is kept for two more hours"),
    "release": marked("It is released"),
    "renew": marked("It is renewed by a month"),
}


class Seen(NamedTuple):
    """The rows that a link is about, from one snapshot of the store."""

    epoch: str | None
    unit: Instance
    account: Account
    guard: AccountLimits | None
    offering: Offering
    prices: PriceList | None
    services: tuple[Service, ...]
    used: UsedLink | None
    policies: frozenset[str]
    """The policies of its buyer for the whole account; none where they have no active key left."""
    may_change: bool
    """Whether the buyer may change it, by those policies or by one for its project, and has an active key."""
    tags: ResourceTags | None
    language: Language | None
    """The language that its buyer wants."""

    @property
    def name(self) -> str | None:
        """The instance's name, where it has one."""
        return None if self.tags is None else self.tags.name

    @property
    def called(self) -> str:
        """The instance as people know it: its name, where it has one, and its id."""
        return self.unit.id if self.name is None else f"“{self.name}” ({self.unit.id})"


class LinkPages:
    """Answers everything under ``/links/``."""

    def __init__(self, links: Links, reader: Reader, sequencer: Sequencer, clock: Clock, rules: Rules) -> None:
        self._links = links
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._rules = rules
        self._confirm = ConfirmPages(reader, sequencer, clock)

    async def show(self, token: str, wanted: Language | None = None) -> Sheet:
        """Say what a link would do. Nothing is changed. ``wanted``: the reader's language; None: any that there is."""
        confirmation, link = self._links.read_confirmation(token), self._links.read(token)
        words = LinkWords(wanted)
        try:
            if confirmation is not None:
                return await self._confirm.show(confirmation, wanted)
            if link is None:
                return _not_found(words)
            seen = await self._look(link)
        except Unavailable as error:
            return _unavailable(words, error)
        if seen is None:
            return _not_found(words)
        words, now = LinkWords(wanted or seen.language), self._clock.now()
        return self._closed(words, link, seen, now) or self._asking(words, link, seen, now)

    async def do(self, token: str, body: bytes, record: CallRecord, wanted: Language | None = None) -> Sheet:
        """Do what a link says, and say what came of it. The audit log has it as a call of the instance's buyer."""
        confirmation, link = self._links.read_confirmation(token), self._links.read(token)
        words = LinkWords(wanted)
        try:
            if confirmation is not None:
                return await self._confirm.do(confirmation, record, wanted)
            if link is None:
                return _not_found(words)
            attempt = _ATTEMPT.fullmatch(body)
            name, amount = (attempt[1].decode(), attempt[2]) if attempt else ("", None)
            value = hashlib.sha256(f"link {token} {name} {amount!r}".encode()).hexdigest()
            return await self._try(link, value, None if amount is None else int(amount), record, wanted)
        except OutcomeUnknown:
            return words.sheet(
                500,
                words.gettext("It may or may not have been done"),
                words.gettext("The store failed in the act of writing. Open the link again to see which."),
            )
        except (Overloaded, Closed, Unavailable) as error:
            return _unavailable(words, error)

    async def _try(
        self, link: Link, value: str, amount: int | None, record: CallRecord, wanted: Language | None
    ) -> Sheet:
        for _ in range(TRIES):
            seen = await self._look(link)
            if seen is None:
                return _not_found(LinkWords(wanted))
            words = LinkWords(wanted or seen.language)
            if not seen.may_change:
                return self._closed(words, link, seen, self._clock.now()) or _not_permitted(words, seen)
            # The same attempt has the same answer, however often the button is pressed.
            command = msgspec.structs.replace(
                self._command(link, seen), amount=amount, token=IdempotencyKey(seen.unit.account_id, value, value)
            )
            try:
                record.pressed(seen.unit.account_id, seen.unit.created_by, link.deed, seen.unit.id)
                await self._sequencer.submit(command, seen.epoch, record, party=seen.unit.account_id)
            except StaleIdentity:
                continue
            except Refusal as refusal:
                after = await self._look(link) or seen
                now = self._clock.now()
                closed = self._closed(words, link, after, now)
                return closed or self._asking_anew(words, link, after, now, amount, refusal)
            after = await self._look(link) or seen
            title = words.gettext(_DONE[link.deed])
            return words.sheet(200, title, self._outcome(words, link, after), facts=self._facts(words, after))
        raise Overloaded

    def _asking_anew(
        self, words: LinkWords, link: Link, seen: Seen, now: Instant, amount: int | None, refusal: Refusal
    ) -> Sheet:
        """Say why it was refused; where it costs something else than the page said, ask with what it costs now."""
        asking = self._asking(words, link, seen, now)
        if link.deed != "renew" or asking.form is None or asking.form.amount == amount:
            return self._refused(words, seen, refusal)
        costs = {"amount": self._money(words, asking.form.amount or 0)}
        if amount is None:
            said = words.gettext("It costs %(amount)s now. Nothing was charged.") % costs
        else:
            costs["before"] = self._money(words, amount)
            said = words.gettext("It costs %(amount)s now instead of %(before)s. Nothing was charged.") % costs
        return asking._replace(status=409, sentences=(said, *asking.sentences))

    async def _look(self, link: Link) -> Seen | None:
        def look(ask: ReadRepository) -> Seen | None:
            # The epoch is read first: a batch refuses the link's command if a right was withdrawn after it was read.
            epoch = ask.fact(IDENTITY_EPOCH)
            unit = ask.unit(link.unit_id)
            account = None if unit is None else ask.account(unit.account_id)
            if unit is None or account is None:
                return None
            user, keys = next((user, keys) for user, keys in ask.users(account.id) if user.id == unit.created_by)
            policies = frozenset(user.policies) | ({FULL} if user.is_root else frozenset())
            policies = policies if any(key.status == "Active" for key in keys) else frozenset()
            services = (ask.service(placed.service_id) for placed in unit.placements)
            return Seen(
                epoch,
                unit,
                account,
                ask.guard(account.id),
                next(row for row in ask.offerings(removed=True) if (row.region, row.type) == unit.offering),
                ask.price_list(*unit.offering),
                tuple(service for service in services if service is not None),
                ask.used_link(unit.id, link.deadline),
                policies,
                any(key.status == "Active" for key in keys)
                and (user.is_root or holds_for(user, unit.project_id, WRITERS)),
                ask.tags_of([unit.id]).get(unit.id),
                language_of(user.language or ""),
            )

        return await self._reader.read(look)

    def _command(self, link: Link, seen: Seen) -> UseLink:
        unit = seen.unit
        does: ScheduleRelease | Release | Renew
        match link.deed:
            case "keep":
                does = ScheduleRelease(
                    account_id=unit.account_id,
                    unit_id=unit.id,
                    service_id=None,
                    release_at=Instant(link.deadline + KEPT_US),
                    kind=unit.kind,
                    by_manager=FULL in seen.policies,
                )
            case "release":
                does = Release(account_id=unit.account_id, unit_id=unit.id, service_id=None, kind=unit.kind)
            case "renew":
                does = Renew(
                    account_id=unit.account_id,
                    by=unit.created_by,
                    unit_id=unit.id,
                    order_id=hex_id(),
                    months=1,
                    day=None,
                    by_manager=FULL in seen.policies,
                )
        return UseLink(unit_id=unit.id, deadline=link.deadline, deed=link.deed, does=does, by=unit.created_by)

    def _asking(self, words: LinkWords, link: Link, seen: Seen, now: Instant) -> Sheet:
        """Say what it would do, by doing it to a copy of the rows; or why it would be refused."""
        if not seen.may_change:
            return _not_permitted(words, seen)
        draft = Draft(_book(link, seen), now)
        try:
            self._command(link, seen).does_it(draft, self._rules, now)
        except Refusal as refusal:
            return self._refused(words, seen, refusal)
        paid = sum(-posting.effect_on(wallet(seen.account.id)) for posting in draft.postings)
        after = draft.require(INSTANCES, seen.unit.id)
        zone, deadline = seen.account.time_zone, words.time(link.deadline, seen.account.time_zone)
        said = {"name": seen.called, "deadline": deadline, "paid": self._money(words, paid)}
        match link.deed:
            case "keep":
                title = words.gettext("Keep %(name)s for two more hours?") % said
                said["end"] = words.time(after.release_at, zone)
                does = words.gettext("Its release is moved from %(deadline)s to %(end)s.") % said
                cost = self._cost_of_keeping(words, seen, now)
            case "release":
                title = words.gettext("Release %(name)s now?") % said
                does = (
                    words.gettext(
                        "It ends now instead of at %(deadline)s, and what runs on it stops. That cannot be undone."
                    )
                    % said
                )
                said["all"] = self._money(words, after.charged)
                parts = [words.gettext("Nothing more from now on.")]
                if paid:
                    parts.append(words.gettext("Its use since the last charge, %(paid)s, is charged now.") % said)
                parts.append(words.gettext("It cost %(all)s in all.") % said)
                cost = words.joined(parts)
            case "renew":
                title = words.gettext("Renew %(name)s by a month?") % said
                said["end"] = words.time(after.expires_at, zone)
                does = words.gettext("Its term ends at %(end)s instead of at %(deadline)s.") % said
                said["balance"] = self._money(words, seen.account.balance)
                cost = words.gettext("%(paid)s, charged at once. The balance is %(balance)s.") % said
        facts = [
            *self._facts(words, seen),
            (words.gettext("Cost"), cost),
            (words.gettext("The link holds until"), deadline),
        ]
        form = Form(
            words.gettext(_BUTTONS[link.deed]),
            secrets.token_hex(16),
            paid if link.deed == "renew" else None,
            ends=link.deed == "release",
        )
        note = words.gettext("The link works once. Looking at this page changes nothing.")
        return words.sheet(200, title, does, facts=facts, form=form, note=note)

    def _cost_of_keeping(self, words: LinkWords, seen: Seen, now: Instant) -> str:
        unit = seen.unit
        if unit.status not in UP or seen.prices is None:
            return words.gettext("Nothing while it is stopped; when it runs, it is paid by the minute.")
        fresh = msgspec.structs.replace(unit, meter_from=now, metered_minutes=0, metered_peak=0, sized_at=None)
        cost = sum(use.amount for use in uses(fresh, seen.prices, Instant(now + KEPT_US)))
        said = words.gettext("%(cost)s for the two hours at the present price, charged by the minute.")
        return said % {"cost": self._money(words, cost)}

    def _closed(self, words: LinkWords, link: Link, seen: Seen, now: Instant) -> Sheet | None:
        """Say why a link does nothing any more; None where it does."""
        unit, deadline, zone = seen.unit, deadline_of(seen.unit), seen.account.time_zone
        facts = self._facts(words, seen)
        if unit.status in GONE or unit.status == "Releasing":
            ended = unit.ended_at if unit.ended_at is not None else unit.released_at
            title = words.gettext("%(name)s is gone") % {"name": seen.called}
            if ended is None:
                return words.sheet(410, title, words.gettext("It has ended. Nothing is left to do."), facts=facts)
            said = words.gettext("It has ended since %(time)s. Nothing is left to do.")
            return words.sheet(410, title, said % {"time": words.time(ended, zone)}, facts=facts)
        nothing = words.gettext("Nothing was done.")
        if deadline == link.deadline and seen.used is not None:
            said = words.gettext("A link of this reminder was used at %(time)s, and each works once.")
            said %= {"time": words.time(seen.used.used_at, zone)}
            return words.sheet(410, words.gettext("This link was used"), said, nothing, facts=facts)
        if deadline == link.deadline > now:
            return None
        is_release, at = what_of(unit) == "release", {"time": words.time(link.deadline, zone)}
        if deadline == link.deadline:
            said = (
                words.gettext("It was about the release at %(time)s, and that has come.")
                if is_release
                else words.gettext("It was about the expiry at %(time)s, and that has come.")
            )
            return words.sheet(410, words.gettext("This link has ended"), said % at, facts=facts)
        about = words.gettext("The link was about %(time)s.") % at
        what = self._present_end(words, is_release=is_release, deadline=deadline, zone=zone)
        title = words.gettext("This link does not hold any more")
        return words.sheet(410, title, words.joined([about, what, nothing]), facts=facts)

    def _present_end(self, words: LinkWords, *, is_release: bool, deadline: Instant | None, zone: str) -> str:
        """Say when an instance ends now."""
        if deadline is None:
            return (
                words.gettext("It has no release any more.")
                if is_release
                else words.gettext("It has no expiry any more.")
            )
        at = {"time": words.time(deadline, zone)}
        if is_release:
            return words.gettext("Its release is at %(time)s now.") % at
        return words.gettext("Its expiry is at %(time)s now.") % at

    def _refused(self, words: LinkWords, seen: Seen, refusal: Refusal) -> Sheet:
        title, nothing = words.gettext("This cannot be done"), words.gettext("Nothing was done.")
        return words.sheet(409, title, nothing, facts=self._facts(words, seen), quoted=refusal.message)

    def _outcome(self, words: LinkWords, link: Link, seen: Seen) -> str:
        unit, zone = seen.unit, seen.account.time_zone
        if link.deed == "release":
            return words.gettext("%(name)s ended at %(time)s. It cost %(cost)s.") % {
                "name": seen.called,
                "time": words.time(unit.ended_at, zone),
                "cost": self._money(words, unit.charged),
            }
        at = {"time": words.time(deadline_of(unit), zone)}
        if link.deed == "renew":
            return words.gettext("Its term ends at %(time)s now.") % at
        return words.gettext("It is released at %(time)s now.") % at

    def _facts(self, words: LinkWords, seen: Seen) -> list[tuple[str, str]]:
        return [
            (words.gettext("Instance"), seen.called),
            (words.gettext("Units"), words.units(seen.unit)),
            (words.gettext("Account"), seen.account.name),
        ]

    def _money(self, words: LinkWords, amount: int) -> str:
        return words.money(amount, self._rules.currency)


def _book(link: Link, seen: Seen) -> Book:
    """Put down what was read, so that a command can be decided on it and thrown away."""
    book, unit = Book(), seen.unit
    book.load(INSTANCES, (unit.id,), unit)
    book.load(ACCOUNTS, (unit.account_id,), seen.account)
    book.load(USED_LINKS, (unit.id, link.deadline), seen.used)
    book.load(ACCOUNT_LIMITS, (unit.account_id,), seen.guard)
    book.load(RESOURCE_TAGS, (unit.id,), seen.tags)
    book.load(OFFERINGS, unit.offering, seen.offering)
    book.load(PRICES, unit.offering, seen.prices)
    for service in seen.services:
        book.load(SERVICES, (service.id,), service)
    return book


def _not_found(words: LinkWords) -> Sheet:
    title, said = words.gettext("There is nothing here"), words.gettext("Check that the address is complete.")
    return words.sheet(404, title, said)


def _not_permitted(words: LinkWords, seen: Seen) -> Sheet:
    return words.sheet(
        403,
        words.gettext("This cannot be done"),
        words.gettext("The link acts for the buyer of %(name)s, who may not change it any more.")
        % {"name": seen.called},
        words.gettext("A user with full control of the account can (/v2/computeunit). Nothing was done."),
    )


def _unavailable(words: LinkWords, error: Exception) -> Sheet:
    log.warning("a link could not be used", error=repr(error))
    said = words.gettext("The service is too busy, or is stopping. Nothing was done: try again in a moment.")
    return words.sheet(503, words.gettext("Not now"), said)
