"""What is sent, and by whom: the ports of the dispatcher."""

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
    """What the service's clock says."""


class Sender(Protocol):
    """Somebody who can send to one kind of hook."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Try once; returns what came of it and never raises for what the other side does."""
        ...

    async def rest(self, hook: Subscription) -> None:
        """Wait until nothing is left of attempts at a hook that are over, such as a name that is still looked up."""

    async def close(self) -> None:
        """Let go of every connection."""
