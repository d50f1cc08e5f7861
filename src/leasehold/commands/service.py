"""Creating a service for units to run."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasehold.commands.command import Command, Needs
from leasehold.commands.purchase import Purchase, buy_replicas, shelf_of
from leasehold.domain.book import ACCOUNTS, SERVICES, Book, Draft
from leasehold.domain.calendar import Instant
from leasehold.domain.rules import Rules
from leasehold.domain.service import Service


class Created(msgspec.Struct, frozen=True):
    """The new service, and the instance bought for it where one was."""

    service_id: str
    unit_id: str | None
    order_id: str | None


class CreateService(Command, frozen=True, kw_only=True):
    """Create a service, and buy the units for its first replicas where billing comes with it."""

    answer: ClassVar[type] = Created

    service_id: str
    account_id: str
    user_id: str
    name: str
    description: str
    url_suffix: str
    model_set_id: str
    model_id: str
    resource_type: str
    region: str | None
    qps: float | None
    replicas: int
    purchase: Purchase | None

    def needs(self) -> Needs:
        """The new row, and what a purchase needs."""
        yield SERVICES, (self.service_id,)

    def needs_more(self, book: Book) -> Needs:  # noqa: ARG002
        """The shelf, and who pays."""
        if self.purchase is not None:
            yield from shelf_of(self._service(Instant(0)))
            yield ACCOUNTS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> Created:
        """Raises what a purchase raises."""
        service = self._service(now)
        draft.put(SERVICES, service)
        if self.purchase is None:
            return Created(service.id, None, None)
        bought = buy_replicas(draft, rules, now, self.purchase, service, self.replicas)
        return Created(service.id, bought.unit_id, bought.order_id)

    def _service(self, now: Instant) -> Service:
        return Service(
            id=self.service_id,
            account_id=self.account_id,
            created_by=self.user_id,
            name=self.name,
            description=self.description,
            url_suffix=self.url_suffix,
            model_set_id=self.model_set_id,
            model_id=self.model_id,
            resource_type=self.resource_type,
            region=self.region,
            qps=self.qps,
            replicas=0,
            created_at=now,
        )
