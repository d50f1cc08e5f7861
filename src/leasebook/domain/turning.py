"""Turning a prepaid instance into a postpaid one and back: the documents' BillingChanging."""

from __future__ import annotations

from leasebook.domain.book import ACCOUNTS, GUARDS, OFFERINGS, Draft
from leasebook.domain.calendar import Instant
from leasebook.domain.changing import change
from leasebook.domain.guard import judge_turn
from leasebook.domain.metering import start_meter
from leasebook.domain.rules import Rules
from leasebook.domain.selling import Deal, balance_needed
from leasebook.domain.unit import Unit


def turn_postpaid(draft: Draft, unit: Unit, rules: Rules, now: Instant) -> bool:
    """Meter an instance from the end of its term on; answers False where it cannot begin to be paid so.

    It must be what a purchase would have to be: sold by the minute, covered by the balance for a start, and with a
    release time where the account's limits ask for one. It gets the default one, as a purchase does that gives none.
    """
    offering = draft.require(OFFERINGS, *unit.offering)
    balance = draft.require(ACCOUNTS, unit.account_id).balance
    release_at, refusal = judge_turn(draft.get(GUARDS, unit.account_id), now, rules.time_zone)
    deal = Deal(unit.account_id, offering, unit.count, "Postpaid", 0, release_at, offering.per_minute, unit.created_by)
    if refusal is not None or deal.price is None or balance < max(balance_needed(deal, rules), 0):
        return False
    unit = change(
        draft,
        unit,
        status="Running",
        payment_timing="Postpaid",
        term_months=0,
        term_from=None,
        term_anchor=None,
        expires_at=None,
        release_at=release_at,
        auto_renew=False,
        renew_at=None,
    )
    start_meter(draft, unit, now)
    return True
