"""Changing the name and the tags of something that was bought or made."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.project_scope import IN_PROJECTS
from leasebook.domain.book.tables import ACCOUNTS, FORMER_TAGS, INSTANCES, RESOURCE_TAGS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.costs.rows import FormerTags
from leasebook.domain.rules.resource.tag_policy import TABLES, policy_of
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, NOT_SUPPORTED, Refusal
from leasebook.domain.values.resource_tags import (
    NAMED_ELSEWHERE,
    ResourceTags,
    check_number,
    kind_of,
)
from leasebook.domain.values.rule_settings import Rules


class ChangeTags(Command, frozen=True, kw_only=True):
    """Set some tags, take others off, or give another name (None: none) where ``renames``. Returns what there is then.

    Things that have ended can be tagged as well: their costs are still asked for.
    """

    answer: ClassVar[type] = ResourceTags

    account_id: str
    resource_id: str
    put: dict[str, str] = msgspec.field(default_factory=dict)
    take: tuple[str, ...] = ()
    renames: bool = False
    name: str | None = None

    def needs(self) -> Needs:
        """The thing and its tags, and the account, which has the tag policy."""
        kind = kind_of(self.resource_id)
        if kind is not None:
            yield ACCOUNTS, (self.account_id,)
            yield TABLES[kind], (self.resource_id,)
            yield RESOURCE_TAGS, (self.resource_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> ResourceTags:  # noqa: ARG002 - no setting matters
        """Raises Refusal: nothing of this account (NO_RESOURCE), too many tags, or a name that is kept elsewhere.

        (TAG_POLICY): a tag would get a value that the account's policy does not allow, or lose a key that it requires.
        """
        kind = kind_of(self.resource_id)
        thing = None if kind is None else draft.get(TABLES[kind], self.resource_id)
        if kind is not None and draft.within is not None and TABLES[kind] not in IN_PROJECTS:
            thing = None  # A model, for one, is of the account, and of no project.
        if kind is None or thing is None or thing.account_id != self.account_id or is_deleted(thing):
            raise no_thing(self.resource_id)
        if self.renames and kind in NAMED_ELSEWHERE:
            raise Refusal(
                NOT_SUPPORTED,
                f"{self.resource_id} keeps the name that it was made with. Instances, quota, packages and "
                "subscriptions can be renamed; give it a tag instead (TagResource).",
            )
        before = draft.get(RESOURCE_TAGS, self.resource_id)
        row = before or ResourceTags(self.resource_id, self.account_id, kind)
        tags = {key: value for key, value in row.tags.items() if key not in self.take} | self.put
        check_number(tags)
        policy = policy_of(draft, self.account_id)
        if policy is not None:
            policy.check(tags, row.tags, field="tagKeys" if self.take else "tags")
        after = msgspec.structs.replace(
            row, tags=dict(sorted(tags.items())), name=self.name if self.renames else row.name
        )
        if after.tags != row.tags and TABLES[kind] is INSTANCES:
            after = _remember(draft, row, after, now)
        if after != row:
            draft.put(RESOURCE_TAGS, after)
        return after


def _remember(draft: Draft, before: ResourceTags, after: ResourceTags, now: Instant) -> ResourceTags:
    """Write down the tags that an instance had until now, because its costs until now have them.

    Of several changes at one moment the first one counts: the others were between no two charges.
    """
    if before.changed_at is not None and before.changed_at >= now:
        return after
    draft.put(FORMER_TAGS, FormerTags(before.id, now, before.tags))
    return msgspec.structs.replace(after, changed_at=now)


def is_deleted(thing: Any) -> bool:
    """Whether a thing was deleted by its account, so that no list has it any more."""
    return getattr(thing, "deleted_at", None) is not None or getattr(thing, "status", None) in ("Deleted", "Deleting")


def no_thing(resource_id: str) -> Refusal:
    """Return the refusal (NO_RESOURCE) for an id of nothing that the account has."""
    return Refusal(
        NO_RESOURCE,
        f"There is no {resource_id[:64]!r} here that can have tags: instances, quota, packages, services, model sets "
        "and versions, service keys and subscriptions can.",
        field="resourceId",
    )
