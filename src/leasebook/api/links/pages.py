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
from leasebook.api.links.html import Form, Sheet
from leasebook.api.links.tokens import KEPT_US, Link, Links
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
from leasebook.domain.model.offering import EVERYWHERE, Offering, PriceList
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import wallet
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.rules.metering import uses
from leasebook.domain.rules.reminder import deadline_of, what_of
from leasebook.domain.values.calendar import MINUTE_US, SECOND_US, Instant, to_datetime
from leasebook.domain.values.money import amount_text
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.rule_settings import Rules
from leasebook.ports.clock import Clock
from leasebook.ports.queries.read_repository import IDENTITY_EPOCH, Reader, ReadRepository

log = structlog.get_logger()

TRIES: Final = 5
_ATTEMPT: Final = re.compile(rb"attempt=([0-9a-f]{1,32})(?:&amount=([0-9]{1,18}))?")
_ONCE: Final = "The link works once. Looking at this page changes nothing."
_NOT_FOUND: Final = Sheet(404, "There is nothing here", ("Check that the address is complete.",))
_BUTTONS: Final = {"keep": "Keep it for two more hours", "release": "Release it now", "renew": "Renew it by a month"}
_DONE: Final = {
    "keep": "It is kept for two more hours",
    "release": "It is released",
    "renew": "It is renewed by a month",
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

    async def show(self, token: str) -> Sheet:
        """Say what a link would do. Nothing is changed."""
        confirmation, link = self._links.read_confirmation(token), self._links.read(token)
        try:
            if confirmation is not None:
                return await self._confirm.show(confirmation)
            if link is None:
                return _NOT_FOUND
            seen = await self._look(link)
        except Unavailable as error:
            return _unavailable(error)
        if seen is None:
            return _NOT_FOUND
        now = self._clock.now()
        return self._closed(link, seen, now) or self._asking(link, seen, now)

    async def do(self, token: str, body: bytes, record: CallRecord) -> Sheet:
        """Do what a link says, and say what came of it. The audit log has it as a call of the instance's buyer."""
        confirmation, link = self._links.read_confirmation(token), self._links.read(token)
        try:
            if confirmation is not None:
                return await self._confirm.do(confirmation, record)
            if link is None:
                return _NOT_FOUND
            attempt = _ATTEMPT.fullmatch(body)
            name, amount = (attempt[1].decode(), attempt[2]) if attempt else ("", None)
            value = hashlib.sha256(f"link {token} {name} {amount!r}".encode()).hexdigest()
            return await self._try(link, value, None if amount is None else int(amount), record)
        except OutcomeUnknown:
            return Sheet(
                500,
                "It may or may not have been done",
                ("The store failed in the act of writing. Open the link again to see which.",),
            )
        except (Overloaded, Closed, Unavailable) as error:
            return _unavailable(error)

    async def _try(self, link: Link, value: str, amount: int | None, record: CallRecord) -> Sheet:
        for _ in range(TRIES):
            seen = await self._look(link)
            if seen is None:
                return _NOT_FOUND
            if not seen.may_change:
                return self._closed(link, seen, self._clock.now()) or _not_permitted(seen)
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
                return self._closed(link, after, now) or self._asking_anew(link, after, now, amount, refusal)
            after = await self._look(link) or seen
            return Sheet(200, _DONE[link.deed], self._outcome(link, after), self._facts(after))
        raise Overloaded

    def _asking_anew(self, link: Link, seen: Seen, now: Instant, amount: int | None, refusal: Refusal) -> Sheet:
        """Say why it was refused; where it costs something else than the page said, ask with what it costs now."""
        asking = self._asking(link, seen, now)
        if link.deed != "renew" or asking.form is None or asking.form.amount == amount:
            return self._refused(seen, refusal)
        before = "" if amount is None else f" instead of {self._money(amount)}"
        costs = f"It costs {self._money(asking.form.amount or 0)} now{before}. Nothing was charged."
        return asking._replace(status=409, sentences=(costs, *asking.sentences))

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

    def _asking(self, link: Link, seen: Seen, now: Instant) -> Sheet:
        """Say what it would do, by doing it to a copy of the rows; or why it would be refused."""
        if not seen.may_change:
            return _not_permitted(seen)
        draft = Draft(_book(link, seen), now)
        try:
            self._command(link, seen).does_it(draft, self._rules, now)
        except Refusal as refusal:
            return self._refused(seen, refusal)
        paid = sum(-posting.effect_on(wallet(seen.account.id)) for posting in draft.postings)
        after = draft.require(INSTANCES, seen.unit.id)
        deadline = self._time(seen, link.deadline)
        match link.deed:
            case "keep":
                title = f"Keep {seen.called} for two more hours?"
                does = f"Its release is moved from {deadline} to {self._time(seen, after.release_at)}."
                cost = self._cost_of_keeping(seen, now)
            case "release":
                title = f"Release {seen.called} now?"
                does = f"It ends now instead of at {deadline}, and what runs on it stops. That cannot be undone."
                rest = f"Its use since the last charge, {self._money(paid)}, is charged now. " if paid else ""
                cost = f"Nothing more from now on. {rest}It cost {self._money(after.charged)} in all."
            case "renew":
                title = f"Renew {seen.called} by a month?"
                does = f"Its term ends at {self._time(seen, after.expires_at)} instead of at {deadline}."
                cost = f"{self._money(paid)}, charged at once. The balance is {self._money(seen.account.balance)}."
        facts = [*self._facts(seen), ("Cost", cost), ("The link holds until", deadline)]
        form = Form(_BUTTONS[link.deed], secrets.token_hex(16), paid if link.deed == "renew" else None)
        return Sheet(200, title, (does,), facts, form, _ONCE)

    def _cost_of_keeping(self, seen: Seen, now: Instant) -> str:
        unit = seen.unit
        if unit.status not in UP or seen.prices is None:
            return "Nothing while it is stopped; when it runs, it is paid by the minute."
        fresh = msgspec.structs.replace(unit, meter_from=now, metered_minutes=0, metered_peak=0, sized_at=None)
        cost = sum(use.amount for use in uses(fresh, seen.prices, Instant(now + KEPT_US)))
        return f"{self._money(cost)} for the two hours at the present price, charged by the minute."

    def _closed(self, link: Link, seen: Seen, now: Instant) -> Sheet | None:
        """Say why a link does nothing any more; None where it does."""
        unit, deadline = seen.unit, deadline_of(seen.unit)
        if unit.status in GONE or unit.status == "Releasing":
            ended = unit.ended_at if unit.ended_at is not None else unit.released_at
            when = "" if ended is None else f" since {self._time(seen, ended)}"
            return Sheet(
                410, f"{seen.called} is gone", (f"It has ended{when}. Nothing is left to do.",), self._facts(seen)
            )
        if deadline == link.deadline and seen.used is not None:
            said = f"A link of this reminder was used at {self._time(seen, seen.used.used_at)}, and each works once."
            return Sheet(410, "This link was used", (said, "Nothing was done."), self._facts(seen))
        if deadline == link.deadline > now:
            return None
        what = "release" if what_of(unit) == "release" else "expiry"
        if deadline == link.deadline:
            said = f"It was about the {what} at {self._time(seen, link.deadline)}, and that has come."
            return Sheet(410, "This link has ended", (said,), self._facts(seen))
        said = (
            f"It has no {what} any more." if deadline is None else f"Its {what} is at {self._time(seen, deadline)} now."
        )
        about = f"The link was about {self._time(seen, link.deadline)}. {said} Nothing was done."
        return Sheet(410, "This link does not hold any more", (about,), self._facts(seen))

    def _refused(self, seen: Seen, refusal: Refusal) -> Sheet:
        return Sheet(409, "This cannot be done", (refusal.message, "Nothing was done."), self._facts(seen))

    def _outcome(self, link: Link, seen: Seen) -> tuple[str, ...]:
        unit = seen.unit
        if link.deed == "release":
            return (f"{seen.called} ended at {self._time(seen, unit.ended_at)}. It cost {self._money(unit.charged)}.",)
        end = "Its term ends" if link.deed == "renew" else "It is released"
        return (f"{end} at {self._time(seen, deadline_of(unit))} now.",)

    def _facts(self, seen: Seen) -> list[tuple[str, str]]:
        unit = seen.unit
        place = "" if unit.region == EVERYWHERE else f" in {unit.region}"
        units = "1 unit" if unit.count == 1 else f"{unit.count} units"
        return [
            ("Instance", seen.called),
            (
                "Units",
                f"{units} of {unit.type}{place}, {unit.payment_timing.lower()}, {unit.status}",
            ),
            ("Account", seen.account.name),
        ]

    def _money(self, amount: int) -> str:
        return f"{amount_text(amount)} {self._rules.currency}"

    def _time(self, seen: Seen, at: Instant | None) -> str:
        """Write a time as the account's own clocks show it."""
        if at is None:
            return "no time"
        zone = seen.account.time_zone
        seconds = ":%S" if at % MINUTE_US >= SECOND_US else ""
        return f"{to_datetime(at, zone):%Y-%m-%d %H:%M{seconds}} ({zone})"


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


def _not_permitted(seen: Seen) -> Sheet:
    return Sheet(
        403,
        "This cannot be done",
        (
            f"The link acts for the buyer of {seen.called}, who may not change it any more.",
            "A user with full control of the account can (/v2/computeunit). Nothing was done.",
        ),
    )


def _unavailable(error: Exception) -> Sheet:
    log.warning("a link could not be used", error=repr(error))
    return Sheet(503, "Not now", ("The service is too busy, or is stopping. Nothing was done: try again in a moment.",))
