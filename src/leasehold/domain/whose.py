"""Whose is it: somebody else's instance or service is answered like one that does not exist (decision 20)."""

from __future__ import annotations

from leasehold.domain.book import SERVICES, UNITS, Draft
from leasehold.domain.catalogue import UNITS_OF_COMPUTE, OfferingKind
from leasehold.domain.refusal import NO_INSTANCE, NO_SERVICE, Refusal
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit


def no_instance(unit_id: str) -> Refusal:
    """Return the refusal for an instance that the caller has not got."""
    return Refusal(
        NO_INSTANCE,
        f"There is no such instance {unit_id[:64]!r} here. DescribeComputeUnits (/v2/computeunit) and "
        "DescribeTPMResource (/v2/charge) list yours.",
        field="instanceId",
    )


def no_service(service_id: str) -> Refusal:
    """Return the refusal for a service that the caller has not got."""
    return Refusal(
        NO_SERVICE,
        f"There is no service {service_id[:64]!r} here. DescribeServices (/v2/service) lists yours.",
        field="serviceId",
    )


def own_unit(
    draft: Draft,
    account_id: str,
    unit_id: str,
    service_id: str | None = None,
    *,
    kind: OfferingKind | None = UNITS_OF_COMPUTE,
) -> Unit:
    """Return the account's instance of that kind (None: any), of that service where one is named; raises Refusal."""
    unit = draft.get(UNITS, unit_id)
    if (
        unit is None
        or unit.account_id != account_id
        or kind not in (None, unit.kind)
        or not (service_id is None or unit.serves(service_id))
    ):
        raise no_instance(unit_id)
    return unit


def own_service(draft: Draft, account_id: str, service_id: str) -> Service:
    """Return the account's service; raises Refusal."""
    service = draft.get(SERVICES, service_id)
    if service is None or service.account_id != account_id or service.deleted_at is not None:
        raise no_service(service_id)
    return service
