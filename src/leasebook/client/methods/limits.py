"""Methods of the clients: limits. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.account import AccountDetail
from leasebook.client.shapes.limits import GuardRailsChange, GuardRailsChanged, GuardRailsDetail


class SetGuardRails(TypedDict, total=False):
    """Parameters of ``set_guard_rails``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    limits: Required[GuardRailsChange | None]
    """The changes. Null clears all limits."""

    replace: bool | None
    """Whether limits that are not named are cleared; absent or false: they stay."""

    account_id: str | None
    """The account; the caller's where it is left out."""


SET_GUARD_RAILS: Final[ActionOf[GuardRailsChanged]] = ActionOf(
    "/v2/account", "SetGuardRails", SetGuardRails, GuardRailsChanged, writes=True
)


class DescribeGuardRails(TypedDict, total=False):
    """Parameters of ``describe_guard_rails``."""

    account_id: str | None
    """The account; the caller's where it is left out."""


DESCRIBE_GUARD_RAILS: Final[ActionOf[GuardRailsDetail]] = ActionOf(
    "/v2/account", "DescribeGuardRails", DescribeGuardRails, GuardRailsDetail, writes=False
)


class SuspendAccount(TypedDict, total=False):
    """Parameters of ``suspend_account``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    account_id: Required[str]
    """The account."""

    reason: Required[str]
    """A sentence for the account: refusals, events and answers show it."""


SUSPEND_ACCOUNT: Final[ActionOf[AccountDetail]] = ActionOf(
    "/v2/iam", "SuspendAccount", SuspendAccount, AccountDetail, writes=True
)


class ResumeAccount(TypedDict, total=False):
    """Parameters of ``resume_account``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    account_id: Required[str]
    """The account."""


RESUME_ACCOUNT: Final[ActionOf[AccountDetail]] = ActionOf(
    "/v2/iam", "ResumeAccount", ResumeAccount, AccountDetail, writes=True
)


class CloseAccount(TypedDict, total=False):
    """Parameters of ``close_account``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    account_id: Required[str]
    """The account."""

    pay_out: bool
    """Pay back the rest of the balance; without it an account with money stays open."""

    write_off: bool
    """Give up what the account owes; without it an account in debt stays open."""


CLOSE_ACCOUNT: Final[ActionOf[AccountDetail]] = ActionOf(
    "/v2/iam", "CloseAccount", CloseAccount, AccountDetail, writes=True
)


class LimitsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def set_guard_rails(self, **request: Unpack[SetGuardRails]) -> GuardRailsChanged:
        """Limit what an account and its users hold and spend, and how long postpaid units live.

        ``/v2/account?Action=SetGuardRails``
        """
        return self._call(SET_GUARD_RAILS, request)

    def describe_guard_rails(self, **request: Unpack[DescribeGuardRails]) -> GuardRailsDetail:
        """Show an account's limits, and how much of them is used.

        ``/v2/account?Action=DescribeGuardRails``
        """
        return self._call(DESCRIBE_GUARD_RAILS, request)

    def suspend_account(self, **request: Unpack[SuspendAccount]) -> AccountDetail:
        """Let nothing more be bought or made in an account.

        ``/v2/iam?Action=SuspendAccount``
        """
        return self._call(SUSPEND_ACCOUNT, request)

    def resume_account(self, **request: Unpack[ResumeAccount]) -> AccountDetail:
        """End an account's suspension.

        ``/v2/iam?Action=ResumeAccount``
        """
        return self._call(RESUME_ACCOUNT, request)

    def close_account(self, **request: Unpack[CloseAccount]) -> AccountDetail:
        """Close an account for ever; its books stay.

        ``/v2/iam?Action=CloseAccount``
        """
        return self._call(CLOSE_ACCOUNT, request)


class AsyncLimitsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def set_guard_rails(self, **request: Unpack[SetGuardRails]) -> GuardRailsChanged:
        """Limit what an account and its users hold and spend, and how long postpaid units live.

        ``/v2/account?Action=SetGuardRails``
        """
        return await self._call(SET_GUARD_RAILS, request)

    async def describe_guard_rails(self, **request: Unpack[DescribeGuardRails]) -> GuardRailsDetail:
        """Show an account's limits, and how much of them is used.

        ``/v2/account?Action=DescribeGuardRails``
        """
        return await self._call(DESCRIBE_GUARD_RAILS, request)

    async def suspend_account(self, **request: Unpack[SuspendAccount]) -> AccountDetail:
        """Let nothing more be bought or made in an account.

        ``/v2/iam?Action=SuspendAccount``
        """
        return await self._call(SUSPEND_ACCOUNT, request)

    async def resume_account(self, **request: Unpack[ResumeAccount]) -> AccountDetail:
        """End an account's suspension.

        ``/v2/iam?Action=ResumeAccount``
        """
        return await self._call(RESUME_ACCOUNT, request)

    async def close_account(self, **request: Unpack[CloseAccount]) -> AccountDetail:
        """Close an account for ever; its books stay.

        ``/v2/iam?Action=CloseAccount``
        """
        return await self._call(CLOSE_ACCOUNT, request)
