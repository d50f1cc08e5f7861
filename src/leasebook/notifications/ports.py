"""The ports of the dispatcher: a delivery that is ready to be sent, and its sender."""

from __future__ import annotations

from typing import Protocol

import msgspec

from leasebook.domain.model.subscription import Delivery, Outcome, Subscription
from leasebook.domain.record.event import Event
from leasebook.domain.values.calendar import Instant


class Parcel(msgspec.Struct, frozen=True):
    """One delivery, ready to be sent. ``body`` is the event in JSON, as lists of events show it."""

    hook: Subscription
    delivery: Delivery
    event: Event
    body: bytes
    now: Instant
    """The time of the service's clock."""
    unit_name: str | None = None
    """The name of the event's instance; None: it has none, or the event is about no instance."""


class Sender(Protocol):
    """Sends to one kind of subscription: webhooks or e-mail."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Try once, and return the outcome. It never raises an error for a fault of the receiver."""
        ...

    async def rest(self, hook: Subscription) -> None:
        """Wait until nothing is left of a subscription's ended attempts, such as a name lookup."""

    async def close(self) -> None:
        """Close every connection."""
