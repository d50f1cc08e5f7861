"""Calls of services: how many were made, and the keys that open services."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract import shapes as sh
from leasebook.contract.action import SERVICE, read, write
from leasebook.contract.nouns.service import Protocol
from leasebook.contract.shapes import (
    ACCOUNT_MEANT,
    AcrossRequest,
    Id,
    Ids,
    Marker,
    Owned,
    Paged,
    PagedRequest,
    PageSize,
    Request,
    Shape,
    Time,
)

Tokens = Annotated[int, Meta(ge=0, le=2**53)]


class CallsRequest(PagedRequest, kw_only=True):
    """The calls from startTime to endTime, of some services or of all, by some apps or by all."""

    start_time: Annotated[Time, Meta(description="Since when.")]
    end_time: Annotated[Time, Meta(description="Until when.")]
    service_id: Annotated[
        Ids | None,
        Meta(
            description=(
                "Only calls of these services. Each is listed, even without calls. Left out or empty: all "
                "services that were called."
            )
        ),
    ] = None
    app_id: Annotated[
        Id | Ids | None, Meta(description="Only calls of these apps, or of one; left out or empty: of all.")
    ] = None
    protocol_version: Annotated[
        Protocol | None,
        Meta(description="Only services with it; left out: all. Ignored beside serviceId, which names them."),
    ] = None
    account_id: Annotated[Id | None, Meta(description=ACCOUNT_MEANT)] = None


class DescribeServiceMetricRequest(CallsRequest, kw_only=True):
    """Sum up the calls from startTime to endTime, of some services or of all, by some apps or by all.

    Times count to the minute: the seconds of the start as 00, those of the end as 59. A call counts in the hour in
    which it was made, and an hour counts if it begins in that time; an end at a full hour leaves out the hour that
    begins there.
    """


class Metric(Shape, kw_only=True, omit_defaults=False):
    """Sums of calls and tokens."""

    input_tokens_total: Annotated[int, Meta(description="The tokens that went in.")]
    output_tokens_total: Annotated[int, Meta(description="The tokens that came out.")]
    tokens_total: Annotated[int, Meta(description="All tokens.")]
    succeed_call_total: Annotated[int, Meta(description="The calls that succeeded.")]
    failure_call_total: Annotated[int, Meta(description="The calls that failed.")]
    call_total: Annotated[int, Meta(description="All calls.")]


class AppMetric(Shape, kw_only=True):
    """An app's calls of a service."""

    app_id: Annotated[str, Meta(description="The app that called.")]
    metric: Annotated[Metric, Meta(description="The sums.")]


class ServiceMetric(Shape, kw_only=True):
    """The calls of a service, by app."""

    service_id: Annotated[str, Meta(description="The service.")]
    service_name: Annotated[str, Meta(description="The service's name for people.")]
    app_list: Annotated[list[AppMetric], Meta(description="The apps that called it.")]


class ServiceMetrics(Paged, kw_only=True):
    """The calls of each service. A call counts in the hour in which it was made."""

    start_time: Annotated[str, Meta(description="Since when.")]
    end_time: Annotated[str, Meta(description="Until when.")]
    service_list: Annotated[list[ServiceMetric], Meta(description="The services.")]


Interval = Literal[60, 3600, 86400]


class DescribeServiceStatsRequest(CallsRequest, kw_only=True):
    """Sum up the calls of intervals from startTime to endTime, of some services or of all, by some apps or by all.

    Times count to the minute: the seconds of the start as 00, those of the end as 59. Intervals are counted from the
    start. Minutes are shown for two days; intervals of an hour or a day have the hours that begin in them. At most 1500
    intervals can be asked for at once, and a page ends before it has 20,000.
    """

    interval: Annotated[Interval, Meta(description="The length of an interval in seconds.")]


class IntervalMetric(Metric, kw_only=True, omit_defaults=False):
    """The calls of one interval."""

    start_time: Annotated[str, Meta(description="When the interval begins.")]
    tpm: Annotated[float, Meta(description="Tokens a minute, on average over the interval.")]
    rpm: Annotated[float, Meta(description="Calls a minute, on average over the interval.")]


class AppStats(Shape, kw_only=True):
    """An app's calls of a service. Intervals without calls are left out."""

    app_id: Annotated[str, Meta(description="The app that called.")]
    metrics: Annotated[list[IntervalMetric], Meta(description="The intervals, oldest first.")]


class ServiceStats(Shape, kw_only=True):
    """The calls of a service, by app and interval."""

    service_id: Annotated[str, Meta(description="The service.")]
    service_name: Annotated[str, Meta(description="The service's name for people.")]
    app_list: Annotated[list[AppStats], Meta(description="The apps that called it.")]


class ServiceStatsPage(Paged, kw_only=True):
    """The calls of each service, by app and interval."""

    service_list: Annotated[list[ServiceStats], Meta(description="The services.")]


class CountServiceCallsRequest(Request, kw_only=True):
    """Count calls of a service: sent by whatever passes them on. Tokens come off the package where one is named."""

    service_id: Annotated[Id, Meta(description="The service that was called.")]
    app_id: Annotated[Id, Meta(description="The app that called.")]
    time: Annotated[Time | None, Meta(description="When the calls were made; now where it is left out.")] = None
    input_tokens: Annotated[Tokens, Meta(description="How many tokens went in.")] = 0
    output_tokens: Annotated[Tokens, Meta(description="How many tokens came out.")] = 0
    succeeded: Annotated[Tokens, Meta(description="How many calls succeeded.")] = 0
    failed: Annotated[Tokens, Meta(description="How many calls failed.")] = 0
    package_id: Annotated[Id | None, Meta(description="The package that the tokens come off; left out: none.")] = None


AppName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
OrphanReason = Literal["MakerGone", "MakerMayNot", "MakerHasNoKey"]
KeyStatus = Literal["Active", "Deleted"]


class CreateServiceKeyRequest(Request, kw_only=True):
    """Make a key for calling the account's services; with ``serviceId``, that one only."""

    name: Annotated[AppName, Meta(description="The app that calls with it, under which its calls are counted.")]
    service_id: Annotated[
        Id | None, Meta(description="The only service that it opens; left out: all of the account's.")
    ] = None
    tags: Annotated[sh.Tags | None, Meta(description=sh.TAGS_GIVEN)] = None


class CreatedServiceKey(Shape, kw_only=True):
    """The new key. Only a repeated call with its client token shows it again."""

    key_id: Annotated[str, Meta(description="The id of the key.")]
    key: Annotated[
        str | None, Meta(description="The key, for the header Authorization: Bearer. It is never shown again.")
    ] = None
    name: Annotated[str, Meta(description="The app that calls with it, under which its calls are counted.")]
    service_id: Annotated[
        str | None, Meta(description="The only service that it opens; left out: all of the account's.")
    ] = None


class DescribeServiceKeysRequest(AcrossRequest, kw_only=True):
    """List the account's keys, a page at a time."""

    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 100 where it is left out, 1000 at most whatever is asked.")
    ] = None
    service_id: Annotated[Id | None, Meta(description="Only keys that open this service alone.")] = None
    status: Annotated[KeyStatus | None, Meta(description="Only keys in this status; Active where it is left out.")] = (
        None
    )
    tags: Annotated[sh.TagFilter | None, Meta(description=sh.TAGS_WANTED)] = None


class ServiceKeyDetail(Owned, kw_only=True):
    """A key without its secret part. ``orphanReason`` is present if no active user is responsible for it."""

    key_id: Annotated[str, Meta(description="The id of the key.")]
    name: Annotated[str, Meta(description="The app that calls with it, under which its calls are counted.")]
    service_id: Annotated[
        str | None, Meta(description="The only service that it opens; left out: all of the account's.")
    ] = None
    status: Annotated[KeyStatus, Meta(description="Active, or Deleted: it opens nothing any more.")]
    creator: Annotated[str, Meta(description="The user who made it.")]
    creator_name: Annotated[str | None, Meta(description=sh.MAKER_NAMED)] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    orphan_reason: Annotated[
        OrphanReason | None,
        Meta(
            description=(
                "Why no active user is responsible for the key. MakerGone: its maker is deleted; MakerMayNot: its "
                "maker may not make keys any more; these keys open nothing. MakerHasNoKey: its maker has no active "
                "access key; the key still works."
            )
        ),
    ] = None
    tags: Annotated[dict[str, str] | None, Meta(description=sh.TAGGED)] = None


class ServiceKeyPage(Shape, kw_only=True):
    """A page of keys. ``nextMarker`` is present while more follow."""

    key_list: Annotated[list[ServiceKeyDetail], Meta(description="The keys.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DeleteServiceKeyRequest(Request, kw_only=True):
    """Make a key useless from now on."""

    key_id: Annotated[Id, Meta(description="The id of the key.")]


ACTIONS: Final = (
    read(
        SERVICE,
        "DescribeServiceMetric",
        "describe_service_metric",
        DescribeServiceMetricRequest,
        ServiceMetrics,
        "Sum up the calls of services.",
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={
            "startTime": "2026-11-01 00:00:00",
            "endTime": "2026-12-01 00:00:00",
            "serviceId": ["svco-48esssdpa594"],
            "appId": ["app-1"],
        },
        answer={
            "startTime": "2026-11-01T00:00:00+08:00",
            "endTime": "2026-12-01T00:00:00+08:00",
            "serviceList": [
                {
                    "serviceId": "svco-48esssdpa594",
                    "serviceName": "demo",
                    "appList": [
                        {
                            "appId": "app-1",
                            "metric": {
                                "inputTokensTotal": 1200,
                                "outputTokensTotal": 350,
                                "tokensTotal": 1550,
                                "succeedCallTotal": 3,
                                "failureCallTotal": 0,
                                "callTotal": 3,
                            },
                        }
                    ],
                }
            ],
        },
    ),
    read(
        SERVICE,
        "DescribeServiceStats",
        "describe_service_stats",
        DescribeServiceStatsRequest,
        ServiceStatsPage,
        "Sum up the calls of services by minute, hour or day.",
        across=p.FLEET_READERS,
        errors=(e.INVALID_MARKER,),
        example={
            "startTime": "2026-11-29T16:00:00Z",
            "endTime": "2026-11-30T15:59:00Z",
            "interval": 86400,
            "serviceId": ["svco-48esssdpa594"],
            "appId": ["app-1"],
        },
        answer={
            "serviceList": [
                {
                    "serviceId": "svco-48esssdpa594",
                    "serviceName": "demo",
                    "appList": [
                        {
                            "appId": "app-1",
                            "metrics": [
                                {
                                    "startTime": "2026-11-30T00:00:00+08:00",
                                    "tpm": 1.076389,
                                    "rpm": 0.002083,
                                    "inputTokensTotal": 1200,
                                    "outputTokensTotal": 350,
                                    "tokensTotal": 1550,
                                    "succeedCallTotal": 3,
                                    "failureCallTotal": 0,
                                    "callTotal": 3,
                                }
                            ],
                        }
                    ],
                }
            ],
        },
    ),
    write(
        SERVICE,
        "CountServiceCalls",
        "count_service_calls",
        CountServiceCallsRequest,
        bool,
        "Count calls of a service, for whatever passes them on.",
        errors=(e.SERVICE_NOT_FOUND, e.INVALID_STATE),
        example={
            "serviceId": "svco-48esssdpa594",
            "appId": "app-1",
            "inputTokens": 1200,
            "outputTokens": 350,
            "succeeded": 3,
            "packageId": "pkg-9z8x7c6v5b4n",
        },
        answer=True,
    ),
)


KEYS: Final = (
    write(
        SERVICE,
        "CreateServiceKey",
        "create_service_key",
        CreateServiceKeyRequest,
        CreatedServiceKey,
        "Make a bearer key with which services are called.",
        errors=(e.SERVICE_NOT_FOUND, e.QUOTA_EXCEEDED, e.TAG_POLICY_NOT_MET),
        example={"name": "shop-window", "serviceId": "svco-48esssdpa594"},
        answer={
            "keyId": "key-l2l8128skyxi",
            "key": "lsk-l2l8128skyxi-0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1",
            "name": "shop-window",
            "serviceId": "svco-48esssdpa594",
        },
    ),
    read(
        SERVICE,
        "DescribeServiceKeys",
        "describe_service_keys",
        DescribeServiceKeysRequest,
        ServiceKeyPage,
        "List the keys with which services are called, a page at a time.",
        across=p.OPERATORS,
        errors=(e.INVALID_MARKER, e.SERVICE_NOT_FOUND),
        example={"maxKeys": 10},
        answer={
            "keyList": [
                {
                    "keyId": "key-z1x2c3v4b5n6",
                    "name": "somebody",
                    "status": "Active",
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "creatorName": "root",
                    "createTime": "2026-11-30T06:13:45+08:00",
                },
                {
                    "keyId": "key-l2l8128skyxi",
                    "name": "shop-window",
                    "serviceId": "svco-48esssdpa594",
                    "status": "Active",
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "creatorName": "root",
                    "createTime": "2026-11-30T07:18:45+08:00",
                },
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    write(
        SERVICE,
        "DeleteServiceKey",
        "delete_service_key",
        DeleteServiceKeyRequest,
        bool,
        "Make a key for calling services useless from now on.",
        example={"keyId": "key-z1x2c3v4b5n6"},
        answer=True,
    ),
)
