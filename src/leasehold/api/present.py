"""How rows of the book look on the wire."""

from __future__ import annotations

from collections.abc import Callable

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering
from leasehold.domain.ledger import Order, Posting
from leasehold.domain.money import Micro, amount_text
from leasehold.domain.service import Service
from leasehold.domain.unit import Unit
from leasehold.wire import own_shapes as own
from leasehold.wire import shapes as s

Shown = Callable[[Instant], str]
"""Writes a time as callers see it."""


def _when(shown: Shown, at: Instant | None) -> str | None:
    return None if at is None else shown(at)


def used_units(unit: Unit) -> int:
    """Count the units that a service's replicas take."""
    return unit.count if unit.service_id is not None and unit.status in ("Creating", "Running") else 0


def _schedule(unit: Unit) -> Instant | None:
    """Return the release time, which only a postpaid instance with a schedule has (decision 23)."""
    return unit.release_at if unit.payment_timing == "Postpaid" else None


def _end(unit: Unit) -> Instant | None:
    return unit.expires_at if unit.payment_timing == "Prepaid" else unit.ended_at


def instance(unit: Unit, shown: Shown) -> s.ComputeUnitInstance:
    """Show an instance as its account sees it."""
    prepaid = unit.payment_timing == "Prepaid"
    return s.ComputeUnitInstance(
        instance_id=unit.id,
        region=unit.region,
        status=unit.status,
        type=unit.type,
        total_compute_units=unit.count,
        used_compute_units=used_units(unit),
        payment_timing=unit.payment_timing,
        start_time=_when(shown, unit.started_at),
        expired_time=_when(shown, _end(unit)),
        release_time=_when(shown, _schedule(unit)),
        duration=unit.term_months if prepaid else None,
        duration_unit="Month" if prepaid else None,
    )


def usage(unit: Unit, service: Service) -> s.ServiceUsage:
    """Show what a service uses of an instance."""
    return s.ServiceUsage(
        service_id=service.id,
        service_name=service.name,
        replicas_count=unit.replicas,
        used_compute_units=used_units(unit),
    )


def service_instance(unit: Unit, shown: Shown) -> s.ServiceInstance:
    """Show an instance as its service sees it."""
    return s.ServiceInstance(
        instance_id=unit.id,
        payment_timing=unit.payment_timing,
        replicas_count=unit.replicas,
        status=unit.status,
        start_time=_when(shown, unit.started_at),
        expired_time=_when(shown, _end(unit)),
        release_time=_when(shown, _schedule(unit)),
    )


def service(row: Service, shown: Shown) -> s.ServiceDetail:
    """Show a service."""
    return s.ServiceDetail(
        service_id=row.id,
        name=row.name,
        description=row.description,
        model_set_id=row.model_set_id,
        model_id=row.model_id,
        model_version_id=row.model_id,
        url_suffix=row.url_suffix,
        run_status=row.run_status,
        charge_type="ComputingUnit",
        charge_status="Opened" if row.replicas else "NotOpen",
        resource_config=s.ServiceResource(
            type=row.resource_type, replicas_count=row.replicas, region=row.region, qps=row.qps
        ),
        creator=row.created_by,
        create_time=shown(row.created_at),
    )


def account(row: Account, currency: str) -> own.AccountDetail:
    """Show an account."""
    return own.AccountDetail(
        account_id=row.id,
        balance=amount_text(row.balance),
        currency=currency,
        name=row.name,
        time_zone=row.time_zone,
    )


def _price(price: Micro | None) -> str | None:
    return None if price is None else amount_text(price)


def offering(row: Offering) -> own.OfferingDetail:
    """Show an offering."""
    return own.OfferingDetail(
        region=row.region,
        type=row.type,
        price_per_minute=_price(row.per_minute),
        price_per_month=_price(row.per_month),
        stock_total=row.stock_total,
        stock_free=row.stock_free,
    )


def order(row: Order, shown: Shown) -> own.OrderDetail:
    """Show an order."""
    return own.OrderDetail(
        order_id=row.id,
        instance_id=row.unit_id,
        kind=row.kind,
        payment_timing=row.payment_timing,
        region=row.region,
        type=row.type,
        count=row.count,
        months=row.months or None,
        amount=amount_text(row.amount),
        create_time=shown(row.created_at),
    )


def posting(number: int, row: Posting, shown: Shown) -> own.PostingDetail:
    """Show a posting."""
    return own.PostingDetail(
        posting_id=str(number),
        time=shown(row.at),
        kind=row.kind,
        debit=row.debit,
        credit=row.credit,
        amount=amount_text(row.amount),
        order_id=row.order_id,
        instance_id=row.unit_id,
        minutes=row.minutes,
    )


def user(row: User, keys: list[AccessKey], shown: Shown) -> own.UserDetail:
    """Show a user, with its keys but never their secrets."""
    return own.UserDetail(
        user_id=row.id,
        name=row.name,
        is_root=row.is_root,
        policies=list(row.policies),
        access_keys=[
            own.KeyDetail(access_key_id=key.id, status=key.status, create_time=shown(key.created_at)) for key in keys
        ],
        create_time=shown(row.created_at),
    )
