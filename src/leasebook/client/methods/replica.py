"""Methods of the clients: replica. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.instance import Billing, Purchased
from leasebook.client.shapes.replica import (
    ReplicaDetail,
    ReplicaLogs,
    Replicas,
    ServiceInstance,
    ServiceInstanceDetail,
    ServiceInstances,
)


class PurchaseReplicas(TypedDict, total=False):
    """Parameters of ``purchase_replicas``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""

    billing: Required[Billing]
    """How it is paid."""

    replicas_count: Required[int]
    """How many replicas to buy units for."""

    name: str | None
    """A name for people, for all lists to show; several may have the same."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""


PURCHASE_REPLICAS: Final[ActionOf[Purchased]] = ActionOf(
    "/v2/serviceresources", "PurchaseComputeUnit", PurchaseReplicas, Purchased, writes=True
)


class DescribeServiceInstances(TypedDict, total=False):
    """Parameters of ``describe_service_instances``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    service_id: Required[str]
    """The service."""

    payment_timing: Literal["Prepaid", "Postpaid"] | None
    """Only instances that are paid this way."""

    name: str | None
    """Only of this name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""


DESCRIBE_SERVICE_INSTANCES: Final[ActionOf[ServiceInstances]] = ActionOf(
    "/v2/serviceresources", "DescribeComputeUnits", DescribeServiceInstances, ServiceInstances, writes=False
)


class DescribeServiceInstance(TypedDict, total=False):
    """Parameters of ``describe_service_instance``."""

    service_id: Required[str]
    """The service."""

    instance_id: Required[str]
    """The instance."""


DESCRIBE_SERVICE_INSTANCE: Final[ActionOf[ServiceInstanceDetail]] = ActionOf(
    "/v2/serviceresources", "DescribeComputeUnit", DescribeServiceInstance, ServiceInstanceDetail, writes=False
)


class ReleaseReplicas(TypedDict, total=False):
    """Parameters of ``release_replicas``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""

    instance_id: Required[str]
    """The instance."""


RELEASE_REPLICAS: Final[ActionOf[bool]] = ActionOf(
    "/v2/serviceresources", "ReleaseComputeUnit", ReleaseReplicas, bool, writes=True
)


class DescribeReplicas(TypedDict, total=False):
    """Parameters of ``describe_replicas``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    service_id: Required[str]
    """The service."""

    instance_id: str | None
    """Only those on this instance."""


DESCRIBE_REPLICAS: Final[ActionOf[Replicas]] = ActionOf(
    "/v2/service", "DescribeReplicas", DescribeReplicas, Replicas, writes=False
)


class DescribeReplicaLogs(TypedDict, total=False):
    """Parameters of ``describe_replica_logs``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    service_id: Required[str]
    """The service."""

    instance_id: Required[str]
    """The instance."""

    replica: int
    """Its number on the instance, from 0."""

    lines_max: int
    """How many lines at most, the last ones; 100 where it is left out."""


DESCRIBE_REPLICA_LOGS: Final[ActionOf[ReplicaLogs]] = ActionOf(
    "/v2/service", "DescribeReplicaLogs", DescribeReplicaLogs, ReplicaLogs, writes=False
)


class AttachLogStore(TypedDict, total=False):
    """Parameters of ``attach_log_store``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_type: Required[Literal["Custom", "Preset"]]
    """Custom: a service of the account. Preset services run no replicas here, and are refused."""

    service_id: Required[str]
    """The service."""

    log_region: str | None
    """A region, sent as leasebook.log_region."""

    log_project: Required[str]
    """A project, sent as leasebook.log_project."""

    log_store_name: Required[str]
    """A name, sent as leasebook.log_store."""


ATTACH_LOG_STORE: Final[ActionOf[bool]] = ActionOf("/v2/service", "AttachLogStore", AttachLogStore, bool, writes=True)


class DetachLogStore(TypedDict, total=False):
    """Parameters of ``detach_log_store``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service."""


DETACH_LOG_STORE: Final[ActionOf[bool]] = ActionOf("/v2/service", "DetachLogStore", DetachLogStore, bool, writes=True)


class ReplicaMethods(Caller):
    """Methods of a client that waits for its answers."""

    def purchase_replicas(self, **request: Unpack[PurchaseReplicas]) -> Purchased:
        """Buy the compute units for replicas of a service.

        ``/v2/serviceresources?Action=PurchaseComputeUnit``
        """
        return self._call(PURCHASE_REPLICAS, request)

    def describe_service_instances(self, **request: Unpack[DescribeServiceInstances]) -> ServiceInstances:
        """List the live instances of a service.

        ``/v2/serviceresources?Action=DescribeComputeUnits``
        """
        return self._call(DESCRIBE_SERVICE_INSTANCES, request)

    def each_of_service_instances(self, **request: Unpack[DescribeServiceInstances]) -> Iterator[ServiceInstance]:
        """Go over the rows of every page of ``describe_service_instances``."""
        return self._each(DESCRIBE_SERVICE_INSTANCES, request, "instances")

    def describe_service_instance(self, **request: Unpack[DescribeServiceInstance]) -> ServiceInstanceDetail:
        """Show one instance of a service.

        ``/v2/serviceresources?Action=DescribeComputeUnit``
        """
        return self._call(DESCRIBE_SERVICE_INSTANCE, request)

    def release_replicas(self, **request: Unpack[ReleaseReplicas]) -> bool:
        """Release a postpaid instance of a service now.

        ``/v2/serviceresources?Action=ReleaseComputeUnit``
        """
        return self._call(RELEASE_REPLICAS, request)

    def describe_replicas(self, **request: Unpack[DescribeReplicas]) -> Replicas:
        """Show a service's replicas and how they do.

        ``/v2/service?Action=DescribeReplicas``
        """
        return self._call(DESCRIBE_REPLICAS, request)

    def each_of_replicas(self, **request: Unpack[DescribeReplicas]) -> Iterator[ReplicaDetail]:
        """Go over the rows of every page of ``describe_replicas``."""
        return self._each(DESCRIBE_REPLICAS, request, "replicas")

    def describe_replica_logs(self, **request: Unpack[DescribeReplicaLogs]) -> ReplicaLogs:
        """Show the last lines that a replica wrote, where this server reaches its engine.

        ``/v2/service?Action=DescribeReplicaLogs``
        """
        return self._call(DESCRIBE_REPLICA_LOGS, request)

    def attach_log_store(self, **request: Unpack[AttachLogStore]) -> bool:
        """Have the lines of a service's replicas sent to the operator's log store.

        ``/v2/service?Action=AttachLogStore``
        """
        return self._call(ATTACH_LOG_STORE, request)

    def detach_log_store(self, **request: Unpack[DetachLogStore]) -> bool:
        """Send the lines of a service's replicas to no log store any more.

        ``/v2/service?Action=DetachLogStore``
        """
        return self._call(DETACH_LOG_STORE, request)


class AsyncReplicaMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def purchase_replicas(self, **request: Unpack[PurchaseReplicas]) -> Purchased:
        """Buy the compute units for replicas of a service.

        ``/v2/serviceresources?Action=PurchaseComputeUnit``
        """
        return await self._call(PURCHASE_REPLICAS, request)

    async def describe_service_instances(self, **request: Unpack[DescribeServiceInstances]) -> ServiceInstances:
        """List the live instances of a service.

        ``/v2/serviceresources?Action=DescribeComputeUnits``
        """
        return await self._call(DESCRIBE_SERVICE_INSTANCES, request)

    def each_of_service_instances(self, **request: Unpack[DescribeServiceInstances]) -> AsyncIterator[ServiceInstance]:
        """Go over the rows of every page of ``describe_service_instances``."""
        return self._each(DESCRIBE_SERVICE_INSTANCES, request, "instances")

    async def describe_service_instance(self, **request: Unpack[DescribeServiceInstance]) -> ServiceInstanceDetail:
        """Show one instance of a service.

        ``/v2/serviceresources?Action=DescribeComputeUnit``
        """
        return await self._call(DESCRIBE_SERVICE_INSTANCE, request)

    async def release_replicas(self, **request: Unpack[ReleaseReplicas]) -> bool:
        """Release a postpaid instance of a service now.

        ``/v2/serviceresources?Action=ReleaseComputeUnit``
        """
        return await self._call(RELEASE_REPLICAS, request)

    async def describe_replicas(self, **request: Unpack[DescribeReplicas]) -> Replicas:
        """Show a service's replicas and how they do.

        ``/v2/service?Action=DescribeReplicas``
        """
        return await self._call(DESCRIBE_REPLICAS, request)

    def each_of_replicas(self, **request: Unpack[DescribeReplicas]) -> AsyncIterator[ReplicaDetail]:
        """Go over the rows of every page of ``describe_replicas``."""
        return self._each(DESCRIBE_REPLICAS, request, "replicas")

    async def describe_replica_logs(self, **request: Unpack[DescribeReplicaLogs]) -> ReplicaLogs:
        """Show the last lines that a replica wrote, where this server reaches its engine.

        ``/v2/service?Action=DescribeReplicaLogs``
        """
        return await self._call(DESCRIBE_REPLICA_LOGS, request)

    async def attach_log_store(self, **request: Unpack[AttachLogStore]) -> bool:
        """Have the lines of a service's replicas sent to the operator's log store.

        ``/v2/service?Action=AttachLogStore``
        """
        return await self._call(ATTACH_LOG_STORE, request)

    async def detach_log_store(self, **request: Unpack[DetachLogStore]) -> bool:
        """Send the lines of a service's replicas to no log store any more.

        ``/v2/service?Action=DetachLogStore``
        """
        return await self._call(DETACH_LOG_STORE, request)
