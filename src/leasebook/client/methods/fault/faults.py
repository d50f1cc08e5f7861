"""Methods of the clients: faults. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.fault.faults import FaultList, FaultWanted


class SetFaults(TypedDict, total=False):
    """Parameters of ``set_faults``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    faults: Required[list[FaultWanted]]
    """The faults."""

    replace: bool | None
    """Whether the faults that are set are cleared before; absent or false: they stay."""


SET_FAULTS: Final[ActionOf[FaultList]] = ActionOf("/v2/faults", "SetFaults", SetFaults, FaultList, writes=True)


class ClearFaults(TypedDict, total=False):
    """Parameters of ``clear_faults``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    fault_ids: list[str] | None
    """The faults; left out: all of them."""


CLEAR_FAULTS: Final[ActionOf[FaultList]] = ActionOf("/v2/faults", "ClearFaults", ClearFaults, FaultList, writes=True)


class FaultsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def set_faults(self, **request: Unpack[SetFaults]) -> FaultList:
        """Have the server make faults for calls; only a server that was started with --faults has this action.

        ``/v2/faults?Action=SetFaults``
        """
        return self._call(SET_FAULTS, request)

    def clear_faults(self, **request: Unpack[ClearFaults]) -> FaultList:
        """Have the server make no faults any more; instances that waited for their engine go on.

        ``/v2/faults?Action=ClearFaults``
        """
        return self._call(CLEAR_FAULTS, request)


class AsyncFaultsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def set_faults(self, **request: Unpack[SetFaults]) -> FaultList:
        """Have the server make faults for calls; only a server that was started with --faults has this action.

        ``/v2/faults?Action=SetFaults``
        """
        return await self._call(SET_FAULTS, request)

    async def clear_faults(self, **request: Unpack[ClearFaults]) -> FaultList:
        """Have the server make no faults any more; instances that waited for their engine go on.

        ``/v2/faults?Action=ClearFaults``
        """
        return await self._call(CLEAR_FAULTS, request)
