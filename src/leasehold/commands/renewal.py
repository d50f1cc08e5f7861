"""The auto-renew rule of a prepaid instance."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.domain.book import UNITS, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.refusal import NOT_SUPPORTED, WRONG_STATE, Refusal
from leasehold.domain.rules import Rules
from leasehold.domain.whose import own_unit


class SetAutoRenew(Command, frozen=True, kw_only=True):
    """Renew a prepaid instance by that many months whenever its term runs out (decision 13)."""

    answer: ClassVar[type] = bool

    account_id: str
    unit_id: str
    months: int

    def needs(self) -> Needs:
        """The instance."""
        yield UNITS, (self.unit_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal for a postpaid instance and for one that ended."""
        unit = own_unit(draft, self.account_id, self.unit_id)
        if unit.payment_timing != "Prepaid":
            raise Refusal(
                NOT_SUPPORTED,
                f"{unit.id} is postpaid: it has no term that could be renewed.",
                field="instanceId",
            )
        if unit.status in ("Releasing", "Released", "CreateFailed"):
            raise Refusal(WRONG_STATE, f"{unit.id} is {unit.status}; it cannot be renewed.", field="instanceId")
        draft.put(UNITS, msgspec.structs.replace(unit, auto_renew=True, auto_renew_months=self.months))
        return True
