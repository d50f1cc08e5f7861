"""Taking a service off and on."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from leasebook.contract.shapes import Id, Reason, Request, Shape


class ServiceRequest(Request, kw_only=True):
    """Name one service."""

    service_id: Annotated[Id, Meta(description="The service.")]


class DeactivateServiceRequest(ServiceRequest, kw_only=True):
    """Take a service off: its replicas end, and its instances stay. An operator may do it in another account."""

    account_id: Annotated[
        Id | None, Meta(description="Another account, whose service it is; it takes a policy over every account.")
    ] = None
    reason: Annotated[
        Reason | None, Meta(description="Why, for the owner to read; required where another account is named.")
    ] = None


class Operation(Shape, kw_only=True):
    """The request was accepted; ``message`` has its consequences."""

    operation: Annotated[bool, Meta(description="Always true.")]
    message: Annotated[
        str, Meta(description=("Consequences that need attention, such as instances that go on being charged."))
    ]
