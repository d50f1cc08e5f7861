"""How rows of the book look on the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leasebook.api.links.tokens import Links
from leasebook.contract.nouns import account as own
from leasebook.contract.nouns import event as ev
from leasebook.contract.nouns import instance as s
from leasebook.contract.nouns import offering as cat
from leasebook.contract.nouns import quota as c
from leasebook.contract.nouns import replica as r
from leasebook.contract.nouns import service as v
from leasebook.contract.nouns import term as t
from leasebook.contract.nouns import user as iam
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.instance import UP, Instance, InstanceStatus, Placement
from leasebook.domain.model.offering import RPM_PER_UNIT, TPM_PER_UNIT, Offering, PriceChange
from leasebook.domain.model.service import LogStore, Service
from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.record.event import REMINDED, Event
from leasebook.domain.record.identity_event import IAM_TYPES
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.rules.statement import Line
from leasebook.domain.rules.term import length_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro, amount_text
from leasebook.ports.queries.read_repository import EventPlace
from leasebook.ports.queries.tags import NO_NAMES, Names

Shown = Callable[[Instant], str]
"""Writes a time as callers see it."""


def _when(shown: Shown, at: Instant | None) -> str | None:
    return None if at is None else shown(at)


def used_units(unit: Instance) -> int:
    """Count the units that replicas take: a stopped instance has none running."""
    return unit.used if unit.status in UP or unit.status == "Creating" else 0


def _schedule(unit: Instance) -> Instant | None:
    """Return the release time, which a postpaid instance with a schedule has (decision 23).

    Of what has ended it is when it was released by its schedule; what ended otherwise was not released at that time.
    """
    if unit.payment_timing != "Postpaid" or unit.status == "CreateFailed":
        return None
    return unit.release_at if unit.ended_at is None or unit.end_reason == "Schedule" else None


def _end(unit: Instance) -> Instant | None:
    return unit.expires_at if unit.payment_timing == "Prepaid" else unit.ended_at


def instance(unit: Instance, shown: Shown, zone: str) -> s.ComputeUnitInstance:
    """Show an instance as its account sees it. ``zone`` is the account's."""
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
        duration=length_of(unit, zone) if prepaid else None,
        duration_unit="Month" if prepaid else None,
        target_compute_units=unit.target_count,
        reason=unit.failure,
        project_id=unit.project_id,
    )


def usage(placed: Placement, service: Service) -> s.ServiceUsage:
    """Show what a service uses of an instance."""
    return s.ServiceUsage(
        service_id=service.id,
        service_name=service.name,
        replicas_count=placed.replicas,
        used_compute_units=placed.replicas * placed.units_each,
    )


def service_instance(unit: Instance, service_id: str, shown: Shown) -> r.ServiceInstance:
    """Show an instance as a service of it sees it."""
    return r.ServiceInstance(
        instance_id=unit.id,
        payment_timing=unit.payment_timing,
        replicas_count=unit.replicas_of(service_id),
        status=unit.status,
        start_time=_when(shown, unit.started_at),
        expired_time=_when(shown, _end(unit)),
        release_time=_when(shown, _schedule(unit)),
    )


PAY_TYPES = {(True, True): "Prepay,Postpay", (True, False): "Prepay", (False, True): "Postpay"}


def service(row: Service, shown: Shown, url: str) -> v.ServiceDetail:
    """Show a service, and where it is called."""
    return v.ServiceDetail(
        service_id=row.id,
        name=row.name,
        description=row.description,
        base_model=row.model_set_id,
        model_set_id=row.model_set_id,
        model_id=row.model_id,
        model_version_id=row.model_id,
        url_suffix=row.url_suffix,
        url=url,
        endpoint=row.url_suffix,
        service_type=row.service_type,
        protocol_version=row.protocol_version,
        run_status=row.run_status,
        update_status="None",
        charge_type="ComputingUnit",
        pay_type=PAY_TYPES.get((row.prepaid_units > 0, row.postpaid_units > 0)),
        charge_status="Opened" if row.instances else "NotOpen",
        resource_config=v.ServiceResource(
            type=row.resource_type, replicas_count=row.replicas + row.deploying, region=row.region, qps=row.qps
        ),
        creator=row.created_by,
        create_time=shown(row.created_at),
        counted=not row.runs,
        log_store=None if row.log_store is None else _log_store(row.log_store, shown),
        project_id=row.project_id,
    )


def _log_store(row: LogStore, shown: Shown) -> r.ServiceLogStore:
    return r.ServiceLogStore(
        log_region=row.region,
        log_project=row.project,
        log_store_name=row.name,
        attached_at=shown(row.attached_at),
    )


def quota_status(status: InstanceStatus) -> c.TpmStatus:
    """Return the documented status of quota: what has ended, or is being released, is Stopped (decision 15d)."""
    if status == "Creating":
        return "Creating"
    return "Running" if status in UP else "Stopped"


def quota(unit: Instance, shown: Shown) -> c.TpmInstance:
    """Show quota of a model."""
    return c.TpmInstance(
        instance_id=unit.id,
        model=unit.type,
        tpm=unit.count * TPM_PER_UNIT,
        rpm=unit.count * RPM_PER_UNIT,
        count=unit.count,
        status=quota_status(unit.status),
        instance_status=unit.status,
        payment_timing=unit.payment_timing,
        start_time=_when(shown, unit.started_at),
        expired_time=_when(shown, unit.ended_at),
        release_time=_when(shown, _schedule(unit)),
        project_id=unit.project_id,
    )


def renew_rule(unit: Instance, shown: Shown) -> t.AutoRenewRule:
    """Show an instance's auto-renew rule."""
    return t.AutoRenewRule(
        instance_id=unit.id,
        instance_type=unit.kind,
        auto_renew_time_unit="Month",
        auto_renew_time=unit.auto_renew_months,
        status=unit.status,
        expired_time=_when(shown, unit.expires_at),
        next_try_time=_when(shown, unit.renew_at),
    )


def thousands(tokens: int) -> str:
    """Write a number of single tokens in thousands, exactly: at most three decimals, and no zeros at their end."""
    whole, rest = divmod(tokens, 1000)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


def package(row: TokenPackage, now: Instant, shown: Shown) -> c.PackageDetail:
    """Show a package of tokens."""
    return c.PackageDetail(
        package_id=row.id,
        service_name=row.service_name,
        specification=thousands(row.specification),
        # The nearest double: up to 8.7 * 10**15 tokens it is printed with the exact decimals.
        used=row.used / 1000,
        tokens=row.specification,
        used_tokens=row.used,
        status=row.status(now),
        creator=row.created_by,
        start_time=shown(row.started_at),
        expired_time=shown(row.expires_at),
        project_id=row.project_id,
    )


EVENT_NAMES = {
    "count": "computeUnitCount",
    "payment_timing": "paymentTiming",
    "release_at": "releaseTime",
    "expires_at": "expiredTime",
    "nextTry": "nextTryTime",
    "endedAt": "endTime",
}
EVENT_AMOUNTS = ("charged", "balance", "spent", "budget", "cost")


EVENT_TIMES = ("deadline", "downSince")
IDENTITY_NAMES = {
    "account": "accountId",
    "user": "targetUserId",
    "accessKey": "accessKeyId",
    "serviceKey": "serviceKeyId",
    "sealed": "secretDigest",
    "digest": "keyDigest",
    "created_at": "createTime",
    "openid": "openId",
}


def _event_data(row: dict[str, Any], shown: Shown) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in row.items():
        public = EVENT_NAMES.get(name, name)
        if public.endswith("Time") or name in EVENT_TIMES:
            data[public] = None if value is None else shown(value)
        else:
            data[public] = amount_text(value) if name in EVENT_AMOUNTS else value
    return data


def identity_data(row: dict[str, Any], shown: Shown) -> dict[str, Any]:
    """Return the data of an event of an account, a user or a key: its id, its present and its previous values."""
    data: dict[str, Any] = {IDENTITY_NAMES[row["what"]]: row["id"]}
    for part in ("now", "before"):
        if part in row:
            data[part] = dict(_identity_field(name, value, shown) for name, value in row[part].items())
    return data


def _identity_field(name: str, value: Any, shown: Shown) -> tuple[str, Any]:
    first, *rest = (f"{name[:-3]}_time" if name.endswith("_at") else name).split("_")
    public = IDENTITY_NAMES.get(name) or first + "".join(word.capitalize() for word in rest)
    if name == "project_policies":
        return public, [{"policyName": one["policy"], "projectIds": one["project_ids"]} for one in value]
    return public, shown(value) if public.endswith("Time") and value is not None else value


def event(
    account_id: str,
    place: EventPlace,
    row: Event,
    shown: Shown,
    links: Links | None = None,
    names: Names = NO_NAMES,
) -> ev.CloudEvent:
    """Show an event as a CloudEvent.

    With ``links`` a reminder gets its links. A link acts as the buyer, so pass ``links`` only for callers who could
    do the same without one. ``names`` are shown beside the ids of users and of the instance.
    """
    data = identity_data(row.data, shown) if row.type in IAM_TYPES else _event_data(row.data, shown)
    if row.user_id is not None:
        data["userId"] = row.user_id
    for field, name in (
        ("userName", names.person(account_id, row.user_id)),
        ("buyerName", names.person(account_id, row.data.get("buyerId"))),
        ("instanceName", names.thing(account_id, row.unit_id)),
    ):
        if name is not None:
            data[field] = name
    if links is not None and row.type == REMINDED and row.unit_id is not None:
        data["links"] = links.of(row.unit_id, row.data["what"], row.data["deadline"])
    return ev.CloudEvent(
        specversion="1.0",
        id=f"{place.page}-{place.line}",
        source=f"/v2/account/{account_id}",
        type=row.type,
        subject=row.unit_id,
        time=shown(row.at),
        datacontenttype="application/json",
        data=data,
    )


def statement_line(line: Line, shown: Shown) -> own.StatementLine:
    """Show a line of a statement."""
    return own.StatementLine(
        kind=line.kind,
        start_time=_when(shown, line.since),
        end_time=_when(shown, line.until),
        minutes=line.minutes,
        count=line.count,
        price=_price(line.price),
        amount=amount_text(line.amount),
        project_id=line.project_id,
    )


def account(row: Account, currency: str, shown: Callable[[Instant], str]) -> own.AccountDetail:
    """Show an account."""
    return own.AccountDetail(**account_facts(row, currency, shown))


def account_facts(row: Account, currency: str, shown: Callable[[Instant], str]) -> dict[str, Any]:
    """Return the fields of ``AccountDetail``."""
    return {
        "account_id": row.id,
        "balance": amount_text(row.balance),
        "currency": currency,
        "name": row.name,
        "time_zone": row.time_zone,
        "status": row.status,
        "status_reason": row.status_reason or None,
        "arrears_since": None if row.arrears_since is None else shown(row.arrears_since),
        "create_time": shown(row.created_at),
    }


def _price(price: Micro | None) -> str | None:
    return None if price is None else amount_text(price)


def offering(row: Offering, shown: Shown) -> cat.OfferingDetail:
    """Show an offering."""
    return cat.OfferingDetail(
        region=row.region,
        type=row.type,
        price_per_minute=_price(row.per_minute),
        price_per_month=_price(row.per_month),
        stock_total=row.stock_total,
        stock_free=row.stock_free,
        stock_source=row.stock_source,
        oversold=row.oversold,
        kind=row.kind,
        closed_time=_when(shown, row.closed_at),
        no_renewals=row.no_renewals,
    )


def price_change(row: PriceChange, shown: Shown) -> cat.PriceDetail:
    """Show a price per minute and its beginning."""
    return cat.PriceDetail(price_per_minute=_price(row.per_minute), start_time=shown(row.since))


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
        count=row.count,
        price=_price(row.price),
        start_time=_when(shown, row.since),
        end_time=_when(shown, row.until),
        project_id=row.project_id,
    )


def user(
    row: User, keys: list[AccessKey], shown: Shown, used: Mapping[str, Instant], *, with_contact: bool
) -> iam.UserDetail:
    """Show a user, with its keys but never their secrets; ``used`` is when keys were last used.

    ``with_contact`` says whether the caller may see the mail address and the language.
    """
    return iam.UserDetail(
        user_id=row.id,
        name=row.name,
        is_root=row.is_root,
        policies=list(row.policies),
        requires=list(row.requires),
        access_keys=[
            iam.KeyDetail(
                access_key_id=key.id,
                status=key.status,
                requires=list(key.requires),
                create_time=shown(key.created_at),
                last_used_time=_when(shown, used.get(key.id)),
                name=key.name or None,
            )
            for key in keys
        ],
        create_time=shown(row.created_at),
        email=row.email if with_contact else None,
        language=row.language if with_contact else None,
        deleted_time=_when(shown, row.deleted_at),
        project_policies=[
            iam.ProjectPolicyDetail(policy_name=one.policy, project_ids=list(one.project_ids))
            for one in row.project_policies
        ]
        or None,
        open_id=_open_id(row) if with_contact else None,
    )


def _open_id(row: User) -> iam.OpenIdDetail | None:
    if row.openid is None:
        return None
    return iam.OpenIdDetail(issuer=row.openid.issuer, subject=row.openid.subject, policies=list(row.openid.policies))
