"""Shapes of values: service. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape
from leasebook.client.shapes.parts.common import PageInfo
from leasebook.client.shapes.replica import ServiceLogStore


class CreatedService(Shape, kw_only=True):
    """The new service, and the instance bought for it where one was."""

    service_id: str
    """The service."""
    instance_id: str | None = None
    """The instance that was bought with it."""
    order_id: str | None = None
    """The order of that instance."""


class ServiceResource(Shape, kw_only=True):
    """The units that a replica takes, and how many replicas there are."""

    type: str
    """Card class and units a replica: GPU-1-2 is two units of gpu-1."""
    replicas_count: int
    """How many replicas run or are coming up."""
    region: str | None = None
    """The region."""
    qps: float | None = None
    """Queries per second for each replica. The gateway forwards at most this number times the healthy replicas."""


class ServiceDetail(Shape, kw_only=True):
    """A service. ``updateStatus`` is None while no change of it is under way.

    A service that is ``counted`` runs no replicas, whatever its status. In the answer of DescribeService ``whyNotRun``
    gives the reasons why no replicas run, or where its version may not run.
    """

    account_id: str | None = None
    """Whose it is, where the request names accounts."""
    account_name: str | None = None
    """The name of that account."""
    service_id: str
    """The service."""
    name: str
    """The name for people."""
    description: str
    """Free text."""
    base_model: str
    """The same as modelSetId."""
    model_set_id: str
    """The model."""
    model_id: str
    """The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."""
    model_version_id: str
    """The same as modelId."""
    url_suffix: str
    """The end of the service's address. If several services have it, the address leads to the first."""
    url: str
    """The address for calls of the service, with a key from CreateServiceKey. The gateway forwards the rest of the path
    to a replica.
    """
    endpoint: str
    """The same as urlSuffix."""
    service_type: str
    """The purpose of the service; only for display and filters."""
    protocol_version: int
    """1 or 2; only for display and filters."""
    run_status: str
    """Serving: replicas run. Deploying: they are starting. Stopped: the service is off, or all of its instances are
    suspended. New: it has no replicas.
    """
    update_status: str
    """None: no change of it is under way."""
    charge_type: str
    """Always ComputingUnit."""
    pay_type: str | None = None
    """How the instances are paid that the service has replicas on: Prepay, Postpay, or both as Prepay,Postpay."""
    charge_status: str
    """Opened while the service has instances, else NotOpen."""
    resource_config: ServiceResource
    """The units that a replica takes, and how many replicas there are."""
    creator: str
    """The user who made it."""
    creator_name: str | None = None
    """The name of the creator now; missing for a user of another account."""
    create_time: datetime
    """When it was made."""
    counted: bool
    """Whether it is only counted: nothing runs of it."""
    log_store: ServiceLogStore | None = None
    """Where the lines of its replicas are sent; absent: nowhere."""
    why_not_run: list[str] | None = None
    """Why nothing runs of it: it is only counted, no engine runs units of its type, or its version is not trusted and
    the engines that could run it do not keep it apart completely.
    """
    tags: dict[str, str] | None = None
    """Its tags, where it has some."""
    project_id: str | None = None
    """The project that it belongs to; left out: the account's default project."""


class ServicePage(Shape, kw_only=True):
    """A page of services. ``nextMarker`` is present while more follow."""

    service_list: list[ServiceDetail]
    """The services."""
    page_info: PageInfo
    """The same as the fields beside it, as the documents have it."""
    is_truncated: bool
    """Whether more rows follow."""
    max_keys: int
    """The rows a page that were used."""
    marker: str | None = None
    """The marker that was given."""
    next_marker: str | None = None
    """Give it as marker to get the page after this one."""


class ResourceConfig(Shape, kw_only=True):
    """The units that a replica takes, and how many replicas to buy units for."""

    region: str | None = None
    """Where to buy units; empty or left out: wherever there is stock enough."""
    type: str
    """Card class and units a replica: GPU-1-2 is two units of gpu-1."""
    qps: float | None = None
    """Queries per second for each replica. The gateway forwards at most this number times the healthy replicas."""
    replicas_count: int | None = None
    """How many replicas to buy units for; required with billing."""


class DeploymentComputeUnit(Shape, kw_only=True):
    """A number of replicas on an instance that the account has."""

    instance_id: str
    """The instance."""
    deployment_replicas_count: int
    """How many replicas are to run on the instance."""


class DeploymentConfig(Shape, kw_only=True):
    """Which instances a service is to run on. An empty list means that units are to be bought."""

    deployment_compute_unit_list: list[DeploymentComputeUnit] | None = None
    """The instances, all of one type; left out or empty: units are bought, as billing says."""
    replicas_count: int | None = None
    """Ignored beside a list, which says how many replicas run (decision 15e)."""
    qps: float | None = None
    """Queries per second for each replica. The gateway forwards at most this number times the healthy replicas."""
    replica_compute_unit_count: int | None = None
    """How many units a replica takes; 1 where it is left out."""
