"""What is asked about deliveries of events, and what the answers are made of."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from leasebook.domain.model.subscription import Delivery, Subscription
from leasebook.domain.record.event import Event


class DeliveryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries of an account to list; None: whatever it is."""

    account_id: str
    hook_id: str | None = None
    unit_id: str | None = None
    state: str | None = None


class DeliveryPlace(NamedTuple):
    """Where a delivery stands in lists: by its event, then by its hook."""

    page: int
    line: int
    hook_id: str


class Working(NamedTuple):
    """A hook that has something to do, or may have; ``behind``: events came since it was looked after."""

    hook: Subscription
    behind: bool


class Head(NamedTuple):
    """The first delivery that waits in a lane, and its event."""

    delivery: Delivery
    event: Event
