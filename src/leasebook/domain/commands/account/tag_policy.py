"""Changing an account's tag policy."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCOUNTS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.record.identity_log import log_needs
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import NO_RESOURCE, Refusal
from leasebook.domain.values.resource_tags import read_keys
from leasebook.domain.values.rule_settings import Rules
from leasebook.domain.values.tag_policy import NO_POLICY, TagPolicy, read_policy


class TagPolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of ``TagPolicy``. UNSET: the field stays; None: it is cleared, in ``allowed`` key by key."""

    required: tuple[str, ...] | UnsetType | None = UNSET
    allowed: dict[str, tuple[str, ...] | None] | UnsetType | None = UNSET

    def applied(self, policy: TagPolicy) -> TagPolicy:
        """Return the changed policy in its normal form; raises Refusal (BAD_VALUE) for one beyond the bounds."""
        required = policy.required if isinstance(self.required, UnsetType) else self.required or ()
        allowed: dict[str, tuple[str, ...]] = dict(policy.allowed)
        if self.allowed is None:
            allowed = {}
        elif not isinstance(self.allowed, UnsetType):
            for given, values in self.allowed.items():
                # A key in another spelling names the same entry.
                (key,) = read_keys((given,), "policy.allowed")
                allowed.pop(key, None)
                if values is not None:
                    allowed[given] = values
        return read_policy(required, allowed)


CLEARED: TagPolicyChange = TagPolicyChange(required=None, allowed=None)
"""The change that clears the policy."""


class TagPolicyChanged(msgspec.Struct, frozen=True):
    """An account's tag policy before and after a change."""

    account_id: str
    before: TagPolicy
    after: TagPolicy


class SetTagPolicy(Command, frozen=True, kw_only=True):
    """Change an account's tag policy. It applies to commands decided from now on; what exists keeps its tags.

    With ``replace`` the change is applied to an empty policy, so that what it does not name is cleared.
    """

    answer: ClassVar[type] = TagPolicyChanged

    account_id: str
    change: TagPolicyChange
    replace: bool = False

    def needs(self) -> Needs:
        """The account, and the end of the identity log, which its events are part of."""
        yield from log_needs()
        yield ACCOUNTS, (self.account_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> TagPolicyChanged:  # noqa: ARG002 - no setting matters
        """Raises Refusal: unknown account (NO_RESOURCE), or a policy beyond the bounds (BAD_VALUE)."""
        account = draft.get(ACCOUNTS, self.account_id)
        if account is None:
            raise Refusal(NO_RESOURCE, f"There is no account {self.account_id[:64]!r}.", field="accountId")
        before = account.tag_policy or NO_POLICY
        after = self.change.applied(NO_POLICY if self.replace else before)
        if after != before:
            draft.put(ACCOUNTS, msgspec.structs.replace(account, tag_policy=after or None))
        return TagPolicyChanged(account.id, before, after)
