"""How many calls a second a key and an account may make, where the operator has set a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, Protocol

import msgspec

from leasebook.api.auth.identity import Identity
from leasebook.api.fault import Fault
from leasebook.contract import errors as e

By = Literal["key", "account"]
SWEEP_AT: Final = 1024
"""At this many buckets the full ones are dropped. That loses nothing: a new bucket is full."""


class Rate(msgspec.Struct, frozen=True):
    """Calls per second on average, and the largest burst after a quiet time."""

    per_second: int
    burst: int


class Bucket:
    """Tokens that come at a steady rate; each call takes one. Times are seconds of a clock that only goes forward."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        """Begin full."""
        self._rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def wait(self, now: float) -> float:
        """Return for how many seconds there is no token yet; 0: there is one. Takes none."""
        self._fill(now)
        return max(0.0, (1 - self._tokens) / self._rate.per_second)

    def take(self) -> None:
        """Take a token; ``wait`` has said that there is one."""
        self._tokens -= 1

    def is_full(self, now: float) -> bool:
        """Whether nothing would be forgotten with it."""
        self._fill(now)
        return self._tokens >= self._rate.burst

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(float(self._rate.burst), self._tokens + (now - self._at) * self._rate.per_second)
            self._at = now


class Meter(Protocol):
    """Where calls are counted that came too fast."""

    def throttled(self, by: By) -> None:
        """Count a call."""


class Throttle:
    """Counts calls by key and by account; operators as well. A call that is refused takes no token of either."""

    def __init__(self, *, key: Rate | None, account: Rate | None, now: Callable[[], float], meter: Meter) -> None:
        """``key`` and ``account`` are the limits; None: none."""
        limits: tuple[tuple[By, Rate | None], ...] = (("key", key), ("account", account))
        self._limits = [(by, rate) for by, rate in limits if rate is not None]
        self._now = now
        self._meter = meter
        self._buckets: dict[tuple[By, str], Bucket] = {}
        self._sweep_at = SWEEP_AT

    def admit(self, caller: Identity) -> None:
        """Count a call; raises Fault with when to come again where it came too fast."""
        refused = self.refusal(caller.access_key_id, caller.account_id)
        if refused is not None:
            raise Fault(e.TOO_MANY_REQUESTS, refused[0], retry_after_s=refused[1])

    def refusal(self, key_id: str, account_id: str) -> tuple[str, int] | None:
        """Count a call; returns the message and after how many seconds to come again where it came too fast.

        ``key_id`` is an access key or a service key.
        """
        if not self._limits:
            return None
        now = self._now()
        buckets: list[Bucket] = []
        for by, rate in self._limits:
            bucket = self._bucket(by, key_id if by == "key" else account_id, rate, now)
            wait = bucket.wait(now)
            if wait > 0:
                self._meter.throttled(by)
                message = (
                    f"This {by} may make {rate.per_second} calls a second, and {rate.burst} at once after a rest. "
                    "Nothing was done; come again when Retry-After says."
                )
                return message, math.ceil(wait)
            buckets.append(bucket)
        for bucket in buckets:
            bucket.take()
        return None

    def _bucket(self, by: By, name: str, rate: Rate, now: float) -> Bucket:
        bucket = self._buckets.get((by, name))
        if bucket is None:
            if len(self._buckets) >= self._sweep_at:
                self._buckets = {key: one for key, one in self._buckets.items() if not one.is_full(now)}
                self._sweep_at = max(SWEEP_AT, 2 * len(self._buckets))
            bucket = self._buckets[by, name] = Bucket(rate, now)
        return bucket
