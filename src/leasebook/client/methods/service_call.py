"""Methods of the clients: service call. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.service_call import (
    CreatedServiceKey,
    ServiceKeyDetail,
    ServiceKeyPage,
    ServiceMetric,
    ServiceMetrics,
    ServiceStats,
    ServiceStatsPage,
)


class DescribeServiceMetric(TypedDict, total=False):
    """Parameters of ``describe_service_metric``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    start_time: Required[datetime | str]
    """Since when."""

    end_time: Required[datetime | str]
    """Until when."""

    service_id: list[str] | None
    """Only calls of these services. Each is listed, even without calls. Left out or empty: all services that were
    called.
    """

    app_id: str | list[str] | None
    """Only calls of these apps, or of one; left out or empty: of all."""

    protocol_version: Literal[1, 2] | None
    """Only services with it; left out: all. Ignored beside serviceId, which names them."""

    account_id: str | None
    """Another account, for which it takes one of the policies over every account; the caller's where it is left out."""


DESCRIBE_SERVICE_METRIC: Final[ActionOf[ServiceMetrics]] = ActionOf(
    "/v2/service", "DescribeServiceMetric", DescribeServiceMetric, ServiceMetrics, writes=False
)


class DescribeServiceStats(TypedDict, total=False):
    """Parameters of ``describe_service_stats``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    start_time: Required[datetime | str]
    """Since when."""

    end_time: Required[datetime | str]
    """Until when."""

    service_id: list[str] | None
    """Only calls of these services. Each is listed, even without calls. Left out or empty: all services that were
    called.
    """

    app_id: str | list[str] | None
    """Only calls of these apps, or of one; left out or empty: of all."""

    protocol_version: Literal[1, 2] | None
    """Only services with it; left out: all. Ignored beside serviceId, which names them."""

    account_id: str | None
    """Another account, for which it takes one of the policies over every account; the caller's where it is left out."""

    interval: Required[Literal[60, 3600, 86400]]
    """The length of an interval in seconds."""


DESCRIBE_SERVICE_STATS: Final[ActionOf[ServiceStatsPage]] = ActionOf(
    "/v2/service", "DescribeServiceStats", DescribeServiceStats, ServiceStatsPage, writes=False
)


class CountServiceCalls(TypedDict, total=False):
    """Parameters of ``count_service_calls``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_id: Required[str]
    """The service that was called."""

    app_id: Required[str]
    """The app that called."""

    time: datetime | str | None
    """When the calls were made; now where it is left out."""

    input_tokens: int
    """How many tokens went in."""

    output_tokens: int
    """How many tokens came out."""

    succeeded: int
    """How many calls succeeded."""

    failed: int
    """How many calls failed."""

    package_id: str | None
    """The package that the tokens come off; left out: none."""


COUNT_SERVICE_CALLS: Final[ActionOf[bool]] = ActionOf(
    "/v2/service", "CountServiceCalls", CountServiceCalls, bool, writes=True
)


class CreateServiceKey(TypedDict, total=False):
    """Parameters of ``create_service_key``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    name: Required[str]
    """The app that calls with it, under which its calls are counted."""

    service_id: str | None
    """The only service that it opens; left out: all of the account's."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""


CREATE_SERVICE_KEY: Final[ActionOf[CreatedServiceKey]] = ActionOf(
    "/v2/service", "CreateServiceKey", CreateServiceKey, CreatedServiceKey, writes=True
)


class DescribeServiceKeys(TypedDict, total=False):
    """Parameters of ``describe_service_keys``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    service_id: str | None
    """Only keys that open this service alone."""

    status: Literal["Active", "Deleted"] | None
    """Only keys in this status; Active where it is left out."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""


DESCRIBE_SERVICE_KEYS: Final[ActionOf[ServiceKeyPage]] = ActionOf(
    "/v2/service", "DescribeServiceKeys", DescribeServiceKeys, ServiceKeyPage, writes=False
)


class DeleteServiceKey(TypedDict, total=False):
    """Parameters of ``delete_service_key``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    key_id: Required[str]
    """The id of the key."""


DELETE_SERVICE_KEY: Final[ActionOf[bool]] = ActionOf(
    "/v2/service", "DeleteServiceKey", DeleteServiceKey, bool, writes=True
)


class ServiceCallMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_service_metric(self, **request: Unpack[DescribeServiceMetric]) -> ServiceMetrics:
        """Sum up the calls of services.

        ``/v2/service?Action=DescribeServiceMetric``
        """
        return self._call(DESCRIBE_SERVICE_METRIC, request)

    def each_of_service_metric(self, **request: Unpack[DescribeServiceMetric]) -> Iterator[ServiceMetric]:
        """Go over the rows of every page of ``describe_service_metric``."""
        return self._each(DESCRIBE_SERVICE_METRIC, request, "service_list")

    def describe_service_stats(self, **request: Unpack[DescribeServiceStats]) -> ServiceStatsPage:
        """Sum up the calls of services by minute, hour or day.

        ``/v2/service?Action=DescribeServiceStats``
        """
        return self._call(DESCRIBE_SERVICE_STATS, request)

    def each_of_service_stats(self, **request: Unpack[DescribeServiceStats]) -> Iterator[ServiceStats]:
        """Go over the rows of every page of ``describe_service_stats``."""
        return self._each(DESCRIBE_SERVICE_STATS, request, "service_list")

    def count_service_calls(self, **request: Unpack[CountServiceCalls]) -> bool:
        """Count calls of a service, for whatever passes them on.

        ``/v2/service?Action=CountServiceCalls``
        """
        return self._call(COUNT_SERVICE_CALLS, request)

    def create_service_key(self, **request: Unpack[CreateServiceKey]) -> CreatedServiceKey:
        """Make a bearer key with which services are called.

        ``/v2/service?Action=CreateServiceKey``
        """
        return self._call(CREATE_SERVICE_KEY, request)

    def describe_service_keys(self, **request: Unpack[DescribeServiceKeys]) -> ServiceKeyPage:
        """List the keys with which services are called, a page at a time.

        ``/v2/service?Action=DescribeServiceKeys``
        """
        return self._call(DESCRIBE_SERVICE_KEYS, request)

    def each_of_service_keys(self, **request: Unpack[DescribeServiceKeys]) -> Iterator[ServiceKeyDetail]:
        """Go over the rows of every page of ``describe_service_keys``."""
        return self._each(DESCRIBE_SERVICE_KEYS, request, "key_list")

    def delete_service_key(self, **request: Unpack[DeleteServiceKey]) -> bool:
        """Make a key for calling services useless from now on.

        ``/v2/service?Action=DeleteServiceKey``
        """
        return self._call(DELETE_SERVICE_KEY, request)


class AsyncServiceCallMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_service_metric(self, **request: Unpack[DescribeServiceMetric]) -> ServiceMetrics:
        """Sum up the calls of services.

        ``/v2/service?Action=DescribeServiceMetric``
        """
        return await self._call(DESCRIBE_SERVICE_METRIC, request)

    def each_of_service_metric(self, **request: Unpack[DescribeServiceMetric]) -> AsyncIterator[ServiceMetric]:
        """Go over the rows of every page of ``describe_service_metric``."""
        return self._each(DESCRIBE_SERVICE_METRIC, request, "service_list")

    async def describe_service_stats(self, **request: Unpack[DescribeServiceStats]) -> ServiceStatsPage:
        """Sum up the calls of services by minute, hour or day.

        ``/v2/service?Action=DescribeServiceStats``
        """
        return await self._call(DESCRIBE_SERVICE_STATS, request)

    def each_of_service_stats(self, **request: Unpack[DescribeServiceStats]) -> AsyncIterator[ServiceStats]:
        """Go over the rows of every page of ``describe_service_stats``."""
        return self._each(DESCRIBE_SERVICE_STATS, request, "service_list")

    async def count_service_calls(self, **request: Unpack[CountServiceCalls]) -> bool:
        """Count calls of a service, for whatever passes them on.

        ``/v2/service?Action=CountServiceCalls``
        """
        return await self._call(COUNT_SERVICE_CALLS, request)

    async def create_service_key(self, **request: Unpack[CreateServiceKey]) -> CreatedServiceKey:
        """Make a bearer key with which services are called.

        ``/v2/service?Action=CreateServiceKey``
        """
        return await self._call(CREATE_SERVICE_KEY, request)

    async def describe_service_keys(self, **request: Unpack[DescribeServiceKeys]) -> ServiceKeyPage:
        """List the keys with which services are called, a page at a time.

        ``/v2/service?Action=DescribeServiceKeys``
        """
        return await self._call(DESCRIBE_SERVICE_KEYS, request)

    def each_of_service_keys(self, **request: Unpack[DescribeServiceKeys]) -> AsyncIterator[ServiceKeyDetail]:
        """Go over the rows of every page of ``describe_service_keys``."""
        return self._each(DESCRIBE_SERVICE_KEYS, request, "key_list")

    async def delete_service_key(self, **request: Unpack[DeleteServiceKey]) -> bool:
        """Make a key for calling services useless from now on.

        ``/v2/service?Action=DeleteServiceKey``
        """
        return await self._call(DELETE_SERVICE_KEY, request)
