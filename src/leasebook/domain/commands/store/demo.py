"""The demo: the objects that samples of the documents name, so that each sample works unchanged."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, METADATA, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.store.offering import reprice
from leasebook.domain.model.instance import Instance
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.model.offering import BY_ENGINE, EVERYWHERE, QUOTA, Offering
from leasebook.domain.model.service import Service
from leasebook.domain.record.ledger import FUNDING, Order, Posting, wallet
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules

DEMO_LOADED = "demo_loaded"
REGIONS = ("bj", "bd")
TYPES = ("cpu", "gpu-1", "gpu-2", "gpu-3", "gpu-4", "gpu-5", "gpu-6", "gpu-7")
"""The regions and types in the documents: the default catalogue (decision 8)."""

SERVICE_ID = "svco-48esssdpa594"
UNIT_ID = "unit-xxx"
ORDER_ID = "de30de30de30de30de30de30de30de30"


class StockCatalogue(Command, frozen=True, kw_only=True):
    """Add the documented regions and types to an empty catalogue, without stock or price."""

    answer: ClassVar[type] = bool

    def needs(self) -> Needs:
        """Every offering of it."""
        for region in REGIONS:
            for unit_type in TYPES:
                yield OFFERINGS, (region, unit_type)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Add the missing offerings."""
        places = [(region, unit_type) for region in REGIONS for unit_type in TYPES]
        for position, (region, unit_type) in enumerate(places, start=1):
            if draft.get(OFFERINGS, region, unit_type) is None:
                draft.put(OFFERINGS, Offering(region, unit_type, position, None, None, 0, 0))
        return True


class DemoOffering(msgspec.Struct, frozen=True):
    """Prices and stock of a type in each region of the demo."""

    per_minute: Micro
    per_month: Micro
    stock: int


class DemoModel(msgspec.Struct, frozen=True):
    """Price and stock of the quota of a model in the demo."""

    per_minute: Micro
    stock: int


class LoadDemo(Command, frozen=True, kw_only=True):
    """Set the catalogue's prices and stock, fund the account, and add the samples' service and instance.

    Loading it again changes nothing, even if the rows have changed since.
    """

    answer: ClassVar[type] = bool
    obeys_tag_policy: ClassVar[bool] = False

    account_id: str
    user_id: str
    funds: Micro
    offerings: dict[str, DemoOffering]
    models: dict[str, DemoModel]

    def needs(self) -> Needs:
        """The rows that it adds, and the mark that it was loaded."""
        yield METADATA, (DEMO_LOADED,)
        yield SERVICES, (SERVICE_ID,)
        yield INSTANCES, (UNIT_ID,)
        yield ACCOUNTS, (self.account_id,)
        yield ACCOUNT_LIMITS, (self.account_id,)
        for region in REGIONS:
            for unit_type in TYPES:
                yield OFFERINGS, (region, unit_type)
                yield PRICES, (region, unit_type)
        for model in self.models:
            yield OFFERINGS, (EVERYWHERE, model)
            yield PRICES, (EVERYWHERE, model)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Answers whether anything was added."""
        if draft.get(METADATA, DEMO_LOADED) is not None:
            return False
        draft.put(METADATA, StoreMetadata(DEMO_LOADED, str(now)))
        self._offer(draft, now)
        self._offer_quota(draft, now)
        draft.post(Posting(self.account_id, now, "TopUp", FUNDING, wallet(self.account_id), self.funds))
        if draft.get(SERVICES, SERVICE_ID) is None:
            draft.put(SERVICES, self._service(now))
        if draft.get(INSTANCES, UNIT_ID) is None:
            draft.put(OFFERINGS, draft.require(OFFERINGS, "bj", "gpu-1").take(1))
            unit = self._unit(now)
            draft.put(INSTANCES, unit)
            draft.order(_order(unit))
        return True

    def _offer(self, draft: Draft, now: Instant) -> None:
        for region in REGIONS:
            for unit_type, demo in self.offerings.items():
                # An earlier version's catalogue has fewer types. New types come last, as in SetOffering.
                offering = draft.get(OFFERINGS, region, unit_type)
                offering = offering or Offering(region, unit_type, now, None, None, 0, 0)
                if offering.per_minute is not None or offering.stock_total > 0 or offering.stock_source == BY_ENGINE:
                    continue  # set by the operator already
                draft.put(
                    OFFERINGS,
                    msgspec.structs.replace(
                        reprice(draft, offering, demo.per_minute, now),
                        per_month=demo.per_month,
                        stock_total=demo.stock,
                        stock_free=demo.stock,
                    ),
                )

    def _offer_quota(self, draft: Draft, now: Instant) -> None:
        for number, (model, demo) in enumerate(self.models.items(), start=len(REGIONS) * len(TYPES) + 1):
            if draft.get(OFFERINGS, EVERYWHERE, model) is not None:
                continue  # added by the operator already
            offering = Offering(EVERYWHERE, model, number, None, None, demo.stock, demo.stock, QUOTA)
            draft.put(OFFERINGS, reprice(draft, offering, demo.per_minute, now))

    def _service(self, now: Instant) -> Service:
        return Service(
            id=SERVICE_ID,
            account_id=self.account_id,
            created_by=self.user_id,
            name="demo",
            description="The service that the documents' samples buy replicas for.",
            url_suffix="demo",
            model_set_id="am-000000000000",
            model_id="amv-000000000000",
            resource_type="GPU-1-1",
            region=None,
            qps=None,
            replicas=0,
            created_at=now,
        )

    def _unit(self, now: Instant) -> Instance:
        return Instance(
            id=UNIT_ID,
            account_id=self.account_id,
            created_by=self.user_id,
            order_id=ORDER_ID,
            service_id=None,
            region="bj",
            type="gpu-1",
            count=1,
            payment_timing="Postpaid",
            status="Creating",
            created_at=now,
        )


def _order(unit: Instance) -> Order:
    return Order(
        id=unit.order_id,
        account_id=unit.account_id,
        kind="Purchase",
        unit_id=unit.id,
        payment_timing=unit.payment_timing,
        region=unit.region,
        type=unit.type,
        count=unit.count,
        months=0,
        amount=Micro(0),
        created_at=unit.created_at,
        created_by=unit.created_by,
    )
