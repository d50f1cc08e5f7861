"""Methods of the clients: quota. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.instance import Billing
from leasebook.client.shapes.quota import (
    PackageDetail,
    PackageList,
    PackageResult,
    PresetService,
    PresetServices,
    PurchasedTpm,
    TpmInstance,
    TpmInstances,
)


class PurchaseQuota(TypedDict, total=False):
    """Parameters of ``purchase_quota``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model: Required[str]
    """The model."""

    billing: Required[Billing]
    """How it is paid."""

    purchase_count: Required[int]
    """How many units of quota."""

    name: str | None
    """A name for people, for all lists to show; several may have the same."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""

    project_id: str | None
    """The project that it is to belong to; left out or `default`: the account's default project."""


PURCHASE_QUOTA: Final[ActionOf[PurchasedTpm]] = ActionOf(
    "/v2/charge", "PurchaseTPMResource", PurchaseQuota, PurchasedTpm, writes=True
)


class DescribeQuota(TypedDict, total=False):
    """Parameters of ``describe_quota``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    model: Required[str]
    """The model."""

    payment_timing: Literal["Prepaid", "Postpaid"] | None
    """Only instances that are paid this way."""

    instance_id: str | None
    """Only this instance; the list is empty if the account has no quota with this id."""

    status: Literal["Creating", "Running", "Stopped"] | None
    """Only instances in this status; left out: in every status. Stopped finds released ones too."""

    name: str | None
    """Only of this name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""

    project_id: str | None
    """Only of this project; `default` is the default project."""


DESCRIBE_QUOTA: Final[ActionOf[TpmInstances]] = ActionOf(
    "/v2/charge", "DescribeTPMResource", DescribeQuota, TpmInstances, writes=False
)


class ReleaseQuota(TypedDict, total=False):
    """Parameters of ``release_quota``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    model: Required[str]
    """The model."""

    instance_id: Required[str]
    """The instance."""


RELEASE_QUOTA: Final[ActionOf[bool]] = ActionOf("/v2/charge", "ReleaseTPMResource", ReleaseQuota, bool, writes=True)


class ResizeQuota(TypedDict, total=False):
    """Parameters of ``resize_quota``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    count: int | None
    """How many units of quota there are to be; left out: as many as there are."""


RESIZE_QUOTA: Final[ActionOf[bool]] = ActionOf("/v2/charge", "ResizeTPMResource", ResizeQuota, bool, writes=True)


class ScheduleQuotaRelease(TypedDict, total=False):
    """Parameters of ``schedule_quota_release``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    instance_id: Required[str]
    """The instance."""

    release_time: datetime | str | None
    """The new release time; empty, null or left out: none."""


SCHEDULE_QUOTA_RELEASE: Final[ActionOf[bool]] = ActionOf(
    "/v2/charge", "AutoReleaseTPMResource", ScheduleQuotaRelease, bool, writes=True
)


class DescribePackages(TypedDict, total=False):
    """Parameters of ``describe_packages``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    service_name: str | None
    """Only packages for the service or model of exactly this name; empty: for all."""

    status: Literal["Pending", "Active", "Exhausted", "Expired"] | None
    """Only packages in this status now."""

    creator: str | None
    """Only packages that the user with this id or name gave; empty: of all."""

    name: str | None
    """Only of this name."""

    tags: dict[str, str | None] | None
    """Only with all of these tags; null as a value: with the key, whatever its value."""

    project_id: str | None
    """Only of this project; `default` is the default project."""


DESCRIBE_PACKAGES: Final[ActionOf[PackageList]] = ActionOf(
    "/v2/charge", "DescribePackageResources", DescribePackages, PackageList, writes=False
)


class DescribePackage(TypedDict, total=False):
    """Parameters of ``describe_package``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    package_id: Required[str]
    """The package."""


DESCRIBE_PACKAGE: Final[ActionOf[PackageResult]] = ActionOf(
    "/v2/charge", "DescribePackageResource", DescribePackage, PackageResult, writes=False
)


class GrantPackage(TypedDict, total=False):
    """Parameters of ``grant_package``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    service_name: Required[str]
    """The service or model that it is meant for."""

    specification: Required[int]
    """How many single tokens; answers show thousands of them."""

    start_time: datetime | str | None
    """Since when it can be used, not in the past; left out: from now on."""

    expired_time: Required[datetime | str]
    """Until when it can be used."""

    account_id: str | None
    """The account; the caller's where it is left out."""

    name: str | None
    """A name for people, for all lists to show; several may have the same."""

    tags: dict[str, str] | None
    """Tags: keys with values, by which lists are filtered and costs are kept apart."""

    project_id: str | None
    """The project that it is to belong to; left out or `default`: the account's default project."""


GRANT_PACKAGE: Final[ActionOf[PackageResult]] = ActionOf(
    "/v2/charge", "GrantPackageResource", GrantPackage, PackageResult, writes=True
)


class DescribePresetServices(TypedDict, total=False):
    """Parameters of ``describe_preset_services``."""

    marker: str | None
    """The nextMarker of the page before; in documented lists also the id of its last row."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    service_ids: list[str] | None
    """Only these; left out or empty: all."""

    service_type: list[Literal["chat", "completions", "text2image", "image2text"]] | None
    """Only models for one of these; here all are chat."""

    charge_type: list[Literal["TPM", "Tokens", "Calls", "Free"]] | None
    """Only models that are paid in one of these ways; here all are TPM."""

    charge_status: list[Literal["NotOpen", "Opened", "Stopped", "Free"]] | None
    """Only models in one of these."""

    protocol_version: Literal[1, 2] | None
    """1 or 2; only for display and filters."""


DESCRIBE_PRESET_SERVICES: Final[ActionOf[PresetServices]] = ActionOf(
    "/v2/service", "DescribePresetServices", DescribePresetServices, PresetServices, writes=False
)


class QuotaMethods(Caller):
    """Methods of a client that waits for its answers."""

    def purchase_quota(self, **request: Unpack[PurchaseQuota]) -> PurchasedTpm:
        """Buy quota of a model.

        ``/v2/charge?Action=PurchaseTPMResource``
        """
        return self._call(PURCHASE_QUOTA, request)

    def describe_quota(self, **request: Unpack[DescribeQuota]) -> TpmInstances:
        """List the account's quota of a model.

        ``/v2/charge?Action=DescribeTPMResource``
        """
        return self._call(DESCRIBE_QUOTA, request)

    def each_of_quota(self, **request: Unpack[DescribeQuota]) -> Iterator[TpmInstance]:
        """Go over the rows of every page of ``describe_quota``."""
        return self._each(DESCRIBE_QUOTA, request, "instances")

    def release_quota(self, **request: Unpack[ReleaseQuota]) -> bool:
        """Release quota now.

        ``/v2/charge?Action=ReleaseTPMResource``
        """
        return self._call(RELEASE_QUOTA, request)

    def resize_quota(self, **request: Unpack[ResizeQuota]) -> bool:
        """Change the amount of quota.

        ``/v2/charge?Action=ResizeTPMResource``
        """
        return self._call(RESIZE_QUOTA, request)

    def schedule_quota_release(self, **request: Unpack[ScheduleQuotaRelease]) -> bool:
        """Set, move or clear the release time of quota.

        ``/v2/charge?Action=AutoReleaseTPMResource``
        """
        return self._call(SCHEDULE_QUOTA_RELEASE, request)

    def describe_packages(self, **request: Unpack[DescribePackages]) -> PackageList:
        """List the account's packages of tokens.

        ``/v2/charge?Action=DescribePackageResources``
        """
        return self._call(DESCRIBE_PACKAGES, request)

    def each_of_packages(self, **request: Unpack[DescribePackages]) -> Iterator[PackageDetail]:
        """Go over the rows of every page of ``describe_packages``."""
        return self._each(DESCRIBE_PACKAGES, request, "instances")

    def describe_package(self, **request: Unpack[DescribePackage]) -> PackageResult:
        """Show one package of tokens.

        ``/v2/charge?Action=DescribePackageResource``
        """
        return self._call(DESCRIBE_PACKAGE, request)

    def grant_package(self, **request: Unpack[GrantPackage]) -> PackageResult:
        """Give an account a package of tokens.

        ``/v2/charge?Action=GrantPackageResource``
        """
        return self._call(GRANT_PACKAGE, request)

    def describe_preset_services(self, **request: Unpack[DescribePresetServices]) -> PresetServices:
        """List the models that quota is sold of.

        ``/v2/service?Action=DescribePresetServices``
        """
        return self._call(DESCRIBE_PRESET_SERVICES, request)

    def each_of_preset_services(self, **request: Unpack[DescribePresetServices]) -> Iterator[PresetService]:
        """Go over the rows of every page of ``describe_preset_services``."""
        return self._each(DESCRIBE_PRESET_SERVICES, request, "service_list")


class AsyncQuotaMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def purchase_quota(self, **request: Unpack[PurchaseQuota]) -> PurchasedTpm:
        """Buy quota of a model.

        ``/v2/charge?Action=PurchaseTPMResource``
        """
        return await self._call(PURCHASE_QUOTA, request)

    async def describe_quota(self, **request: Unpack[DescribeQuota]) -> TpmInstances:
        """List the account's quota of a model.

        ``/v2/charge?Action=DescribeTPMResource``
        """
        return await self._call(DESCRIBE_QUOTA, request)

    def each_of_quota(self, **request: Unpack[DescribeQuota]) -> AsyncIterator[TpmInstance]:
        """Go over the rows of every page of ``describe_quota``."""
        return self._each(DESCRIBE_QUOTA, request, "instances")

    async def release_quota(self, **request: Unpack[ReleaseQuota]) -> bool:
        """Release quota now.

        ``/v2/charge?Action=ReleaseTPMResource``
        """
        return await self._call(RELEASE_QUOTA, request)

    async def resize_quota(self, **request: Unpack[ResizeQuota]) -> bool:
        """Change the amount of quota.

        ``/v2/charge?Action=ResizeTPMResource``
        """
        return await self._call(RESIZE_QUOTA, request)

    async def schedule_quota_release(self, **request: Unpack[ScheduleQuotaRelease]) -> bool:
        """Set, move or clear the release time of quota.

        ``/v2/charge?Action=AutoReleaseTPMResource``
        """
        return await self._call(SCHEDULE_QUOTA_RELEASE, request)

    async def describe_packages(self, **request: Unpack[DescribePackages]) -> PackageList:
        """List the account's packages of tokens.

        ``/v2/charge?Action=DescribePackageResources``
        """
        return await self._call(DESCRIBE_PACKAGES, request)

    def each_of_packages(self, **request: Unpack[DescribePackages]) -> AsyncIterator[PackageDetail]:
        """Go over the rows of every page of ``describe_packages``."""
        return self._each(DESCRIBE_PACKAGES, request, "instances")

    async def describe_package(self, **request: Unpack[DescribePackage]) -> PackageResult:
        """Show one package of tokens.

        ``/v2/charge?Action=DescribePackageResource``
        """
        return await self._call(DESCRIBE_PACKAGE, request)

    async def grant_package(self, **request: Unpack[GrantPackage]) -> PackageResult:
        """Give an account a package of tokens.

        ``/v2/charge?Action=GrantPackageResource``
        """
        return await self._call(GRANT_PACKAGE, request)

    async def describe_preset_services(self, **request: Unpack[DescribePresetServices]) -> PresetServices:
        """List the models that quota is sold of.

        ``/v2/service?Action=DescribePresetServices``
        """
        return await self._call(DESCRIBE_PRESET_SERVICES, request)

    def each_of_preset_services(self, **request: Unpack[DescribePresetServices]) -> AsyncIterator[PresetService]:
        """Go over the rows of every page of ``describe_preset_services``."""
        return self._each(DESCRIBE_PRESET_SERVICES, request, "service_list")
