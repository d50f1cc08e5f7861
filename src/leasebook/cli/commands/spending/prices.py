"""Prices before money moves: what the service quotes, and sentences about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.generated.kind import Asked
from leasebook.cli.commands.language import _
from leasebook.cli.commands.showing.span import left_in_words, short, time_of_cell
from leasebook.cli.terminal.texts import of_error

MINUTES_AN_HOUR: Final = 60
MINUTE_S: Final = 60
CENTS: Final = Decimal("0.01")


class Price(NamedTuple):
    """The price of something, as a sentence and as an answer; and why the service would refuse it, if it would.

    ``sentence`` None: it has no price, because it cannot be. ``quote_id`` keeps the price for some minutes.
    ``amount``: what a change takes at once; no more is agreed to.
    """

    sentence: str | None
    answer: Mapping[str, Any]
    refusals: tuple[str, ...] = ()
    quote_id: str | None = None
    amount: str | None = None


def money(amount: Decimal) -> str:
    """Return an amount with two places at least."""
    plain = amount.normalize()
    return f"{amount.quantize(CENTS) if plain == plain.quantize(CENTS) else plain:f}"


def quoted(asked: Asked, request: Mapping[str, Any], *, hold: bool) -> Price:
    """Return the service's quote for a purchase of units."""
    quote = asked.session.call(action_of("quote_purchase", "term"), {**request, **({"hold": True} if hold else {})})
    return Price(sentence_of(asked, quote, request["billing"]), quote, _refusals(quote), quote.get("quoteId"))


def of_change(asked: Asked, request: Mapping[str, Any]) -> Price:
    """Return the service's quote for a renewal, a resize or a change of billing."""
    quote = asked.session.call(action_of("quote_change", "term"), request)
    if any(one["rule"] == "state" and not one["passed"] for one in quote["verdicts"]):
        # The change is impossible, so that a price says nothing: the refusal says all.
        return Price(None, quote, _refusals(quote))
    ends = time_of_cell(quote.get("expiredTime"))
    values = {
        "unit": quote["instanceId"],
        "count": quote["computeUnitCount"],
        "amount": money(Decimal(quote["amount"])),
        "currency": quote["currency"],
        "balance": money(Decimal(quote["balance"])),
        "until": "" if ends is None else short(ends),
    }
    if quote["paymentTiming"] == "Postpaid":
        minute = Decimal(quote.get("pricePerUnit") or 0) * quote["computeUnitCount"]
        values |= {"minute": money(minute), "hour": money(minute * MINUTES_AN_HOUR)}
    return Price(_sentence_of_change(request, quote).format(**values), quote, _refusals(quote), amount=quote["amount"])


def _sentence_of_change(request: Mapping[str, Any], quote: Mapping[str, Any]) -> str:
    is_prepaid = quote["paymentTiming"] == "Prepaid"
    if "paymentTiming" in request:
        if is_prepaid:
            return _("{unit} is paid in advance to {until}: {amount} {currency} at once, of a balance of {balance}.")
        if quote.get("pricePerUnit") is None:
            return _("{unit} is paid by the minute when its term ends, {until}. It is not sold by the minute now.")
        return _(
            "{unit} is paid by the minute when its term ends, {until}: {minute} {currency} a minute, {hour} an hour."
        )
    if "count" not in request:
        return _("The renewal of {unit} to {until}: {amount} {currency} at once, of a balance of {balance}.")
    if is_prepaid:
        return _(
            "{unit} with {count} units to the end of its term: {amount} {currency} at once, of a balance of {balance}."
        )
    return _("{unit} with {count} units: {minute} {currency} a minute, {hour} an hour.")


def _refusals(quote: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        # Each by itself: with the code before it a message is not found among the translated ones, or another is.
        f"{one['code']}: {of_error(one['message'])}"
        for one in quote["verdicts"]
        if not one["passed"] and one.get("message")
    )


def sentence_of(asked: Asked, quote: Mapping[str, Any], billing: Mapping[str, Any]) -> str:
    """Return a quote in one sentence."""
    units = _("{count} {type} in {region}").format(
        count=quote["computeUnitCount"], type=quote["type"], region=quote["region"]
    )
    if quote.get("pricePerUnit") is None:
        return _("{units} is not sold this way.").format(units=units)
    if quote["paymentTiming"] == "Prepaid":
        return _("{units} for {months} months: {amount} {currency} at once, of a balance of {balance}.").format(
            units=units,
            months=(billing.get("reservation") or {}).get("reservationLength", "?"),
            amount=money(Decimal(quote["amount"])),
            currency=quote["currency"],
            balance=money(Decimal(quote["balance"])),
        )
    minute = Decimal(quote["pricePerUnit"]) * quote["computeUnitCount"]
    until = time_of_cell(billing.get("releaseTime"))
    if until is None:
        return _("{units}: {minute} {currency} a minute, {hour} an hour, until it is released.").format(
            units=units,
            minute=money(minute),
            hour=money(minute * MINUTES_AN_HOUR),
            currency=quote["currency"],
        )
    now: datetime = asked.session.now()
    # Each minute that has begun is paid for.
    minutes = -(-(until - now).total_seconds() // MINUTE_S)
    return _("{units}: {minute} {currency} a minute until {until} ({left}), {total} in all.").format(
        units=units,
        minute=money(minute),
        currency=quote["currency"],
        until=short(until),
        left=left_in_words(until, now),
        total=money(minute * int(max(minutes, 0))),
    )


def in_catalogue(asked: Asked, model: str, count: int, months: int | None) -> Price:
    """Return the price of quota of a model by the catalogue: for months, or by the minute."""
    offerings = asked.session.pages(action_of("describe_offerings", "offering"), {}, "offerings", 0)["offerings"]
    found = next((one for one in offerings if one.get("model") == model), None)
    name = "pricePerMinute" if months is None else "pricePerMonth"
    price = None if found is None else found.get(name)
    if found is None or price is None:
        return Price(_("The catalogue has no price for {model}.").format(model=model), {"model": model, name: None})
    currency = asked.session.call(action_of("describe_account", "account"), {})["currency"]
    amount = Decimal(price) * count * (months or 1)
    answer = {"model": model, "count": count, name: price, "amount": money(amount), "currency": currency}
    if months is None:
        sentence = _("{count} {model}: {amount} {currency} a minute.")
    else:
        sentence = _("{count} {model} for {months} months: {amount} {currency} at once.")
        answer["months"] = months
    text = sentence.format(count=count, model=model, amount=money(amount), currency=currency, months=months)
    return Price(text, answer)
