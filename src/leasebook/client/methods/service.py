"""Methods of the clients: service. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.instance import Billing
from leasebook.client.shapes.service import CreatedService, DeploymentConfig, ResourceConfig, ServiceDetail, ServicePage


class CreateService(TypedDict, total=False):
    """Parameters of ``create_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model_set_id: Required[str]
    """The model."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""

    name: Required[str]
    """The name for people."""

    description: str | None
    """Free text."""

    url_suffix: Required[str]
    """The end of the service's address. If an account has several services with it, the address leads to the first. It
    must not be the id of another service of the account.
    """

    resource_config: ResourceConfig | None
    """The units of a replica; required unless deploymentConfig names instances."""

    deployment_config: DeploymentConfig | None
    """Which instances of the account's the service is to run on."""

    billing: Billing | None
    """How the units of the first replicas are paid; without it none are bought."""

    service_type: Literal["chat", "completions", "text2image", "image2text"] | None
    """The purpose of the service; only for display and filters."""

    protocol_version: Literal[1, 2] | None
    """1 or 2; only for display and filters."""

    counted: bool | None
    """true: units are sold and no replicas run. false: refuse a version that the repository does not have."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart. Units bought with it get them too.
    """

    project_id: str | None
    """The project that it is to belong to; left out or `default`: the account's default project. Units bought with it
    do, too.
    """


CREATE_SERVICE: Final[ActionOf[CreatedService]] = ActionOf(
    "/v2/service", "CreateService", CreateService, CreatedService, writes=True
)


class DescribeService(TypedDict, total=False):
    """Parameters of ``describe_service``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    service_id: Required[str]
    """The service."""


DESCRIBE_SERVICE: Final[ActionOf[ServiceDetail]] = ActionOf(
    "/v2/service", "DescribeService", DescribeService, ServiceDetail, writes=False
)


class DescribeServices(TypedDict, total=False):
    """Parameters of ``describe_services``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    marker: str | None
    """The nextMarker of the page before, or the id of its last service."""

    max_keys: int | None
    """Rows a page: 10 where it is left out, 100 at most whatever is asked."""

    page_reverse: bool | None
    """Newest first."""

    name: str | None
    """Only services with this in their name."""

    service_type: list[Literal["chat", "completions", "text2image", "image2text"]] | None
    """Only services for one of these; left out or empty: all."""

    run_status: list[Literal["New", "Deploying", "Serving", "Failed", "Stopped", "Done"]] | None
    """Only services in one of these; none is ever Failed, and Done means Serving."""

    creator: list[str] | None
    """Only services that one of these users made; an empty list matches none."""

    charge_type: Literal["ComputingUnit", "Tokens"] | None
    """Only services that are charged this way; none is charged by Tokens."""

    pay_type: Literal["Prepay", "Postpay"] | None
    """Only services with replicas on instances that are paid this way."""

    protocol_version: Literal[1, 2] | None
    """1 or 2; only for display and filters."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""

    project_id: str | None
    """Only of this project; `default` is the default project."""


DESCRIBE_SERVICES: Final[ActionOf[ServicePage]] = ActionOf(
    "/v2/service", "DescribeServices", DescribeServices, ServicePage, writes=False
)


class ModifyService(TypedDict, total=False):
    """Parameters of ``modify_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""

    model_set_id: Required[str]
    """The model."""

    model_id: Required[str]
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""

    counted: bool | None
    """true: units are sold and no replicas run. false: refuse a version that the repository does not have."""


MODIFY_SERVICE: Final[ActionOf[bool]] = ActionOf("/v2/service", "ModifyService", ModifyService, bool, writes=True)


class ScaleService(TypedDict, total=False):
    """Parameters of ``scale_service``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""

    instance_id: Required[str]
    """The instance."""

    deployment_replicas_count: int | None
    """How many replicas are to run on the instance; 0 takes the service off it."""

    deployed_replicas_count: int | None
    """The same as deploymentReplicasCount, which goes before it."""


SCALE_SERVICE: Final[ActionOf[bool]] = ActionOf("/v2/service", "ScaleService", ScaleService, bool, writes=True)


class ServiceMethods(Caller):
    """Methods of a client that waits for its answers."""

    def create_service(self, **request: Unpack[CreateService]) -> CreatedService:
        """Create a service on instances that there are, or on units bought now, or without any.

        ``/v2/service?Action=CreateService``
        """
        return self._call(CREATE_SERVICE, request)

    def describe_service(self, **request: Unpack[DescribeService]) -> ServiceDetail:
        """Show one service.

        ``/v2/service?Action=DescribeService``
        """
        return self._call(DESCRIBE_SERVICE, request)

    def describe_services(self, **request: Unpack[DescribeServices]) -> ServicePage:
        """List services, a page at a time.

        ``/v2/service?Action=DescribeServices``
        """
        return self._call(DESCRIBE_SERVICES, request)

    def each_of_services(self, **request: Unpack[DescribeServices]) -> Iterator[ServiceDetail]:
        """Go over the rows of every page of ``describe_services``."""
        return self._each(DESCRIBE_SERVICES, request, "service_list")

    def modify_service(self, **request: Unpack[ModifyService]) -> bool:
        """Let a service run another version of a model.

        ``/v2/service?Action=ModifyService``
        """
        return self._call(MODIFY_SERVICE, request)

    def scale_service(self, **request: Unpack[ScaleService]) -> bool:
        """Say how many replicas of a service run on an instance.

        ``/v2/service?Action=ScaleService``
        """
        return self._call(SCALE_SERVICE, request)


class AsyncServiceMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def create_service(self, **request: Unpack[CreateService]) -> CreatedService:
        """Create a service on instances that there are, or on units bought now, or without any.

        ``/v2/service?Action=CreateService``
        """
        return await self._call(CREATE_SERVICE, request)

    async def describe_service(self, **request: Unpack[DescribeService]) -> ServiceDetail:
        """Show one service.

        ``/v2/service?Action=DescribeService``
        """
        return await self._call(DESCRIBE_SERVICE, request)

    async def describe_services(self, **request: Unpack[DescribeServices]) -> ServicePage:
        """List services, a page at a time.

        ``/v2/service?Action=DescribeServices``
        """
        return await self._call(DESCRIBE_SERVICES, request)

    def each_of_services(self, **request: Unpack[DescribeServices]) -> AsyncIterator[ServiceDetail]:
        """Go over the rows of every page of ``describe_services``."""
        return self._each(DESCRIBE_SERVICES, request, "service_list")

    async def modify_service(self, **request: Unpack[ModifyService]) -> bool:
        """Let a service run another version of a model.

        ``/v2/service?Action=ModifyService``
        """
        return await self._call(MODIFY_SERVICE, request)

    async def scale_service(self, **request: Unpack[ScaleService]) -> bool:
        """Say how many replicas of a service run on an instance.

        ``/v2/service?Action=ScaleService``
        """
        return await self._call(SCALE_SERVICE, request)
