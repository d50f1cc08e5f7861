"""A row of every table, and what a later batch makes of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasebook.domain.book.tables import (
    ACCESS_KEYS,
    ACCOUNT_LIMITS,
    ACCOUNT_PLACES,
    ACCOUNTS,
    APPROVALS,
    COST_GROUPS,
    COST_PERIODS,
    DELIVERIES,
    DELIVERY_QUEUES,
    DEVICE_LOGINS,
    ENGINE_CAPACITIES,
    FORMER_NONCES,
    FORMER_TAGS,
    IDEMPOTENCY_RECORDS,
    INSTANCES,
    LEASES,
    METADATA,
    MODEL_SETS,
    MODELS,
    NONCE_PAGES,
    NOTICE_RATES,
    OFFERINGS,
    PASSWORDS,
    PRICES,
    PROJECTS,
    QUOTES,
    REFUSED_CALLS,
    REPLICAS,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICE_USAGE,
    SERVICES,
    SPENT_SIGN_INS,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    USED_LINKS,
    USERS,
    WORKERS,
    Table,
)
from leasebook.domain.costs.rows import CostGroup, CostPeriod, FormerTags, Sums
from leasebook.domain.model.account import AccessKey, Account, OpenIdIdentity, ProjectPolicy, User
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.approvals.approval_limit import ApprovalLimit
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import Password, SpentSignIn
from leasebook.domain.model.engine_capacity import CapacityReport, EngineCapacity, TypeCapacity
from leasebook.domain.model.idempotency import IdempotencyRecord
from leasebook.domain.model.instance import Instance, Placement
from leasebook.domain.model.lease import Lease, Worker
from leasebook.domain.model.limits import AccountLimits, GuardRules, ProjectRules
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.model import EVERYBODYS, Model, ModelSet
from leasebook.domain.model.offering import Offering, PriceChange, PriceList
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.replica import Replica, RunSpec
from leasebook.domain.model.resource.project import Project
from leasebook.domain.model.resource.tag_budget import TagBudget
from leasebook.domain.model.service import LogStore, Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import AccountPlace, Delivery, DeliveryQueue, Subscription
from leasebook.domain.model.usage import MinuteCount, ServiceUsage, TokenPackage
from leasebook.domain.record.ledger import Order, Posting
from leasebook.domain.record.nonce import FormerNonce, NoncePage
from leasebook.domain.record.notice import NoticeRate, UsedLink
from leasebook.domain.record.signature import RefusedCalls
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.domain.values.tag_policy import TagPolicy

LOW, HIGH = -(2**63), 2**63 - 1
"""The least and the greatest number that every store can hold."""
TEXT = 'naïve "quoted" \\ {NULL}, 单位 🦊'


def unit(unit_id: str, **changed: Any) -> Instance:
    """Make an instance."""
    facts: dict[str, Any] = {
        "id": unit_id,
        "account_id": "acc-1",
        "created_by": "user-1",
        "order_id": f"order-of-{unit_id}",
        "service_id": None,
        "region": "bj",
        "type": "gpu-1",
        "count": 2,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": Instant(1),
    }
    return Instance(**(facts | changed))


def service(service_id: str, **changed: Any) -> Service:
    """Make a service."""
    facts: dict[str, Any] = {
        "id": service_id,
        "account_id": "acc-1",
        "created_by": "user-1",
        "name": "demo",
        "description": "",
        "url_suffix": "demo",
        "model_set_id": "am-1",
        "model_id": "amv-1",
        "resource_type": "GPU-1-1",
        "region": None,
        "qps": None,
        "replicas": 0,
        "created_at": Instant(1),
    }
    return Service(**(facts | changed))


def order(order_id: str, **changed: Any) -> Order:
    """Make an order."""
    facts: dict[str, Any] = {
        "id": order_id,
        "account_id": "acc-1",
        "kind": "Purchase",
        "unit_id": "unit-1",
        "payment_timing": "Prepaid",
        "region": "bj",
        "type": "gpu-1",
        "count": 2,
        "months": 12,
        "amount": Micro(5),
        "created_at": Instant(1),
        "created_by": "user-1",
    }
    return Order(**(facts | changed))


def posting(amount: int, **changed: Any) -> Posting:
    """Make a posting."""
    facts: dict[str, Any] = {
        "account_id": "acc-1",
        "at": Instant(1),
        "kind": "Usage",
        "debit": "wallet:acc-1",
        "credit": "revenue:usage",
        "amount": amount,
    }
    return Posting(**(facts | changed))


# Table: a row with nothing in it that need not be, and the same with everything that can change changed.
_PLAIN: Final[dict[Table[Any], tuple[Any, dict[str, Any]]]] = {
    IDEMPOTENCY_RECORDS: (
        IdempotencyRecord("acc-1", "token-1", "digest", False, bytes(range(256)), Instant(LOW)),
        {"digest": "another digest", "refused": True, "answer": b""},
    ),
    INSTANCES: (
        unit("unit-1", created_at=Instant(LOW), count=HIGH),
        {
            "count": 1,
            "payment_timing": "Prepaid",
            "status": "Released",
            "target_count": HIGH,
            "resize_paid": HIGH,
            "placements": (Placement(TEXT, HIGH, 1, runs=True), Placement("svco-2", 0, HIGH)),
            "term_months": 2**31 - 1,
            "term_from": LOW,
            "term_anchor": HIGH,
            "auto_renew": True,
            "auto_renew_months": 6,
            "renew_at": 1,
            "started_at": LOW,
            "meter_from": HIGH,
            "metered_minutes": HIGH,
            "metered_peak": HIGH,
            "sized_at": 6,
            "price_number": HIGH,
            "quoted_price": HIGH,
            "quoted_count": HIGH,
            "quoted_number": HIGH,
            "release_at": 2,
            "charge_at": 3,
            "expires_at": 4,
            "stop_at": 7,
            "resume_at": 8,
            "retire_at": 5,
            "charged": LOW,
            "ended_at": HIGH,
            "end_reason": "Schedule",
            "released_at": 0,
            "extensions": HIGH,
            "generation": HIGH,
            "failure": TEXT,
            "remind_at": 9,
            "remind_before_us": (HIGH, 2, 1),
            "reminded_at": LOW,
            "project_id": TEXT,
        },
    ),
    SERVICES: (
        service("svco-1", name=TEXT, description=TEXT, qps=0.1, region="bj", created_at=Instant(HIGH)),
        {
            "model_set_id": "am-2",
            "model_id": "amv-2",
            "replicas": HIGH,
            "deploying": HIGH,
            "prepaid_units": HIGH,
            "postpaid_units": HIGH,
            "active": False,
            "runs": True,
            "ready": HIGH,
            "deleted_at": HIGH,
            "log_store": LogStore(None, TEXT, "lines", "user-1", Instant(LOW)),
            "project_id": TEXT,
        },
    ),
    MODEL_SETS: (
        ModelSet(
            "am-1", EVERYBODYS, "user-1", TEXT, TEXT, Instant(LOW), model_type=TEXT, labels=(TEXT, ""), modified_at=None
        ),
        {"deleted_at": HIGH, "made": HIGH, "models": LOW, "modified_at": HIGH},
    ),
    MODELS: (
        Model(
            "amv-1",
            "am-1",
            "acc-1",
            "user-1",
            TEXT,
            "",
            RunSpec(command=("run", TEXT), env={TEXT: TEXT}, cpus=0.5, memory_bytes=HIGH, accelerators=8),
            Instant(HIGH),
            source_type=TEXT,
            source_meta=TEXT,
        ),
        {"deleted_at": LOW, "services": HIGH, "approved_by": TEXT, "approved_at": HIGH, "withdrawn_at": LOW},
    ),
    QUOTES: (
        Quote("quote-1", "acc-1", "bj", "gpu-1", HIGH, "Prepaid", 12, Micro(HIGH), Instant(LOW), Instant(HIGH)),
        {"used_by": "unit-1"},
    ),
    APPROVALS: (
        Approval(
            *("apr-1", "acc-1", "user-1", "units", TEXT, None, TEXT, "bj", "gpu-1", HIGH, "Prepaid", 12, None),
            *(Micro(HIGH), Micro(LOW), True, Instant(LOW), Instant(HIGH), None),
        ),
        {
            "remind_at": LOW,
            "status": "Rejected",
            "reminded_at": HIGH,
            "decided_by": TEXT,
            "decided_at": HIGH,
            "reason": TEXT,
            "order_id": TEXT,
            "unit_id": TEXT,
            "service_id": TEXT,
        },
    ),
    SERVICE_USAGE: (
        ServiceUsage("svco-1", TEXT, Instant(HIGH), "acc-1"),
        {"input_tokens": HIGH, "output_tokens": HIGH, "succeeded": HIGH, "failed": HIGH}
        | {"minutes": (MinuteCount(59, HIGH, HIGH, HIGH, HIGH),)},
    ),
    TOKEN_PACKAGES: (
        TokenPackage("pkg-1", "acc-1", "user-1", TEXT, HIGH, 0, Instant(LOW), Instant(HIGH)),
        {"used": HIGH, "project_id": TEXT},
    ),
    OFFERINGS: (
        Offering("bj", "gpu-1", HIGH, None, None, 0, 0),
        {
            "per_minute": HIGH,
            "per_month": LOW,
            "stock_total": HIGH,
            "stock_free": LOW,
            "stock_source": "Engine",
            "oversold": HIGH,
            "price_number": HIGH,
            "closed_at": HIGH,
            "no_renewals": True,
            "removed_at": LOW,
        },
    ),
    ENGINE_CAPACITIES: (
        EngineCapacity("process", None, (CapacityReport(TEXT, "worker-1"),)),
        {
            "told_to": "acc-1",
            "words": (
                CapacityReport("", TEXT, {TEXT: HIGH}, LOW, TEXT, HIGH, LOW),
                CapacityReport("node-2", "worker-2", {}),
            ),
            "stocks": {TEXT: TypeCapacity((TEXT, "bj"), HIGH, None, LOW), "gpu-1": TypeCapacity((), 0, HIGH)},
        },
    ),
    PRICES: (
        PriceList("bj", "gpu-1", ()),
        {"changes": (PriceChange(Instant(LOW), Micro(HIGH)), PriceChange(Instant(HIGH), None))},
    ),
    ACCOUNTS: (
        Account("acc-1", TEXT, "Asia/Shanghai", Micro(HIGH), Instant(LOW)),
        {"balance": LOW, "arrears_since": HIGH, "remind_before_us": (HIGH, 0)}
        | {"name": "", "status": "Suspended", "status_reason": TEXT}
        | {"tag_policy": TagPolicy((TEXT,), {TEXT: ("", TEXT), "team": ("vision",)})},
    ),
    USERS: (
        User("user-1", "acc-1", TEXT, True, (), Instant(HIGH)),
        {"policies": (TEXT, "QianfanFullControl"), "requires": ("SignedBody", "Nonce"), "name": "", "email": TEXT}
        | {"language": "zh-CN", "deleted_at": LOW, "openid": OpenIdIdentity(TEXT, "subject", (TEXT,))}
        | {"project_policies": (ProjectPolicy(TEXT, ("default", TEXT)), ProjectPolicy("QianfanFullControl", ()))},
    ),
    ACCESS_KEYS: (
        AccessKey("key-1", "user-1", "acc-1", b"", "Active", Instant(LOW)),
        {"sealed": bytes(range(256)), "status": "Disabled", "requires": ("Nonce",), "from_environment": True},
    ),
    ACCOUNT_LIMITS: (
        AccountLimits("acc-1", GuardRules()),
        {
            "rules": GuardRules(
                units={TEXT: 20},
                user_units={"*": {"gpu-1": 1}},
                spend=Micro(HIGH),
                user_spend={"user-1": Micro(0)},
                budget=Micro(1),
                budget_warn_percent=(50, 90),
                budget_refuse_percent=120,
                release_max_us=HIGH,
                release_default_us=1,
                end_required=True,
                extend_by="buyer",
                extensions_max=0,
                needs_approval=ApprovalLimit(units={TEXT: 1}, cost=Micro(HIGH), months=0, self_approval=True),
                user_needs_approval={"*": ApprovalLimit(release_us=HIGH, lapse_us=1)},
                tags={TEXT: {"": TagBudget(budget=Micro(HIGH), budget_warn_percent=(50,), budget_refuse_percent=1)}},
            ),
            "held": {"user-1": {TEXT: HIGH}},
            "month": "2026-11",
            "spent": {"user-1": LOW, "": 1},
            "crossed": (50,),
            "waiting": HIGH,
            "project_rules": {
                TEXT: ProjectRules(
                    units={TEXT: 20},
                    spend=Micro(HIGH),
                    budget=Micro(1),
                    budget_warn_percent=(50, 90),
                    budget_refuse_percent=120,
                    release_max_us=HIGH,
                    release_default_us=1,
                    end_required=True,
                )
            },
            "project_units": {TEXT: {TEXT: HIGH}},
            "project_spent": {"prj-1": LOW},
            "project_crossed": {TEXT: (50, 90)},
            "tag_spent": {TEXT: {"": LOW}},
            "tag_crossed": {TEXT: {TEXT: (50, 90)}},
        },
    ),
    FORMER_NONCES: (FormerNonce("key-1", TEXT, Instant(HIGH)), {}),
    NONCE_PAGES: (NoncePage(Instant(HIGH), TEXT, bytes(range(8)), 7), {"digests": bytes(range(256))}),
    REFUSED_CALLS: (
        RefusedCalls("row-1", Instant(LOW), TEXT, "", "", 0, {}, Instant(LOW), Instant(LOW)),
        {"calls": HIGH, "codes": {TEXT: HIGH}, "last_at": Instant(HIGH)},
    ),
    SERVICE_KEYS: (
        ServiceKey("key-1", "acc-1", "user-1", TEXT, None, "0" * 64, Instant(LOW)),
        {"status": "Deleted"},
    ),
    METADATA: (StoreMetadata("a fact", ""), {"value": TEXT}),
    SUBSCRIPTIONS: (
        Subscription("sub-1", "acc-1", "Webhook", TEXT, b"", (), TEXT, "Active", "u", Instant(LOW), Instant(LOW), 0),
        {
            "target": "",
            "sealed": bytes(range(256)),
            "types": (TEXT, "unit.bought"),
            "status": "Deleting",
            "since": HIGH,
            "page": HIGH,
            "sealed_before": bytes(range(256)),
            "before_until": HIGH,
            "reason": TEXT,
            "tests": HIGH,
            "sealed_at": HIGH,
            "confirms": HIGH,
            "confirm_until": LOW,
            "created_by": TEXT,
        },
    ),
    ACCOUNT_PLACES: (AccountPlace("sub-1", "acc-1", 0), {"page": HIGH}),
    DELIVERY_QUEUES: (
        DeliveryQueue("sub-1", TEXT),
        {"waiting": HIGH, "next_at": LOW, "holder": TEXT, "leased_until": HIGH},
    ),
    DELIVERIES: (
        Delivery("sub-1", HIGH, 7, "acc-1", TEXT, TEXT, TEXT, Instant(LOW)),
        {
            "since": HIGH,
            "state": "Dropped",
            "attempts": HIGH,
            "next_at": LOW,
            "status": 599,
            "failure": TEXT,
            "done_at": HIGH,
            "clear_at": LOW,
        },
    ),
    RESOURCE_TAGS: (
        ResourceTags("unit-1", "acc-1", "unit"),
        {"name": TEXT, "tags": {TEXT: TEXT}, "changed_at": Instant(HIGH)},
    ),
    FORMER_TAGS: (FormerTags("unit-1", Instant(HIGH), {TEXT: TEXT}), {}),
    COST_GROUPS: (CostGroup("acc-1", "0f", "Usage", "bj", "gpu-1", "user-1", None, None, {TEXT: TEXT}, rest=True), {}),
    COST_PERIODS: (
        CostPeriod("acc-1", "Day", Instant(HIGH), {"0f": Sums(1, -2)}),
        {"sums": {"0f": Sums(2**90, -(2**90)), "ff": Sums(0, 1)}},
    ),
    PROJECTS: (
        Project("prj-1", "acc-1", TEXT, TEXT, "user-1", Instant(LOW)),
        {"name": "", "description": "", "status": "Closed", "closed_at": HIGH},
    ),
    DEVICE_LOGINS: (
        DeviceLogin("BCDFGHJK", TEXT, TEXT, TEXT, Instant(HIGH), Instant(LOW)),
        {"status": "Approved", "account_id": TEXT, "user_id": TEXT, "decided_at": HIGH, "access_key_id": TEXT},
    ),
    PASSWORDS: (
        Password(TEXT, "user-1", TEXT, Instant(LOW)),
        {
            "user_id": "user-2",
            "hash": "",
            "changed_at": HIGH,
            "totp": bytes(range(256)),
            "totp_step": HIGH,
            "by_operator": True,
            "recovery": (TEXT, ""),
        },
    ),
    SPENT_SIGN_INS: (SpentSignIn(TEXT, "user-1", Instant(HIGH), Instant(LOW)), {}),
    USED_LINKS: (UsedLink("unit-1", Instant(HIGH), TEXT, Instant(LOW)), {}),
    NOTICE_RATES: (NoticeRate(TEXT, Instant(LOW)), {"free_at": HIGH}),
    WORKERS: (Worker("worker-1", TEXT, LOW, HIGH), {"beat": HIGH, "keys": TEXT, "engines": TEXT}),
    LEASES: (Lease("unit-1", "", "", HIGH), {"holder": "worker-1", "node": TEXT, "since": LOW}),
    REPLICAS: (
        Replica("unit-1", "svco-1", HIGH, "acc-1", "amv-1", "process", "node-1", 1, 1, "Starting", LOW),
        {
            "model_id": "amv-2",
            "engine": TEXT,
            "node": TEXT,
            "units": HIGH,
            "generation": HIGH,
            "state": "Failed",
            "since": HIGH,
            "address": "127.0.0.1:80",
            "devices": (TEXT, "1"),
            "reason": TEXT,
            "trouble": TEXT,
            "restarts": HIGH,
            "not_before": LOW,
            "deadline": HIGH,
            "outage": "Reported",
            "down_since": HIGH,
        },
    ),
}

CHANGED: Final = {table: changed for table, (_, changed) in _PLAIN.items()}
ROWS: Final[dict[Table[Any], tuple[Any, Any]]] = {
    table: (row, msgspec.structs.replace(row, **changed)) for table, (row, changed) in _PLAIN.items()
}


def offering(region: str, unit_type: str, position: int, free: int = 0) -> Offering:
    """An offering without a price."""
    return Offering(region, unit_type, position, None, None, free, free)
