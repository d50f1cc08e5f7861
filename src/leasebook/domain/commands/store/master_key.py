"""A master key takes the place of another: announced, then the one that seals, then everything is sealed under it.

Each step is a fact of the store, so that whoever goes on with it, after whatever happened, knows where it stands.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCESS_KEYS, METADATA, SUBSCRIPTIONS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.identity_log import LOG_END, MASTER_KEY
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

NEXT_KEY: Final = "master_key_next"
"""The fact that says which master key is to take the place of the one that seals; empty: none is."""
BEFORE_KEY: Final = "master_key_before"
"""The fact that says which master key the one that seals took the place of; empty: nothing is sealed under it."""
PAST_KEYS: Final = "master_keys_past"
"""The fact that keeps what proves the log of identities and closures of earlier master keys, sealed under this one."""


class TurnMasterKey(Command, frozen=True, kw_only=True):
    """Let the announced master key be the one that seals. Answers whether it is now.

    ``log_end`` is how far the log of identities goes by what is kept in ``past``: where it has gone on, nothing is
    done, and the answer is False.
    """

    answer: ClassVar[type] = bool

    was: str
    to: str
    past: str
    log_end: str

    def needs(self) -> Needs:
        """The facts."""
        for name in (MASTER_KEY, NEXT_KEY, BEFORE_KEY, PAST_KEYS, LOG_END):
            yield METADATA, (name,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal where another master key is announced or seals."""
        current = value_of(draft, MASTER_KEY)
        if current == self.to:
            return True
        if current != self.was or value_of(draft, NEXT_KEY) != self.to:
            raise Refusal(WRONG_STATE, "Another master key was announced meanwhile, or seals already.")
        if value_of(draft, LOG_END) != self.log_end:
            return False
        for name, value in ((MASTER_KEY, self.to), (BEFORE_KEY, self.was), (NEXT_KEY, ""), (PAST_KEYS, self.past)):
            draft.put(METADATA, StoreMetadata(name, value))
        return True


class Resealed(msgspec.Struct, frozen=True):
    """A row whose sealed values were sealed anew: what they were and what they are to be."""

    id: str
    was: bytes
    now: bytes
    was_before: bytes = b""
    now_before: bytes = b""


class Reseal(Command, frozen=True, kw_only=True):
    """Write values that are sealed under another master key. What has changed meanwhile stays as it is."""

    answer: ClassVar[type] = bool

    keys: tuple[Resealed, ...] = ()
    hooks: tuple[Resealed, ...] = ()

    def needs(self) -> Needs:
        """The rows."""
        for one in self.keys:
            yield ACCESS_KEYS, (one.id,)
        for one in self.hooks:
            yield SUBSCRIPTIONS, (one.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write them down."""
        for one in self.keys:
            key = draft.get(ACCESS_KEYS, one.id)
            if key is not None and key.sealed == one.was:
                draft.put(ACCESS_KEYS, msgspec.structs.replace(key, sealed=one.now))
        for one in self.hooks:
            hook = draft.get(SUBSCRIPTIONS, one.id)
            if hook is not None and (hook.sealed, hook.sealed_before) == (one.was, one.was_before):
                draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, sealed=one.now, sealed_before=one.now_before))
        return True


class EndTurning(Command, frozen=True, kw_only=True):
    """Nothing is sealed under the master key before any more. Answers whether that is so now."""

    answer: ClassVar[type] = bool

    was: str
    past: str

    def needs(self) -> Needs:
        """The facts."""
        yield METADATA, (BEFORE_KEY,)
        yield METADATA, (PAST_KEYS,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write it down, once."""
        if value_of(draft, BEFORE_KEY) == self.was:
            draft.put(METADATA, StoreMetadata(BEFORE_KEY, ""))
            draft.put(METADATA, StoreMetadata(PAST_KEYS, self.past))
        return True


def value_of(draft: Draft, name: str) -> str:
    """Return a fact; empty where there is none."""
    fact = draft.get(METADATA, name)
    return "" if fact is None else fact.value
