"""What the gateway asks of others, and what it tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from leasehold.domain.calendar import Instant
from leasehold.questions import Questions

Outcome = Literal["succeeded", "failed", "refused", "aborted"]
"""Failed: by the replica. Refused: it reached none. Aborted: the caller went away."""


class Target(NamedTuple):
    """A healthy replica that takes requests at ``address`` (as in ``Seen``); ``draining``: no new ones any more."""

    name: str
    address: str
    draining: bool = False


class Targets(Protocol):
    """Where the replicas of services are found."""

    def of(self, ask: Questions, service_id: str) -> Sequence[Target]:
        """Return the healthy replicas of a service, as the store has them now."""
        ...


class Meter(Protocol):
    """Where calls are counted."""

    def gateway_called(self, outcome: Outcome) -> None:
        """Count a call."""

    def gateway_first_byte(self, seconds: float) -> None:
        """Note how long a replica took until it began to answer."""

    def gateway_key_refused(self, why: str) -> None:
        """Count a key that opened nothing, and why: one of ``keys.Why``."""

    def gateway_in_flight(self, change: int) -> None:
        """Note that a call began, or ended."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a call: times in seconds, sizes in bytes, and how many calls a replica has at once."""

    connect_s: float = 5.0
    first_byte_s: float = 300.0
    idle_s: float = 300.0
    headers_max: int = 32 * 1024
    concurrency_max: int = 256


class Counted(NamedTuple):
    """What calls are summed up by: the hour in which they ended, and who called what."""

    account_id: str
    service_id: str
    app_id: str
    hour: Instant
