"""A quote: a price that is kept for some minutes, for one purchase."""

from __future__ import annotations

import msgspec

from leasebook.domain.record.ledger import PaymentTiming
from leasebook.domain.values.calendar import Instant, rfc3339
from leasebook.domain.values.money import Micro
from leasebook.domain.values.refusal import BAD_VALUE, NO_RESOURCE, WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class Quote(msgspec.Struct, frozen=True):
    """What was quoted to whom, at which price a unit and minute (postpaid) or month, and until when it holds.

    ``used_by`` is the instance that was bought with it.
    """

    id: str
    account_id: str
    region: str
    type: str
    count: int
    payment_timing: PaymentTiming
    months: int
    price: Micro
    created_at: Instant
    expires_at: Instant
    used_by: str | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What a purchase is about, to be compared with its quote."""

    account_id: str
    region: str
    type: str
    count: int
    payment_timing: PaymentTiming
    months: int


def check_quote(quote: Quote | None, quote_id: str, wanted: Wanted, rules: Rules, now: Instant) -> Quote:
    """Return the quote where it is the account's, of this very purchase, unused and still good; raises Refusal."""
    if quote is None or quote.account_id != wanted.account_id:
        raise Refusal(
            NO_RESOURCE, f"There is no quote {quote_id[:64]!r} here. QuotePurchase makes one.", field="quoteId"
        )
    if quote.used_by is not None:
        raise Refusal(WRONG_STATE, f"The quote was used for {quote.used_by} already; ask for another.", field="quoteId")
    if quote.expires_at <= now:
        raise Refusal(
            WRONG_STATE,
            f"The quote ended at {rfc3339(quote.expires_at, rules.time_zone)}; it is "
            f"{rfc3339(now, rules.time_zone)} now. Ask for another.",
            field="quoteId",
        )
    for name in ("region", "type", "count", "payment_timing", "months"):
        quoted, asked = getattr(quote, name), getattr(wanted, name)
        if quoted != asked:
            raise Refusal(
                BAD_VALUE,
                f"The quote is for {name.replace('_', ' ')} {quoted}, and {asked} is asked for. Buy what was quoted, "
                "or ask for another quote.",
                field="quoteId",
            )
    return quote
