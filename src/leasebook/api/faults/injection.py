"""Faults in the path of a call, each at the place where a real one would be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from leasebook.api.auth.identity import Identities, Identity
from leasebook.api.context import Call, CutShort, Download, Followed, Streamed
from leasebook.api.fault import Fault
from leasebook.api.faults.registry import Faults
from leasebook.batch import Unavailable
from leasebook.contract import errors as e
from leasebook.contract.action import CLOCK, FAULTS, Action
from leasebook.contract.nouns.fault.faults import FaultKind
from leasebook.domain.values import refusal as r
from leasebook.domain.values.calendar import SECOND_US
from leasebook.domain.values.refusal import Refusal

SPARED: Final = frozenset({FAULTS, CLOCK})
"""Paths that no fault happens to: a test could not clear it any more, or would lose its clock."""
REFUSALS: Final[tuple[tuple[FaultKind, str, e.ErrorCode], ...]] = (
    ("InsufficientStock", r.STOCK, e.INSUFFICIENT_STOCK),
    ("InsufficientBalance", r.BALANCE, e.INSUFFICIENT_BALANCE),
)


class Injection:
    """Makes the faults of calls."""

    def __init__(self, faults: Faults, identities: Identities) -> None:
        self._faults = faults
        self._identities = identities

    async def skew_us(self, action: Action, access_key: str | None) -> int:
        """Return how far the clock is ahead by which the signature of a call is checked, in microseconds."""
        if not self._faults or action.path in SPARED:
            return 0
        caller = None if access_key is None else await self._identities.find(access_key)
        fault = self._faults.take("ClockSkew", action.name, None if caller is None else caller.account_id)
        return 0 if fault is None else int(fault.seconds * SECOND_US)

    def throttle(self, action: Action, caller: Identity) -> None:
        """Raise Fault where a call is one too many."""
        fault = self._take("TooManyRequests", action, caller)
        if fault is not None:
            again_s = max(1, round(fault.seconds))
            raise Fault(
                e.TOO_MANY_REQUESTS,
                f"The fault {fault.id} has this call be one too many. Nothing was done; try again in {again_s} s.",
                retry_after_s=again_s,
            )

    async def around(
        self, call: Call[Any], operate: Callable[[], Awaitable[Any]], is_answered: Callable[[], Awaitable[bool]]
    ) -> Any:
        """Perform a call with its faults. ``is_answered``: whether its client token has an answer, which it then gets.

        Raises what the faults are, and what ``operate`` raises.
        """
        action, caller = call.action, call.caller
        if not self._faults or action.path in SPARED:
            return await operate()
        if (fault := self._take("Slow", action, caller)) is not None:
            await asyncio.sleep(max(0.0, fault.seconds))
        if (fault := self._take("ErrorBefore", action, caller)) is not None:
            raise Fault(e.INTERNAL_ERROR, f"The fault {fault.id} has the server fail before it does anything.")
        if (fault := self._take("StoreUnavailable", action, caller)) is not None:
            raise Unavailable(f"the fault {fault.id} keeps the store away from this call")
        for kind, reason, error in REFUSALS:
            if error not in action.errors or await is_answered():
                continue
            if (fault := self._take(kind, action, caller)) is not None:
                raise Refusal(reason, f"The fault {fault.id} says so. Nothing was bought.")
        result = await operate()
        if (fault := self._take("ErrorAfter", action, caller)) is not None:
            raise Fault(e.INTERNAL_ERROR, f"The fault {fault.id} has the server fail when all was done and committed.")
        if isinstance(result, Streamed | Followed | Download):
            return result
        return result if self._take("CutBody", action, caller) is None else CutShort(result)

    def _take(self, kind: FaultKind, action: Action, caller: Identity) -> Any:
        if not self._faults or action.path in SPARED:
            return None
        return self._faults.take(kind, action.name, caller.account_id)
