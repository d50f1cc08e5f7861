"""Methods of the clients: clock. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.clock import ClockDetail, DueWorkReport
from leasebook.client.shapes.fault.faults import FaultList


class DescribeClock(TypedDict, total=False):
    """Parameters of ``describe_clock``."""


DESCRIBE_CLOCK: Final[ActionOf[ClockDetail]] = ActionOf(
    "/v2/clock", "DescribeClock", DescribeClock, ClockDetail, writes=False
)


class AdvanceClock(TypedDict, total=False):
    """Parameters of ``advance_clock``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    to: Required[datetime | str]
    """The new time: RFC 3339, or YYYY-MM-DD HH:MM:SS in the service's zone."""


ADVANCE_CLOCK: Final[ActionOf[ClockDetail]] = ActionOf(
    "/v2/clock", "AdvanceClock", AdvanceClock, ClockDetail, writes=True
)


class ConfirmClock(TypedDict, total=False):
    """Parameters of ``confirm_clock``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""


CONFIRM_CLOCK: Final[ActionOf[ClockDetail]] = ActionOf(
    "/v2/clock", "ConfirmClock", ConfirmClock, ClockDetail, writes=True
)


class DescribeDueWork(TypedDict, total=False):
    """Parameters of ``describe_due_work``."""


DESCRIBE_DUE_WORK: Final[ActionOf[DueWorkReport]] = ActionOf(
    "/v2/clock", "DescribeDueWork", DescribeDueWork, DueWorkReport, writes=False
)


class DescribeFaults(TypedDict, total=False):
    """Parameters of ``describe_faults``."""


DESCRIBE_FAULTS: Final[ActionOf[FaultList]] = ActionOf(
    "/v2/faults", "DescribeFaults", DescribeFaults, FaultList, writes=False
)


class ClockMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_clock(self, **request: Unpack[DescribeClock]) -> ClockDetail:
        """Tell what time it is for units and bills.

        ``/v2/clock?Action=DescribeClock``
        """
        return self._call(DESCRIBE_CLOCK, request)

    def advance_clock(self, **request: Unpack[AdvanceClock]) -> ClockDetail:
        """Move the virtual clock forward and do everything that falls due on the way.

        ``/v2/clock?Action=AdvanceClock``
        """
        return self._call(ADVANCE_CLOCK, request)

    def confirm_clock(self, **request: Unpack[ConfirmClock]) -> ClockDetail:
        """Confirm that the clock is right after it jumped, so that held releases go on.

        ``/v2/clock?Action=ConfirmClock``
        """
        return self._call(CONFIRM_CLOCK, request)

    def describe_due_work(self, **request: Unpack[DescribeDueWork]) -> DueWorkReport:
        """Tell how releases and other due work are doing: late and coming work by kind, and the servers that do it.

        ``/v2/clock?Action=DescribeDueWork``
        """
        return self._call(DESCRIBE_DUE_WORK, request)

    def describe_faults(self, **request: Unpack[DescribeFaults]) -> FaultList:
        """List the faults that the server makes, and how often each has happened.

        ``/v2/faults?Action=DescribeFaults``
        """
        return self._call(DESCRIBE_FAULTS, request)


class AsyncClockMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_clock(self, **request: Unpack[DescribeClock]) -> ClockDetail:
        """Tell what time it is for units and bills.

        ``/v2/clock?Action=DescribeClock``
        """
        return await self._call(DESCRIBE_CLOCK, request)

    async def advance_clock(self, **request: Unpack[AdvanceClock]) -> ClockDetail:
        """Move the virtual clock forward and do everything that falls due on the way.

        ``/v2/clock?Action=AdvanceClock``
        """
        return await self._call(ADVANCE_CLOCK, request)

    async def confirm_clock(self, **request: Unpack[ConfirmClock]) -> ClockDetail:
        """Confirm that the clock is right after it jumped, so that held releases go on.

        ``/v2/clock?Action=ConfirmClock``
        """
        return await self._call(CONFIRM_CLOCK, request)

    async def describe_due_work(self, **request: Unpack[DescribeDueWork]) -> DueWorkReport:
        """Tell how releases and other due work are doing: late and coming work by kind, and the servers that do it.

        ``/v2/clock?Action=DescribeDueWork``
        """
        return await self._call(DESCRIBE_DUE_WORK, request)

    async def describe_faults(self, **request: Unpack[DescribeFaults]) -> FaultList:
        """List the faults that the server makes, and how often each has happened.

        ``/v2/faults?Action=DescribeFaults``
        """
        return await self._call(DESCRIBE_FAULTS, request)
