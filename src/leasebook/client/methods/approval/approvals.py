"""Methods of the clients: approvals. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final, Literal, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.approval.approvals import ApprovalDetail, ApprovalPage


class DescribeApprovals(TypedDict, total=False):
    """Parameters of ``describe_approvals``."""

    status: Literal["Open", "Approved", "Rejected", "Lapsed"] | None
    """Only those of this status: Open ones wait. All of them where it is left out."""

    mine: bool | None
    """Only those that the caller asked for."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """


DESCRIBE_APPROVALS: Final[ActionOf[ApprovalPage]] = ActionOf(
    "/v2/account", "DescribeApprovals", DescribeApprovals, ApprovalPage, writes=False
)


class ApprovePurchase(TypedDict, total=False):
    """Parameters of ``approve_purchase``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    approval_id: Required[str]
    """The request."""


APPROVE_PURCHASE: Final[ActionOf[ApprovalDetail]] = ActionOf(
    "/v2/account", "ApprovePurchase", ApprovePurchase, ApprovalDetail, writes=True
)


class RejectPurchase(TypedDict, total=False):
    """Parameters of ``reject_purchase``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    approval_id: Required[str]
    """The request."""

    reason: Required[str]
    """A sentence for the user who asked: the event and the list of requests show it."""


REJECT_PURCHASE: Final[ActionOf[ApprovalDetail]] = ActionOf(
    "/v2/account", "RejectPurchase", RejectPurchase, ApprovalDetail, writes=True
)


class ApprovalsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_approvals(self, **request: Unpack[DescribeApprovals]) -> ApprovalPage:
        """List the purchases that wait for an approval, or waited for one.

        ``/v2/account?Action=DescribeApprovals``
        """
        return self._call(DESCRIBE_APPROVALS, request)

    def each_of_approvals(self, **request: Unpack[DescribeApprovals]) -> Iterator[ApprovalDetail]:
        """Go over the rows of every page of ``describe_approvals``."""
        return self._each(DESCRIBE_APPROVALS, request, "approvals")

    def approve_purchase(self, **request: Unpack[ApprovePurchase]) -> ApprovalDetail:
        """Approve a purchase that waits, and make it.

        ``/v2/account?Action=ApprovePurchase``
        """
        return self._call(APPROVE_PURCHASE, request)

    def reject_purchase(self, **request: Unpack[RejectPurchase]) -> ApprovalDetail:
        """Reject a purchase that waits.

        ``/v2/account?Action=RejectPurchase``
        """
        return self._call(REJECT_PURCHASE, request)


class AsyncApprovalsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_approvals(self, **request: Unpack[DescribeApprovals]) -> ApprovalPage:
        """List the purchases that wait for an approval, or waited for one.

        ``/v2/account?Action=DescribeApprovals``
        """
        return await self._call(DESCRIBE_APPROVALS, request)

    def each_of_approvals(self, **request: Unpack[DescribeApprovals]) -> AsyncIterator[ApprovalDetail]:
        """Go over the rows of every page of ``describe_approvals``."""
        return self._each(DESCRIBE_APPROVALS, request, "approvals")

    async def approve_purchase(self, **request: Unpack[ApprovePurchase]) -> ApprovalDetail:
        """Approve a purchase that waits, and make it.

        ``/v2/account?Action=ApprovePurchase``
        """
        return await self._call(APPROVE_PURCHASE, request)

    async def reject_purchase(self, **request: Unpack[RejectPurchase]) -> ApprovalDetail:
        """Reject a purchase that waits.

        ``/v2/account?Action=RejectPurchase``
        """
        return await self._call(REJECT_PURCHASE, request)
