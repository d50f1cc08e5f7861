"""Commands for tests of the reconciler: rows written directly, and placements that an engine runs."""

from __future__ import annotations

from typing import Any

import msgspec

from leasebook.domain.book.book import Book
from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNT_LIMITS, ACCOUNTS, INSTANCES, MODELS, OFFERINGS, PRICES, SERVICES
from leasebook.domain.commands.account.funds import TopUp
from leasebook.domain.commands.account.identity import CreateAccount, NewKey
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.commands.instance.purchase import Billing, BuyReplicas, Purchase
from leasebook.domain.commands.store.offering import SetOffering
from leasebook.domain.model.instance import ENDABLE
from leasebook.domain.rules.lifecycle import change
from leasebook.domain.rules.metering import start_meter
from leasebook.domain.rules.release import begin_release, stop
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.money import Micro
from leasebook.domain.values.rule_settings import Rules
from tests.reconciler.scene import model, service

ACCOUNT, USER = "acc-1", "user-1"


class Install(Command, frozen=True, kw_only=True):
    """Write models and services as they are given."""

    models: tuple[Any, ...] = ()
    services: tuple[Any, ...] = ()

    def needs(self) -> Needs:
        for one in self.models:
            yield MODELS, (one.id,)
        for one in self.services:
            yield SERVICES, (one.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> None:  # noqa: ARG002
        for one in self.models:
            draft.put(MODELS, one)
        for one in self.services:
            draft.put(SERVICES, one)


class Runs(Command, frozen=True, kw_only=True):
    """Another command, after which an engine runs what it placed."""

    inner: Command

    def needs(self) -> Needs:
        return self.inner.needs()

    def needs_more(self, book: Book) -> Needs:
        return self.inner.needs_more(book)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Any:
        answer = self.inner.decide(draft, rules, now)
        for (table, _), row in list(draft.changed.items()):
            if table is INSTANCES:
                placed = tuple(one._replace(runs=True) for one in row.placements)
                draft.put(INSTANCES, msgspec.structs.replace(row, placements=placed))
        return answer


class StopUnit(Command, frozen=True, kw_only=True):
    """Stop an instance as its debt does, or let it run again as paying it does."""

    unit_id: str
    stops: bool

    def needs(self) -> Needs:
        yield INSTANCES, (self.unit_id,)

    def needs_more(self, book: Book) -> Needs:
        unit = book.get(INSTANCES, self.unit_id)
        assert unit is not None
        yield OFFERINGS, unit.offering
        yield PRICES, unit.offering
        yield ACCOUNTS, (unit.account_id,)
        yield ACCOUNT_LIMITS, (unit.account_id,)
        for placed in unit.placements:
            yield SERVICES, (placed.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> None:
        unit = draft.require(INSTANCES, self.unit_id)
        if self.stops and unit.status in ("Running", "ReconfigureFailed"):
            change(draft, stop(draft, unit, rules, now), retire_at=None)
        elif not self.stops and unit.status == "Stopped":
            start_meter(draft, unit, now)


class EndUnit(StopUnit, frozen=True, kw_only=True):
    """End an instance as the end of its retention does, however it is paid."""

    stops: bool = True

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> None:  # noqa: ARG002
        unit = draft.require(INSTANCES, self.unit_id)
        if unit.status in ENDABLE:
            begin_release(draft, unit, "Expiry", now)


def founding() -> list[Command]:
    """An account with money, two models, and three services on gpu-1 of bj."""
    key = NewKey("key-1", b"")
    return [
        CreateAccount(account_id=ACCOUNT, user_id=USER, name="test", time_zone="UTC", key=key),
        TopUp(account_id=ACCOUNT, amount=Micro(10**15)),
        SetOffering(region="bj", unit_type="gpu-1", per_minute=Micro(10), per_month=Micro(1000), stock_total=12),
        Install(
            models=(model("amv-1", grace_s=5), model("amv-2", grace_s=5)),
            services=tuple(service(f"svco-{number}", region="bj") for number in (1, 2, 3)),
        ),
    ]


def buying(unit_id: str, service_id: str, replicas: int, release_at: Instant | None = None, months: int = 0) -> Command:
    """Buy replicas that an engine runs."""
    billing = Billing(payment_timing="Prepaid" if months else "Postpaid", months=months, release_at=release_at)
    purchase = Purchase(account_id=ACCOUNT, by=USER, unit_id=unit_id, order_id=f"order-of-{unit_id}", billing=billing)
    return Runs(inner=BuyReplicas(purchase=purchase, service_id=service_id, replicas=replicas))
