"""Methods of the clients: service switch. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.service_switch import Operation


class DeactivateService(TypedDict, total=False):
    """Parameters of ``deactivate_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""

    account_id: str | None
    """Another account, whose service it is; it takes a policy over every account."""

    reason: str | None
    """Why, for the owner to read; required where another account is named."""


DEACTIVATE_SERVICE: Final[ActionOf[Operation]] = ActionOf(
    "/v2/service", "DeactivateService", DeactivateService, Operation, writes=True
)


class ActivateService(TypedDict, total=False):
    """Parameters of ``activate_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""


ACTIVATE_SERVICE: Final[ActionOf[Operation]] = ActionOf(
    "/v2/service", "ActivateService", ActivateService, Operation, writes=True
)


class DeleteService(TypedDict, total=False):
    """Parameters of ``delete_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""


DELETE_SERVICE: Final[ActionOf[bool]] = ActionOf("/v2/service", "DeleteService", DeleteService, bool, writes=True)


class ServiceSwitchMethods(Caller):
    """Methods of a client that waits for its answers."""

    def deactivate_service(self, **request: Unpack[DeactivateService]) -> Operation:
        """Take a service off. Its instances stay, and are paid for.

        ``/v2/service?Action=DeactivateService``
        """
        return self._call(DEACTIVATE_SERVICE, request)

    def activate_service(self, **request: Unpack[ActivateService]) -> Operation:
        """Let a service that was taken off run again.

        ``/v2/service?Action=ActivateService``
        """
        return self._call(ACTIVATE_SERVICE, request)

    def delete_service(self, **request: Unpack[DeleteService]) -> bool:
        """Delete a service that has no replicas left.

        ``/v2/service?Action=DeleteService``
        """
        return self._call(DELETE_SERVICE, request)


class AsyncServiceSwitchMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def deactivate_service(self, **request: Unpack[DeactivateService]) -> Operation:
        """Take a service off. Its instances stay, and are paid for.

        ``/v2/service?Action=DeactivateService``
        """
        return await self._call(DEACTIVATE_SERVICE, request)

    async def activate_service(self, **request: Unpack[ActivateService]) -> Operation:
        """Let a service that was taken off run again.

        ``/v2/service?Action=ActivateService``
        """
        return await self._call(ACTIVATE_SERVICE, request)

    async def delete_service(self, **request: Unpack[DeleteService]) -> bool:
        """Delete a service that has no replicas left.

        ``/v2/service?Action=DeleteService``
        """
        return await self._call(DELETE_SERVICE, request)
