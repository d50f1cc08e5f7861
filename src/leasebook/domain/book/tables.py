"""Every table of rows that commands read and change, in the one order in which batches lock them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from leasebook.domain.costs.rows import CostGroup, CostPeriod, FormerTags
from leasebook.domain.model.account import AccessKey, Account, User
from leasebook.domain.model.approvals.approval import Approval
from leasebook.domain.model.console.device_login import DeviceLogin
from leasebook.domain.model.console.sign_in import Password, SpentSignIn
from leasebook.domain.model.engine_capacity import EngineCapacity
from leasebook.domain.model.idempotency import IdempotencyRecord
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.lease import Lease, Worker
from leasebook.domain.model.limits import AccountLimits
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.model import Model, ModelSet
from leasebook.domain.model.offering import Offering, PriceList
from leasebook.domain.model.quote import Quote
from leasebook.domain.model.replica import Replica
from leasebook.domain.model.resource.project import Project
from leasebook.domain.model.service import Service
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.model.subscription import AccountPlace, Delivery, DeliveryQueue, Subscription
from leasebook.domain.model.usage import ServiceUsage, TokenPackage
from leasebook.domain.record.nonce import FormerNonce, NoncePage
from leasebook.domain.record.notice import NoticeRate, UsedLink
from leasebook.domain.record.signature import RefusedCalls
from leasebook.domain.values.resource_tags import ResourceTags

R = TypeVar("R", bound=msgspec.Struct)
Key = tuple[Any, ...]


def _key_of(names: tuple[str, ...]) -> Callable[[Any], Key]:
    if len(names) > 1:
        return attrgetter(*names)
    value = attrgetter(names[0])
    return lambda row: (value(row),)


class Table(Generic[R]):
    """A kind of row, and which of its fields are its key.

    ``TABLES`` lists them in the one order in which every batch locks rows, so that two batches on one
    store can wait for each other but never in a circle.
    """

    def __init__(self, name: str, row: type[R], *key: str) -> None:
        self.name = name
        self.row = row
        self.key = key
        self.key_of: Callable[[R], Key] = _key_of(key)
        """Returns a row's key. Built once, because a batch asks for the key of each row several times."""

    def __repr__(self) -> str:
        return f"Table({self.name})"


IDEMPOTENCY_RECORDS = Table("tokens", IdempotencyRecord, "account_id", "value")
FORMER_NONCES = Table("nonces", FormerNonce, "access_key_id", "value")
NONCE_PAGES = Table("nonce_pages", NoncePage, "until", "access_key_id", "number")
INSTANCES = Table("units", Instance, "id")
SERVICES = Table("services", Service, "id")
MODEL_SETS = Table("model_sets", ModelSet, "id")
MODELS = Table("models", Model, "id")
QUOTES = Table("quotes", Quote, "id")
APPROVALS = Table("approvals", Approval, "id")
SERVICE_USAGE = Table("calls", ServiceUsage, "service_id", "app_id", "hour")
TOKEN_PACKAGES = Table("packages", TokenPackage, "id")
ENGINE_CAPACITIES = Table("supplies", EngineCapacity, "engine")
OFFERINGS = Table("offerings", Offering, "region", "type")
PRICES = Table("prices", PriceList, "region", "type")
ACCOUNTS = Table("accounts", Account, "id")
USERS = Table("users", User, "id")
ACCESS_KEYS = Table("access_keys", AccessKey, "id")
ACCOUNT_LIMITS = Table("guards", AccountLimits, "account_id")
SERVICE_KEYS = Table("service_keys", ServiceKey, "id")
METADATA = Table("facts", StoreMetadata, "name")
SUBSCRIPTIONS = Table("hooks", Subscription, "id")
ACCOUNT_PLACES = Table("hook_places", AccountPlace, "hook_id", "account_id")
DELIVERY_QUEUES = Table("lanes", DeliveryQueue, "hook_id", "name")
DELIVERIES = Table("deliveries", Delivery, "hook_id", "page", "line")
USED_LINKS = Table("used_links", UsedLink, "unit_id", "deadline")
NOTICE_RATES = Table("notice_rates", NoticeRate, "name")
WORKERS = Table("workers", Worker, "id")
LEASES = Table("leases", Lease, "unit_id")
REPLICAS = Table("replicas", Replica, "unit_id", "service_id", "number")
RESOURCE_TAGS = Table("tags", ResourceTags, "id")
FORMER_TAGS = Table("tag_history", FormerTags, "id", "until")
COST_GROUPS = Table("cost_groups", CostGroup, "account_id", "id")
COST_PERIODS = Table("costs", CostPeriod, "account_id", "level", "since")
PROJECTS = Table("projects", Project, "id")
PASSWORDS = Table("passwords", Password, "login")
SPENT_SIGN_INS = Table("spent_sign_ins", SpentSignIn, "id")
DEVICE_LOGINS = Table("device_logins", DeviceLogin, "user_code")
REFUSED_CALLS = Table("refused_calls", RefusedCalls, "id")

TABLES: tuple[Table[Any], ...] = (
    # First, because under a virtual clock every batch begins by locking the row with the clock's time.
    METADATA,
    IDEMPOTENCY_RECORDS,
    FORMER_NONCES,
    NONCE_PAGES,
    INSTANCES,
    SERVICES,
    MODEL_SETS,
    MODELS,
    QUOTES,
    APPROVALS,
    SERVICE_USAGE,
    TOKEN_PACKAGES,
    ENGINE_CAPACITIES,
    OFFERINGS,
    PRICES,
    ACCOUNTS,
    # After the account: a batch that sets an account's first limits and a batch that buys both lock the account's row.
    ACCOUNT_LIMITS,
    # After the account: whatever comes into a project locks its account, and so does the end of a project.
    PROJECTS,
    USERS,
    ACCESS_KEYS,
    # Batches that create or finish deliveries lock the subscription first.
    SUBSCRIPTIONS,
    ACCOUNT_PLACES,
    DELIVERY_QUEUES,
    DELIVERIES,
    USED_LINKS,
    NOTICE_RATES,
    SERVICE_KEYS,
    # After all that can have tags: a batch that changes tags locks the thing first.
    RESOURCE_TAGS,
    FORMER_TAGS,
    WORKERS,
    LEASES,
    REPLICAS,
    REFUSED_CALLS,
    SPENT_SIGN_INS,
    DEVICE_LOGINS,
    PASSWORDS,
    COST_GROUPS,
    COST_PERIODS,
)
