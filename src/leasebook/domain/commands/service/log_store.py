"""The log store of a service: attaching and detaching it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.service import LogStore
from leasebook.domain.rules.ownership import own_service
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules


class AttachLogStore(Command, frozen=True, kw_only=True):
    """Have the lines of a service's replicas sent to a log store; one that it had before is replaced.

    The caller made sure that the log store can be reached: a command asks nothing outside of the books.
    """

    answer: ClassVar[type] = bool

    account_id: str
    user_id: str
    service_id: str
    region: str | None
    project: str
    name: str

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown service."""
        service = own_service(draft, self.account_id, self.service_id)
        log_store = LogStore(self.region, self.project, self.name, self.user_id, now)
        draft.put(SERVICES, msgspec.structs.replace(service, log_store=log_store))
        return True


class DetachLogStore(Command, frozen=True, kw_only=True):
    """Send the lines of a service's replicas nowhere any more."""

    answer: ClassVar[type] = bool

    account_id: str
    service_id: str

    def needs(self) -> Needs:
        """The service."""
        yield SERVICES, (self.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - whenever that is
        """Raises Refusal: unknown service, or one without a log store (WRONG_STATE)."""
        service = own_service(draft, self.account_id, self.service_id)
        if service.log_store is None:
            raise Refusal(
                WRONG_STATE,
                f"{service.id} has no log store, so there is none to detach. AttachLogStore attaches one.",
                field="serviceId",
            )
        draft.put(SERVICES, msgspec.structs.replace(service, log_store=None))
        return True
