"""What an account's reminders look like."""

from __future__ import annotations

from typing import Annotated

import msgspec

from leasebook.contract.nouns.instance import Id, Request, Shape

Before = Annotated[int, msgspec.Meta(ge=60, le=90 * 86400)]
"""Seconds before a release or an expiry: from a minute to ninety days."""


class SetRemindersRequest(Request, kw_only=True):
    """Remind the account so long before a release or an expiry; empty: not at all. An operator may name another."""

    before_seconds: Annotated[list[Before], msgspec.Meta(max_length=8)]
    account_id: Id | None = None


class DescribeRemindersRequest(Request, kw_only=True):
    """Show when the account is reminded. An operator may name another account."""

    account_id: Id | None = None


class RemindersDetail(Shape, kw_only=True):
    """When an account is reminded of a release or an expiry, the earliest first."""

    account_id: str
    before_seconds: list[int]
