"""The rename of a policy in stores from before the project was renamed; done once for each store."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.tables import METADATA, USERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.metadata import StoreMetadata
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.former_name import FORMER_OPERATOR
from leasebook.domain.values.rule_settings import Rules

NAME: Final = "name"
"""The metadata row with the project's name at the time when the store's policies were named."""
TODAY: Final = "leasebook"


class TakeNewName(Command, frozen=True, kw_only=True):
    """Rename the operator's policy of these users to ``operators``. Returns how many had the former name."""

    answer: ClassVar[type] = int

    user_ids: tuple[str, ...]
    operators: str

    def needs(self) -> Needs:
        """The users, and the store's record of its name."""
        yield METADATA, (NAME,)
        for user_id in self.user_ids:
            yield USERS, (user_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> int:  # noqa: ARG002
        """Raises no Refusal."""
        renamed = 0
        for user_id in self.user_ids:
            user = draft.require(USERS, user_id)
            if FORMER_OPERATOR in user.policies:
                policies = tuple(self.operators if name == FORMER_OPERATOR else name for name in user.policies)
                draft.put(USERS, msgspec.structs.replace(user, policies=policies))
                renamed += 1
        draft.put(METADATA, StoreMetadata(NAME, TODAY))
        return renamed
