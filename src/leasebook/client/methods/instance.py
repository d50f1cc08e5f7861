"""Methods of the clients: instance. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.instance import (
    Billing,
    ComputeUnitConfig,
    ComputeUnitDetail,
    ComputeUnitInstance,
    ComputeUnitList,
    Explanation,
    Purchased,
)


class ScheduleRelease(TypedDict, total=False):
    """Parameters of ``schedule_release``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    service_id: str | None
    """The service that the instance must belong to, where one is named."""

    release_time: datetime | str | None
    """The new release time; empty, null or left out: none."""

    instance_type: Literal["ComputingUnit", "TPM"] | None
    """Given only to set an auto-renew rule instead."""

    auto_renew_time_unit: Literal["Month"] | None
    """Month is the only unit."""

    auto_renew_time: int | None
    """By how many months it is renewed, from 1 to 6; 1 where it is left out."""

    account_id: str | None
    """Another account, whose instance it is; it takes a policy over every account."""

    reason: str | None
    """Why, for the owner to read; required where another account is named."""


SCHEDULE_RELEASE: Final[ActionOf[bool]] = ActionOf(
    "/v2/serviceresources", "AutoReleaseComputeUnit", ScheduleRelease, bool, writes=True
)


class PurchaseUnits(TypedDict, total=False):
    """Parameters of ``purchase_units``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    billing: Required[Billing]
    """How it is paid."""

    compute_unit_config: Required[ComputeUnitConfig]
    """The units to buy."""

    compute_unit_count: Required[int]
    """How many units."""

    quote_id: str | None
    """The quote whose price is to count. It must be for the same purchase. Units that a resize adds later cost what the
    catalogue says.
    """

    name: str | None
    """A name for people, for all lists to show; several may have the same."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""

    project_id: str | None
    """The project that it is to belong to; left out or `default`: the account's default project."""


PURCHASE_UNITS: Final[ActionOf[Purchased]] = ActionOf(
    "/v2/computeunit", "PurchaseComputeUnit", PurchaseUnits, Purchased, writes=True
)


class DescribeUnits(TypedDict, total=False):
    """Parameters of ``describe_units``."""

    payment_timing: Literal["Prepaid", "Postpaid"] | None
    """Only instances that are paid this way."""

    region: str | None
    """Only instances in this region."""

    type: str | None
    """Only instances of this type."""

    status: (
        Literal[
            "Creating",
            "CreateFailed",
            "Running",
            "Stopped",
            "Releasing",
            "Released",
            "Reconfiguring",
            "ReconfigureFailed",
            "BillingChanging",
        ]
        | None
    )
    """Only instances in this status; left out: all but released ones."""

    marker: str | None
    """The nextMarker of the page before, or the id of its last instance."""

    max_keys: int | None
    """Rows a page, 1000 at most; with neither it nor a marker all are listed."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    name: str | None
    """Only of this name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""

    project_id: str | None
    """Only of this project; `default` is the default project."""

    breaks_tag_policy: bool | None
    """True: only instances whose tags the account's tag policy would refuse today; of one account."""

    user_id: str | None
    """Only instances that this user bought."""

    coming_ends: bool | None
    """True: only instances that will end by themselves, at a release time or with a term, the first to end first. They
    are of one account, on one page, and isTruncated says whether there are more.
    """


DESCRIBE_UNITS: Final[ActionOf[ComputeUnitList]] = ActionOf(
    "/v2/computeunit", "DescribeComputeUnits", DescribeUnits, ComputeUnitList, writes=False
)


class DescribeUnit(TypedDict, total=False):
    """Parameters of ``describe_unit``."""

    instance_id: Required[str]
    """The instance."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_UNIT: Final[ActionOf[ComputeUnitDetail]] = ActionOf(
    "/v2/computeunit", "DescribeComputeUnit", DescribeUnit, ComputeUnitDetail, writes=False
)


class ReleaseUnit(TypedDict, total=False):
    """Parameters of ``release_unit``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    account_id: str | None
    """Another account, whose instance it is; it takes a policy over every account."""

    reason: str | None
    """Why, for the owner to read; required where another account is named."""


RELEASE_UNIT: Final[ActionOf[bool]] = ActionOf("/v2/computeunit", "ReleaseComputeUnit", ReleaseUnit, bool, writes=True)


class ResizeUnit(TypedDict, total=False):
    """Parameters of ``resize_unit``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    count: Required[int]
    """How many units the instance is to have."""

    max_amount: Decimal | None
    """The most to pay at once, such as the amount of QuoteChange. A request that takes more is refused (InvalidState)
    and changes nothing. Left out: no bound.
    """


RESIZE_UNIT: Final[ActionOf[Purchased]] = ActionOf(
    "/v2/computeunit", "ResizeComputeUnit", ResizeUnit, Purchased, writes=True
)


class ExplainUnit(TypedDict, total=False):
    """Parameters of ``explain_unit``."""

    instance_id: Required[str]
    """The instance."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


EXPLAIN_UNIT: Final[ActionOf[Explanation]] = ActionOf(
    "/v2/computeunit", "ExplainComputeUnit", ExplainUnit, Explanation, writes=False
)


class InstanceMethods(Caller):
    """Methods of a client that waits for its answers."""

    def schedule_release(self, **request: Unpack[ScheduleRelease]) -> bool:
        """Set, move or clear the release time of a postpaid instance.

        ``/v2/serviceresources?Action=AutoReleaseComputeUnit``
        """
        return self._call(SCHEDULE_RELEASE, request)

    def purchase_units(self, **request: Unpack[PurchaseUnits]) -> Purchased:
        """Buy compute units of a type.

        ``/v2/computeunit?Action=PurchaseComputeUnit``
        """
        return self._call(PURCHASE_UNITS, request)

    def describe_units(self, **request: Unpack[DescribeUnits]) -> ComputeUnitList:
        """List the account's live instances, or those in one status.

        ``/v2/computeunit?Action=DescribeComputeUnits``
        """
        return self._call(DESCRIBE_UNITS, request)

    def each_of_units(self, **request: Unpack[DescribeUnits]) -> Iterator[ComputeUnitInstance]:
        """Go over the rows of every page of ``describe_units``."""
        return self._each(DESCRIBE_UNITS, request, "compute_unit_instance_list")

    def describe_unit(self, **request: Unpack[DescribeUnit]) -> ComputeUnitDetail:
        """Show one instance, released ones included.

        ``/v2/computeunit?Action=DescribeComputeUnit``
        """
        return self._call(DESCRIBE_UNIT, request)

    def release_unit(self, **request: Unpack[ReleaseUnit]) -> bool:
        """Release a postpaid instance now.

        ``/v2/computeunit?Action=ReleaseComputeUnit``
        """
        return self._call(RELEASE_UNIT, request)

    def resize_unit(self, **request: Unpack[ResizeUnit]) -> Purchased:
        """Change the number of units of an instance.

        ``/v2/computeunit?Action=ResizeComputeUnit``
        """
        return self._call(RESIZE_UNIT, request)

    def explain_unit(self, **request: Unpack[ExplainUnit]) -> Explanation:
        """Explain why an instance is alive, what ends it and when, what it costs, and which calls were refused.

        ``/v2/computeunit?Action=ExplainComputeUnit``
        """
        return self._call(EXPLAIN_UNIT, request)


class AsyncInstanceMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def schedule_release(self, **request: Unpack[ScheduleRelease]) -> bool:
        """Set, move or clear the release time of a postpaid instance.

        ``/v2/serviceresources?Action=AutoReleaseComputeUnit``
        """
        return await self._call(SCHEDULE_RELEASE, request)

    async def purchase_units(self, **request: Unpack[PurchaseUnits]) -> Purchased:
        """Buy compute units of a type.

        ``/v2/computeunit?Action=PurchaseComputeUnit``
        """
        return await self._call(PURCHASE_UNITS, request)

    async def describe_units(self, **request: Unpack[DescribeUnits]) -> ComputeUnitList:
        """List the account's live instances, or those in one status.

        ``/v2/computeunit?Action=DescribeComputeUnits``
        """
        return await self._call(DESCRIBE_UNITS, request)

    def each_of_units(self, **request: Unpack[DescribeUnits]) -> AsyncIterator[ComputeUnitInstance]:
        """Go over the rows of every page of ``describe_units``."""
        return self._each(DESCRIBE_UNITS, request, "compute_unit_instance_list")

    async def describe_unit(self, **request: Unpack[DescribeUnit]) -> ComputeUnitDetail:
        """Show one instance, released ones included.

        ``/v2/computeunit?Action=DescribeComputeUnit``
        """
        return await self._call(DESCRIBE_UNIT, request)

    async def release_unit(self, **request: Unpack[ReleaseUnit]) -> bool:
        """Release a postpaid instance now.

        ``/v2/computeunit?Action=ReleaseComputeUnit``
        """
        return await self._call(RELEASE_UNIT, request)

    async def resize_unit(self, **request: Unpack[ResizeUnit]) -> Purchased:
        """Change the number of units of an instance.

        ``/v2/computeunit?Action=ResizeComputeUnit``
        """
        return await self._call(RESIZE_UNIT, request)

    async def explain_unit(self, **request: Unpack[ExplainUnit]) -> Explanation:
        """Explain why an instance is alive, what ends it and when, what it costs, and which calls were refused.

        ``/v2/computeunit?Action=ExplainComputeUnit``
        """
        return await self._call(EXPLAIN_UNIT, request)
