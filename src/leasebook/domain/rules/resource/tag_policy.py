"""The tag policy of an account, enforced for every command: new things have the tags that it requires.

The check is part of every decision (``commands.command.decide``), after the command itself: it looks at the rows that
the command writes, so no way to buy or make something can forget it. It reads the policy on the account's row, which
the batch has locked: a purchase that comes with a change of the policy is decided before or after it.
"""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import (
    ACCOUNTS,
    INSTANCES,
    MODEL_SETS,
    MODELS,
    RESOURCE_TAGS,
    SERVICE_KEYS,
    SERVICES,
    SUBSCRIPTIONS,
    TOKEN_PACKAGES,
    Table,
)
from leasebook.domain.model.account import Account
from leasebook.domain.values.resource_tags import NewTags, ResourceKind, ResourceTags
from leasebook.domain.values.tag_policy import TagPolicy

TABLES: Final[dict[ResourceKind, Table[Any]]] = {
    "unit": INSTANCES,
    "tpm": INSTANCES,
    "pkg": TOKEN_PACKAGES,
    "svco": SERVICES,
    "am": MODEL_SETS,
    "amv": MODELS,
    "key": SERVICE_KEYS,
    "sub": SUBSCRIPTIONS,
}
"""Where the things of a kind are."""
_TAGGED: Final = frozenset(TABLES.values())


def policy_of(draft: Draft, account_id: str) -> TagPolicy | None:
    """Return an account's tag policy; None: it has none, or the thing is everybody's and of no account."""
    # Straight from the rows: tests of single rules load no account.
    account: Account | None = draft.book.rows[ACCOUNTS].get((account_id,))
    return None if account is None else account.tag_policy


def tag_new(draft: Draft, tags: NewTags, resource_id: str, account_id: str) -> None:
    """Write the name and the tags of something new. Without either nothing is written."""
    if tags:
        draft.add(RESOURCE_TAGS, tags.of(resource_id, account_id))


def check_new_things(draft: Draft, *, obeys: bool = True) -> None:
    """Raise Refusal (TAG_POLICY) if something that the command buys or makes lacks tags of its account's policy.

    ``obeys`` is false for a command that is bound by no policy.
    """
    for (table, key), row in draft.changed.items() if obeys else ():
        if table in _TAGGED and draft.book.rows[table].get(key) is None:
            policy = policy_of(draft, row.account_id)
            if policy is not None:
                tagged: ResourceTags | None = draft.changed.get((RESOURCE_TAGS, key))
                policy.check({} if tagged is None else tagged.tags)
