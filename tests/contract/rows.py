"""A row of every table, and what a later batch makes of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from leasehold.domain.account import AccessKey, Account, User
from leasehold.domain.book import (
    ACCOUNTS,
    FACTS,
    KEYS,
    OFFERINGS,
    PRICES,
    REMEMBERED,
    SERVICES,
    UNITS,
    USERS,
    Fact,
    Table,
)
from leasehold.domain.calendar import Instant
from leasehold.domain.catalogue import Offering, PriceChange, PriceList
from leasehold.domain.ledger import Order, Posting
from leasehold.domain.money import Micro
from leasehold.domain.service import Service
from leasehold.domain.token import Remembered
from leasehold.domain.unit import Unit

LOW, HIGH = -(2**63), 2**63 - 1
"""The least and the greatest number that every store can hold."""
TEXT = 'naïve "quoted" \\ {NULL}, 单位 🦊'


def unit(unit_id: str, **changed: Any) -> Unit:
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
        "replicas": 0,
        "payment_timing": "Postpaid",
        "status": "Running",
        "created_at": Instant(1),
    }
    return Unit(**(facts | changed))


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
    REMEMBERED: (
        Remembered("acc-1", "token-1", "digest", False, bytes(range(256)), Instant(LOW)),
        {"digest": "another digest"},
    ),
    UNITS: (
        unit("unit-1", created_at=Instant(LOW), count=HIGH),
        {
            "count": 1,
            "replicas": HIGH,
            "status": "Released",
            "term_months": 2**31 - 1,
            "auto_renew": True,
            "auto_renew_months": 6,
            "started_at": LOW,
            "release_at": 2,
            "charge_at": 3,
            "expires_at": 4,
            "retire_at": 5,
            "metered_minutes": HIGH,
            "charged": LOW,
            "ended_at": HIGH,
            "end_reason": "Schedule",
            "released_at": 0,
        },
    ),
    SERVICES: (
        service("svco-1", name=TEXT, description=TEXT, qps=0.1, region="bj", created_at=Instant(HIGH)),
        {"model_set_id": "am-2", "model_id": "amv-2", "replicas": HIGH},
    ),
    OFFERINGS: (
        Offering("bj", "gpu-1", HIGH, None, None, 0, 0),
        {"per_minute": HIGH, "per_month": LOW, "stock_total": HIGH, "stock_free": LOW},
    ),
    PRICES: (
        PriceList("bj", "gpu-1", ()),
        {"changes": (PriceChange(Instant(LOW), Micro(HIGH)), PriceChange(Instant(HIGH), None))},
    ),
    ACCOUNTS: (Account("acc-1", TEXT, "Asia/Shanghai", Micro(HIGH), Instant(LOW)), {"balance": LOW}),
    USERS: (
        User("user-1", "acc-1", TEXT, True, (), Instant(HIGH)),
        {"policies": (TEXT, "QianfanFullControl")},
    ),
    KEYS: (
        AccessKey("key-1", "user-1", "acc-1", b"", "Active", Instant(LOW)),
        {"sealed": bytes(range(256)), "status": "Disabled"},
    ),
    FACTS: (Fact("a fact", ""), {"value": TEXT}),
}

CHANGED: Final = {table: changed for table, (_, changed) in _PLAIN.items()}
ROWS: Final[dict[Table[Any], tuple[Any, Any]]] = {
    table: (row, msgspec.structs.replace(row, **changed)) for table, (row, changed) in _PLAIN.items()
}


def offering(region: str, unit_type: str, position: int, free: int = 0) -> Offering:
    """An offering without a price."""
    return Offering(region, unit_type, position, None, None, free, free)
