"""What an engine reports: the replicas of an instance run, or are gone."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import ACCOUNTS, OFFERINGS, UNITS, Book, Draft
from leasehold.domain.calendar import Instant, add_months, next_full_hour
from leasehold.domain.ending import finish_release
from leasehold.domain.rules import Rules


class ConfirmRunning(Command, frozen=True, kw_only=True):
    """The instance's capacity is there. Its term, or its meter, starts now.

    Answers False, and changes nothing, where the instance is not being created any more.
    """

    answer: ClassVar[type] = bool

    unit_id: str

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The account, for its time zone."""
        unit = book.get(UNITS, self.unit_id)
        if unit is not None:
            yield ACCOUNTS, (unit.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """See the class."""
        unit = draft.get(UNITS, self.unit_id)
        if unit is None or unit.status != "Creating":
            return False
        zone = draft.require(ACCOUNTS, unit.account_id).time_zone
        prepaid = unit.payment_timing == "Prepaid"
        draft.put(
            UNITS,
            msgspec.structs.replace(
                unit,
                status="Running",
                started_at=now,
                expires_at=add_months(now, unit.term_months, zone) if prepaid else None,
                charge_at=None if prepaid else next_full_hour(now, zone),
            ),
        )
        return True


class ConfirmReleased(Command, frozen=True, kw_only=True):
    """Nothing of the instance is left. Only now do its units go back to the stock (decision 6).

    Answers False, and changes nothing, where the instance is not being released.
    """

    answer: ClassVar[type] = bool

    unit_id: str

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        """The stock that its units go back to."""
        unit = book.get(UNITS, self.unit_id)
        if unit is not None:
            yield OFFERINGS, unit.offering

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """See the class."""
        unit = draft.get(UNITS, self.unit_id)
        if unit is None or unit.status != "Releasing":
            return False
        finish_release(draft, unit, now)
        return True
