"""Filters and results of queries about deliveries."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.record.event import Event
from leasebook.ports.queries.across import Across


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for an account's deliveries; None: any value."""

    account_id: str
    hook_id: str | None = None
    unit_id: str | None = None
    state: str | None = None
    wide: bool | None = None
    """Only those to subscriptions over several accounts, or (False) only those to the others."""
    across: Across | None = None
    hidden: frozenset[str] = frozenset()
    """Types of events that are left out."""


class DeliveryPlace(NamedTuple):
    """The position of a delivery in lists: by its event, then by its subscription."""

    page: int
    line: int
    hook_id: str


class Working(NamedTuple):
    """A subscription with work, or that may have work; ``behind``: there are events without deliveries."""

    hook: Subscription
    behind: bool


class Head(NamedTuple):
    """The first waiting delivery of a queue, its event, and the account of the event.

    ``is_foreign``: it is of no project that the subscription is for, and is not sent.
    """

    delivery: Delivery
    event: Event
    account_id: str
    is_foreign: bool = False
