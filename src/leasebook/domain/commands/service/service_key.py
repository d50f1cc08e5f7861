"""Keys for calling services: creating and deleting them."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.store_queries import SERVICE_KEYS as MADE
from leasebook.domain.book.tables import SERVICE_KEYS, SERVICES
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.service_key import ServiceKey
from leasebook.domain.rules.bounds import bound_needs, check_bound, counted
from leasebook.domain.rules.ownership import own_service
from leasebook.domain.rules.resource.tag_policy import tag_new
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import DENIED, NO_RESOURCE, Refusal
from leasebook.domain.values.resource_tags import NewTags
from leasebook.domain.values.rule_settings import Rules


class CreateServiceKey(Command, frozen=True, kw_only=True):
    """Create an app's key for the account's services, or for one of them. Returns it."""

    answer: ClassVar[type] = ServiceKey

    key_id: str
    account_id: str
    user_id: str
    name: str
    service_id: str | None
    digest: str
    tags: NewTags = NewTags()

    def needs(self) -> Needs:
        """The new row, the number of the account's keys, and the service if one is given."""
        yield SERVICE_KEYS, (self.key_id,)
        yield from bound_needs(self.account_id, counted(MADE, self.account_id))
        if self.service_id is not None:
            yield SERVICES, (self.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ServiceKey:
        """Raises Refusal: unknown service, too many keys, or no service from a caller with a policy for projects."""
        if self.service_id is not None:
            own_service(draft, self.account_id, self.service_id)
        elif self.within is not None:
            raise Refusal(
                DENIED,
                "A key for every service of the account takes a policy for the whole account, and this key's user has "
                "it for projects only. Give serviceId: a service of these projects.",
                field="serviceId",
            )
        check_bound(draft, rules, MADE, self.account_id)
        row = ServiceKey(self.key_id, self.account_id, self.user_id, self.name, self.service_id, self.digest, now)
        draft.add(SERVICE_KEYS, row)
        tag_new(draft, self.tags, row.id, row.account_id)
        return row


class DeleteServiceKey(Command, frozen=True, kw_only=True):
    """Delete a key: the next call with it is refused. Its row stays, so that its calls stay attributed.

    ``service_id`` is the service that it opens, if the caller's policy is for projects: its project says whether the
    caller sees the key.
    """

    answer: ClassVar[type] = bool

    account_id: str
    key_id: str
    service_id: str | None = None

    def needs(self) -> Needs:
        """The key, and the service."""
        yield SERVICE_KEYS, (self.key_id,)
        if self.service_id is not None:
            yield SERVICES, (self.service_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Raises Refusal (NO_RESOURCE) if the account has no active key of that id."""
        key = draft.get(SERVICE_KEYS, self.key_id)
        if key is None or key.account_id != self.account_id or key.status == "Deleted":
            raise Refusal(
                NO_RESOURCE,
                f"There is no service key {self.key_id[:64]!r} here. DescribeServiceKeys (/v2/service) lists yours.",
                field="keyId",
            )
        draft.put(SERVICE_KEYS, msgspec.structs.replace(key, status="Deleted"))
        return True
