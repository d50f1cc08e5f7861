"""Reading the billing part of a purchase."""

from __future__ import annotations

from collections.abc import Callable

from leasebook.api.auth.identity import Identity
from leasebook.api.context import Context
from leasebook.api.fault import bad_field
from leasebook.api.ids import hex_id, unit_id
from leasebook.api.presenters.tags import NONE
from leasebook.contract.nouns import instance as s
from leasebook.domain.commands.instance.purchase import Billing, Purchase
from leasebook.domain.model.resource.project import stored_project
from leasebook.domain.values.resource_tags import NewTags

TERM_MONTHS = (1, 12)
RENEWAL_MONTHS = (1, 6)


def purchase(
    context: Context,
    caller: Identity,
    asked: s.Billing,
    *,
    new_id: Callable[[], str] = unit_id,
    quote_id: str | None = None,
    tags: NewTags = NONE,
    project_id: str | None = None,
) -> Purchase:
    """Return who buys, under which new ids, and how it is paid; raises Fault."""
    return Purchase(
        account_id=caller.account_id,
        by=caller.user_id,
        unit_id=new_id(),
        order_id=hex_id(),
        billing=read_billing(context, asked),
        quote_id=quote_id,
        tags=tags,
        project_id=stored_project(project_id),
    )


def read_billing(context: Context, asked: s.Billing, *, inside: str = "billing.") -> Billing:
    """Read the fields that apply to the payment timing, and ignore the others (decision 5).

    ``inside`` is the path of the object in the request, for messages. Raises Fault.
    """
    if asked.payment_timing == "Postpaid":
        time = asked.release_time
        return Billing(
            payment_timing="Postpaid",
            release_at=context.time(time, f"{inside}releaseTime") if time else None,
        )
    reservation, field = asked.reservation, f"{inside}reservation"
    if reservation is None:
        raise bad_field(field, "A prepaid purchase says for how long: give a reservation.")
    _month(reservation.reservation_time_unit, f"{field}.reservationTimeUnit", required=True)
    _month(reservation.auto_renew_time_unit, f"{field}.autoRenewTimeUnit", required=False)
    if reservation.reservation_length is None:
        raise bad_field(f"{field}.reservationLength", "Say for how many months.")
    renewal = 1 if reservation.auto_renew_time is None else reservation.auto_renew_time
    return Billing(
        payment_timing="Prepaid",
        months=_between(reservation.reservation_length, TERM_MONTHS, f"{field}.reservationLength"),
        auto_renew=bool(reservation.auto_renew),
        auto_renew_months=_between(renewal, RENEWAL_MONTHS, f"{field}.autoRenewTime"),
    )


def _month(unit: str | None, field: str, *, required: bool) -> None:
    if unit != "Month" and (required or unit is not None):
        raise bad_field(field, "Month is the only unit of time that is sold.")


def _between(value: int, bounds: tuple[int, int], field: str) -> int:
    low, high = bounds
    if not low <= value <= high:
        raise bad_field(field, f"{value} months: from {low} to {high} can be had.")
    return value
