"""Turning a prepaid instance into a postpaid one and back: the documents' BillingChanging."""

from __future__ import annotations

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, OFFERINGS
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.limits import judge_turn
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import start_meter
from leasebook.domain.rules.purchase_checks import PurchaseTerms, balance_needed
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


def turn_postpaid(draft: Draft, unit: Instance, rules: Rules, now: Instant) -> bool:
    """Meter an instance from the end of its term on; answers False where it cannot begin to be paid so.

    It must be what a purchase would have to be: sold by the minute, covered by the balance for a start, and with a
    release time where the account's limits ask for one. It gets the default one, as a purchase does that gives none.
    """
    offering = draft.require(OFFERINGS, *unit.offering)
    balance = draft.require(ACCOUNTS, unit.account_id).balance
    release_at, refusal = judge_turn(draft.get(ACCOUNT_LIMITS, unit.account_id), now, rules.time_zone)
    deal = PurchaseTerms(
        unit.account_id, offering, unit.count, "Postpaid", 0, release_at, offering.per_minute, unit.created_by
    )
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
