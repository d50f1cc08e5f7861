"""The command of a link in a reminder. It works while the instance still has the deadline of the reminder."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import INSTANCES, USED_LINKS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.release import Release, ScheduleRelease
from leasebook.domain.commands.instance.renewal import Renew
from leasebook.domain.record.ledger import wallet
from leasebook.domain.record.notice import UsedLink
from leasebook.domain.rules.reminder import deadline_of
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.refusal import NO_INSTANCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class UseLink(Command, frozen=True, kw_only=True):
    """Run a link's command on an instance whose deadline is still that of the reminder, and still ahead.

    Once one link of a reminder is used, all its links are void, even if the deadline is set again. ``amount`` is the
    price of a renewal that the page showed, in micro-units; no other amount is charged.
    """

    answer: ClassVar[type] = bool

    unit_id: str
    deadline: Instant
    deed: str
    does: ScheduleRelease | Release | Renew
    amount: int | None = None

    def needs(self) -> Needs:
        """The needs of the command, and the record of used links."""
        yield from self.does.needs()
        yield USED_LINKS, (self.unit_id, self.deadline)

    def needs_more(self, book: Book) -> Needs:
        """The further needs of the command."""
        return self.does.needs_more(book)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:
        """Raises Refusal if the link is void, if the price has changed, or if the command is refused."""
        self.does_it(draft, rules, now)
        unit = draft.require(INSTANCES, self.unit_id)
        paid = sum(-posting.effect_on(wallet(unit.account_id)) for posting in draft.postings)
        if isinstance(self.does, Renew) and paid != self.amount:
            raise Refusal(WRONG_STATE, "The renewal costs something else than the page said.")
        draft.put(USED_LINKS, UsedLink(self.unit_id, self.deadline, self.deed, now))
        return True

    def does_it(self, draft: Draft, rules: Rules, now: Instant) -> None:
        """Run the command; raises Refusal if the link is void or the command is refused."""
        unit = draft.get(INSTANCES, self.unit_id)
        if unit is None:
            raise Refusal(NO_INSTANCE, "The instance is gone.")
        if draft.get(USED_LINKS, self.unit_id, self.deadline) is not None:
            raise Refusal(WRONG_STATE, "A link of this reminder was used before, and each works once.")
        if self.deadline <= now:
            raise Refusal(WRONG_STATE, f"This link ended at {rfc3339(self.deadline, rules.written_zone)}.")
        if deadline_of(unit) != self.deadline:
            raise Refusal(
                WRONG_STATE,
                f"{unit.id} does not end at {rfc3339(self.deadline, rules.written_zone)} any more, "
                "so this link is void.",
            )
        msgspec.structs.replace(self.does, by=self.by).decide(draft, rules, now)
