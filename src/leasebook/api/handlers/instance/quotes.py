"""Quotes: purchases and changes of instances that are judged and not made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import bad_field, error_of
from leasebook.api.ids import hex_id
from leasebook.api.presenters.billing import purchase, read_billing
from leasebook.api.presenters.tags import new_tags
from leasebook.contract.action import UNITS
from leasebook.contract.actions import TABLE
from leasebook.contract.errors import ACCESS_DENIED
from leasebook.contract.nouns import instance as s
from leasebook.contract.nouns import term as t
from leasebook.contract.policies import FULL
from leasebook.domain.commands.instance.quote import Quoted, QuoteUnits, Verdict
from leasebook.domain.commands.instance.quote_change import ChangeQuoted, QuoteChange
from leasebook.domain.values.money import amount_text


async def quote_purchase(context: Context, call: Call[t.QuotePurchaseRequest]) -> t.Quote:
    """Judge a purchase by every rule, without making it."""
    asked = call.request
    buying = TABLE[UNITS, "PurchaseComputeUnit"]
    may = call.caller.may(buying)
    command = QuoteUnits(
        token=call.token(),
        purchase=purchase(
            context, call.caller, asked.billing, tags=new_tags(asked.name, asked.tags), project_id=asked.project_id
        ),
        region=asked.compute_unit_config.region or None,
        unit_type=asked.compute_unit_config.type,
        count=asked.compute_unit_count,
        # A price is kept only for a caller who may buy.
        quote_id=hex_id() if asked.hold and may else None,
        asked_at=context.clock.now(),
    )
    quoted: Quoted = await context.submit(call, command)
    verdicts = verdicts_of(
        quoted.verdicts, None if may else f"Buying takes one of {', '.join(sorted(buying.policies))}."
    )
    return t.Quote(
        passed=all(verdict.passed for verdict in verdicts),
        verdicts=verdicts,
        region=quoted.region,
        type=asked.compute_unit_config.type,
        compute_unit_count=asked.compute_unit_count,
        payment_timing=asked.billing.payment_timing,
        price_per_unit=None if quoted.price is None else amount_text(quoted.price),
        price_unit="Month" if asked.billing.payment_timing == "Prepaid" else "Minute",
        amount=amount_text(quoted.at_once),
        balance_needed=amount_text(quoted.balance_needed),
        balance=amount_text(quoted.balance),
        currency=context.rules.currency,
        quote_id=quoted.quote_id,
        quote_expired_time=None if quoted.expires_at is None else context.shown(quoted.expires_at),
    )


async def quote_change(context: Context, call: Call[t.QuoteChangeRequest]) -> t.ChangeQuote:
    """Judge a renewal, a resize or a change of billing by every rule, without making it."""
    asked = call.request
    renews = asked.months is not None or asked.expiry_day is not None
    resizes, turns = asked.count is not None, asked.payment_timing is not None
    if renews + resizes + turns != 1:
        raise bad_field(
            "count",
            "Give one of these: the number of units of a resize (count), by how long it is renewed (months, "
            "expiryDay), or how it is to be paid (paymentTiming).",
        )
    months = asked.months or 0
    if asked.payment_timing is not None:
        billing = read_billing(
            context, s.Billing(payment_timing=asked.payment_timing, reservation=asked.reservation), inside=""
        )
        months = billing.months
    changing = TABLE[UNITS, "RenewComputeUnit" if renews else "ResizeComputeUnit" if resizes else "ChangeBilling"]
    command = QuoteChange(
        token=call.token(),
        account_id=call.caller.account_id,
        by=call.caller.user_id,
        unit_id=asked.instance_id,
        count=asked.count,
        months=months,
        day=asked.expiry_day,
        payment_timing=asked.payment_timing,
        by_manager=FULL in call.caller.policies,
    )
    quoted: ChangeQuoted = await context.submit(call, command)
    may = call.caller.may(changing)
    verdicts = verdicts_of(
        quoted.verdicts, None if may else f"Changing it takes one of {', '.join(sorted(changing.policies))}."
    )
    return t.ChangeQuote(
        passed=all(verdict.passed for verdict in verdicts),
        verdicts=verdicts,
        instance_id=quoted.unit_id,
        region=quoted.region,
        type=quoted.unit_type,
        compute_unit_count=quoted.count,
        payment_timing=quoted.payment_timing,
        expired_time=None if quoted.expires_at is None else context.shown(quoted.expires_at),
        price_per_unit=None if quoted.price is None else amount_text(quoted.price),
        price_unit="Month" if quoted.payment_timing == "Prepaid" else "Minute",
        amount=amount_text(quoted.at_once),
        balance=amount_text(quoted.balance),
        currency=context.rules.currency,
    )


def verdicts_of(judged: Iterable[Verdict], denied: str | None) -> list[t.Verdict]:
    """Return the verdicts as callers see them, that of the caller's policies first: ``denied``, or None."""
    return [
        t.Verdict(
            rule="permission",
            passed=denied is None,
            code=None if denied is None else ACCESS_DENIED.code,
            message=denied,
        ),
        *(
            t.Verdict(
                rule=verdict.rule,  # type: ignore[arg-type]
                passed=verdict.reason is None,
                code=None if verdict.reason is None else error_of(verdict.reason).code,
                message=verdict.message,
            )
            for verdict in judged
        ),
    ]


OPERATIONS: Final[dict[str, Operation]] = {"quote_purchase": quote_purchase, "quote_change": quote_change}
