"""Shapes of values: instance. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from leasebook.client.shape import Shape
from leasebook.client.shapes.event import CloudEvent
from leasebook.client.shapes.parts.common import PageInfo


class Purchased(Shape, kw_only=True):
    """The instance and the order that a purchase made."""

    instance_id: str
    """The instance."""
    order_id: str
    """The order."""


class ComputeUnitInstance(Shape, kw_only=True):
    """An instance (decision 23). Times are RFC 3339 in the service's zone."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    instance_id: str
    """The instance."""
    region: str
    """The region."""
    status: str
    """Creating, CreateFailed, Running, Stopped (its term is over or its account in debt, its units are kept),
    Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released.
    """
    type: str
    """The type of unit."""
    total_compute_units: int
    """How many units the instance has."""
    used_compute_units: int
    """How many of its units replicas take."""
    payment_timing: str
    """Prepaid: by the month, in advance. Postpaid: by the minute."""
    start_time: datetime | None = None
    """Since when it runs, and is paid for."""
    expired_time: datetime | None = None
    """Prepaid: when the term ends. Postpaid: when it ended."""
    release_time: datetime | None = None
    """When the instance is released by itself."""
    duration: int | None = None
    """The months of a prepaid term, on the account's clocks; a part of a month counts as one."""
    duration_unit: str | None = None
    """Month, with Prepaid."""
    target_compute_units: int | None = None
    """How many units it will have when it is resized, while that is under way."""
    reason: str | None = None
    """Why it could not be provided or resized, in the engine's words."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class ComputeUnitList(Shape, kw_only=True):
    """The account's live instances, in the order in which they were bought."""

    compute_unit_instance_list: list[ComputeUnitInstance]
    """The instances."""
    page_info: PageInfo | None = None
    """The same as the fields beside it, where a page was asked for."""
    is_truncated: bool | None = None
    """Whether more rows follow, where a page was asked for."""
    max_keys: int | None = None
    """The rows a page that were used, where a page was asked for."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class ServiceUsage(Shape, kw_only=True):
    """The replicas that a service has on an instance, and the units that they take."""

    service_id: str
    """The service."""
    service_name: str
    """The service's name for people."""
    replicas_count: int
    """How many replicas."""
    used_compute_units: int
    """How many of its units the service's replicas take."""


class ComputeUnitDetail(Shape, kw_only=True):
    """One instance, and which services use it."""

    compute_unit_instance: ComputeUnitInstance
    """The instance."""
    service_usage_list: list[ServiceUsage]
    """Which services use the instance, and how much of it."""


class Attempt(Shape, kw_only=True):
    """A call that named the instance and was refused: by whom, when, and which rule said no."""

    time: datetime
    """When it was tried."""
    request_id: str
    """The id that its answer had."""
    user_id: str | None = None
    """Who tried; missing where the signature was not proved."""
    user_name: str | None = None
    """The user's name now; missing for a user of another account."""
    action: str
    """The action that was called."""
    code: str
    """The error code."""
    message: str | None = None
    """The message of the refusal."""


class Explanation(Shape, kw_only=True):
    """Why an instance is alive, what ends it and when, what it cost and will have cost by the end of the month.

    ``text`` says the same in sentences. ``events`` has its last events, at most 100, and ``attempts`` the last refused
    calls, at most 20; both newest first.
    """

    instance_id: str
    """The instance."""
    alive: bool
    """Whether it holds units and is not about to be gone."""
    text: str
    """The explanation, for people: a sentence a line."""
    ends_time: datetime | None = None
    """When it stops or is released, if nothing changes; absent: it has no end."""
    ends_by: str | None = None
    """The reason for that end."""
    cost: Decimal
    """The charges so far."""
    month_end_cost: Decimal
    """The expected charges by the end of the account's month, if nothing changes."""
    currency: str
    """The currency of every amount."""
    events: list[CloudEvent]
    """Its events, newest first, at most 100."""
    attempts: list[Attempt]
    """Calls that named it and were refused, newest first, at most 20."""


class Reservation(Shape, kw_only=True):
    """For how long a prepaid purchase is; ignored with Postpaid (decision 5)."""

    reservation_time_unit: str | None = None
    """Month; required."""
    reservation_length: int | None = None
    """For how many months, from 1 to 12; required."""
    auto_renew: bool | None = None
    """Whether the instance is to be renewed when its term runs out."""
    auto_renew_time_unit: str | None = None
    """Month is the only unit."""
    auto_renew_time: int | None = None
    """By how many months it is renewed, from 1 to 6; 1 where it is left out."""


class Billing(Shape, kw_only=True):
    """How it is paid. ``releaseTime`` counts with Postpaid only, ``reservation`` with Prepaid only."""

    payment_timing: Literal["Prepaid", "Postpaid"]
    """Prepaid: by the month, in advance. Postpaid: by the minute."""
    reservation: Reservation | None = None
    """For how long; required with Prepaid."""
    release_time: datetime | str | None = None
    """When the instance is released by itself."""
    charge_type: Literal["ComputingUnit", "Tokens"] | None = None
    """ComputingUnit. A service cannot be paid by Tokens here; elsewhere the field is ignored."""


class ComputeUnitConfig(Shape, kw_only=True):
    """The units to buy: their type, and a region or the first one with enough stock (decision 8)."""

    region: str | None = None
    """The region; empty or left out: the first in the catalogue's order with stock enough."""
    type: str
    """The type of unit."""
