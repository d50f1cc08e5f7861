"""The replacement of the master key: announce the next key, make it the key that seals, and seal all values again.

Each step is recorded in the store, so that any server can go on after an interruption.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import ACCESS_KEYS, METADATA, PASSWORDS, SUBSCRIPTIONS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.record.identity_log import LOG_END, MASTER_KEY
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import WRONG_STATE, Refusal
from leasebook.domain.values.rule_settings import Rules

NEXT_KEY: Final = "master_key_next"
"""The metadata row with the announced master key; empty: none."""
BEFORE_KEY: Final = "master_key_before"
"""The metadata row with the replaced master key; empty: no value is sealed under it any more."""
PAST_KEYS: Final = "master_keys_past"
"""The metadata row with the proofs of the identity log and receipts of earlier master keys, sealed under this key."""


class TurnMasterKey(Command, frozen=True, kw_only=True):
    """Make the announced master key the one that seals. Returns whether it is now.

    ``log_end`` is the end of the identity log that ``past`` was made for. If the log has grown since, nothing changes,
    and the answer is False.
    """

    answer: ClassVar[type] = bool

    was: str
    to: str
    past: str
    log_end: str

    def needs(self) -> Needs:
        """The metadata rows."""
        for name in (MASTER_KEY, NEXT_KEY, BEFORE_KEY, PAST_KEYS, LOG_END):
            yield METADATA, (name,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Raises Refusal (WRONG_STATE) if another master key is announced or seals."""
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
    """A row with sealed values: before and after sealing them under another master key."""

    id: str
    was: bytes
    now: bytes
    was_before: bytes = b""
    now_before: bytes = b""


class Reseal(Command, frozen=True, kw_only=True):
    """Write values that are sealed under another master key. A value that has changed meanwhile stays."""

    answer: ClassVar[type] = bool

    keys: tuple[Resealed, ...] = ()
    hooks: tuple[Resealed, ...] = ()
    passwords: tuple[Resealed, ...] = ()

    def needs(self) -> Needs:
        """The rows."""
        for one in self.keys:
            yield ACCESS_KEYS, (one.id,)
        for one in self.hooks:
            yield SUBSCRIPTIONS, (one.id,)
        for one in self.passwords:
            yield PASSWORDS, (one.id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write them."""
        for one in self.keys:
            key = draft.get(ACCESS_KEYS, one.id)
            if key is not None and key.sealed == one.was:
                draft.put(ACCESS_KEYS, msgspec.structs.replace(key, sealed=one.now))
        for one in self.hooks:
            hook = draft.get(SUBSCRIPTIONS, one.id)
            if hook is not None and (hook.sealed, hook.sealed_before) == (one.was, one.was_before):
                draft.put(SUBSCRIPTIONS, msgspec.structs.replace(hook, sealed=one.now, sealed_before=one.now_before))
        for one in self.passwords:
            password = draft.get(PASSWORDS, one.id)
            if password is not None and password.totp == one.was:
                draft.put(PASSWORDS, msgspec.structs.replace(password, totp=one.now))
        return True


class EndTurning(Command, frozen=True, kw_only=True):
    """Record that no value is sealed under the former master key any more. Returns True."""

    answer: ClassVar[type] = bool

    was: str
    past: str

    def needs(self) -> Needs:
        """The metadata rows."""
        yield METADATA, (BEFORE_KEY,)
        yield METADATA, (PAST_KEYS,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002
        """Write it, once."""
        if value_of(draft, BEFORE_KEY) == self.was:
            draft.put(METADATA, StoreMetadata(BEFORE_KEY, ""))
            draft.put(METADATA, StoreMetadata(PAST_KEYS, self.past))
        return True


def value_of(draft: Draft, name: str) -> str:
    """Return the value of a metadata row; empty if it does not exist."""
    fact = draft.get(METADATA, name)
    return "" if fact is None else fact.value
