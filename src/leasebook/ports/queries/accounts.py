"""Queries about several accounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from leasebook.domain.model.account import Account


class Across(msgspec.Struct, frozen=True):
    """Several accounts, or all of them (None), in the place of a filter's one."""

    ids: tuple[str, ...] | None


class AccountQuestions(Protocol):
    """Queries about several accounts, answered from committed rows."""

    def accounts_by_id(self, account_ids: Sequence[str]) -> dict[str, Account]:
        """Return accounts by id; those that do not exist are left out."""
        ...
