"""Shapes of values: quota. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo


class PurchasedTpm(Shape, kw_only=True):
    """The quota, and its order."""

    instance_id: str
    """The new instance."""
    order_id: str
    """The order."""


class TpmInstance(Shape, kw_only=True):
    """Quota: a number of tokens and requests a minute."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    instance_id: str
    """The instance."""
    model: str
    """The model."""
    tpm: int
    """How many tokens a minute."""
    rpm: int
    """How many requests a minute."""
    count: int
    """How many units."""
    status: str
    """Creating, Running, or Stopped: it cannot be used, because of a debt or because it has ended."""
    instance_status: str
    """The status in full: Creating, CreateFailed, Running, Stopped (its account is in debt, its units are kept),
    Reconfiguring, ReconfigureFailed, BillingChanging, Releasing or Released.
    """
    payment_timing: str
    """Prepaid: by the month, in advance. Postpaid: by the minute."""
    start_time: datetime | None = None
    """Since when it runs, and is paid for."""
    expired_time: datetime | None = None
    """Prepaid: when the term ends. Postpaid: when it ended."""
    release_time: datetime | None = None
    """When the instance is released by itself."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class TpmInstances(Shape, kw_only=True):
    """The account's quota of a model."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    instances: list[TpmInstance]
    """The instances."""


class PackageDetail(Shape, kw_only=True):
    """A number of tokens, and how many of them are used: in thousands as documented, and in single tokens."""

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    package_id: str
    """The package."""
    service_name: str
    """The service or model that it is meant for."""
    specification: str
    """How many thousands of tokens, exact: 1000 for a million tokens, 1.5 for 1,500."""
    used: float
    """How many thousands of tokens are used: 1.55 for 1,550. usedTokens has it exact."""
    tokens: int
    """How many single tokens."""
    used_tokens: int
    """How many single tokens are used."""
    status: str
    """Pending (startTime lies ahead), Active, Exhausted (all used) or Expired."""
    creator: str
    """The operator who gave it."""
    start_time: datetime
    """Since when it can be used."""
    expired_time: datetime
    """Until when it can be used."""
    name: str | None = None
    """Its name, where it was given one."""
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class PackageList(Shape, kw_only=True):
    """The account's packages, oldest first."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    instances: list[PackageDetail]
    """The packages."""


class PackageResult(Shape, kw_only=True):
    """One package."""

    instance: PackageDetail
    """The package."""


class PresetService(Shape, kw_only=True):
    """A model that has quota for sale. Opened: the account has some; Stopped: all of it is suspended for a debt."""

    service_id: str
    """The id of the model; it never changes."""
    name: str
    """The model."""
    model: str
    """The model."""
    service_type: str
    """The purpose of the service; only for display and filters."""
    charge_type: str
    """Always TPM."""
    charge_status: str
    """Opened: the account has quota of it. Stopped: all of that is suspended for a debt. Else NotOpen."""
    price_per_minute: Decimal | None
    """The price of one unit for a minute."""


class PresetServices(Shape, kw_only=True):
    """The models that quota is sold of, in the catalogue's order."""

    page_info: PageInfo | None = None
    """The same once more, in the form that the documents have."""
    is_truncated: bool | None = None
    """Whether more rows follow."""
    max_keys: int | None = None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""
    service_list: list[PresetService]
    """The services."""
