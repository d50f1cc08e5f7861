"""Shapes of values: approvals. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape


class ApprovalDetail(Shape, kw_only=True):
    """A purchase that waits for an approval, or waited for one."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    approval_id: str
    """Its id."""
    status: str
    """Open: it waits. Approved: the purchase was made. Rejected, or Lapsed: nothing was bought."""
    what: str
    """The thing that it buys: units, quota, replicas, a new service with its units, or more units."""
    asked_by: str
    """The user who asked for it, and for whom it is bought."""
    reasons: list[str]
    """Why it needs an approval: each limit that it exceeds."""
    region: str
    """The region. The purchase may take another one if it names none."""
    type: str
    """The type of units, or the model of quota."""
    compute_unit_count: int
    """How many units the instance is to have."""
    payment_timing: str
    """How it is paid."""
    months: int | None = None
    """The months of its term, if it has one."""
    release_time: datetime | None = None
    """Its release time, if it has one, as of when it was asked for."""
    price_per_unit: Decimal
    """The price of a unit for a month or a minute when it was asked for: it may not be higher."""
    cost: Decimal
    """The price of the term, or of 30 days by the minute, when it was asked for."""
    currency: str
    """The currency of both."""
    self_approval: bool
    """Whether the user who asked may approve it."""
    ask_time: datetime
    """When it was asked for."""
    lapse_time: datetime
    """When it lapses, or would have lapsed."""
    decided_by: str | None = None
    """The user who approved or rejected it."""
    decide_time: datetime | None = None
    """When it was approved or rejected, or lapsed."""
    reason: str | None = None
    """Why it was rejected. Of a lapsed one: Time, or AccountClosed."""
    order_id: str | None = None
    """The order, if it was approved."""
    instance_id: str | None = None
    """The instance that was bought, or that is to have more units."""
    service_id: str | None = None
    """The service that the replicas are for, or that was made with the purchase."""


class ApprovalPage(Shape, kw_only=True):
    """A page of purchases that wait for an approval, or waited for one."""

    approvals: list[ApprovalDetail]
    """The requests."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """Rows a page."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
