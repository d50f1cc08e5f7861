"""Methods of the clients: audit log. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Final, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.audit_log import AuditEntry, AuditLogPage, AuditProof, RefusedCallsDetail, RefusedCallsPage


class DescribeAuditLog(TypedDict, total=False):
    """Parameters of ``describe_audit_log``."""

    account_id: str | list[str] | None
    """The account that made the calls; the caller's where it is left out. An operator may name any account, a list of
    accounts, `*` for all of them, or an empty text for calls that no account is known for.
    """

    user_id: str | None
    """Only calls of this user, proved by a signature."""

    access_key_id: str | None
    """Only calls under this key, proved or not."""

    action: str | None
    """Only calls of this action."""

    code: str | None
    """Only calls with this verdict: OK, or an error code."""

    instance_id: str | None
    """Only calls that name this instance."""

    address: str | None
    """Only calls from this address."""

    start_time: datetime | str | None
    """Only calls from then on."""

    end_time: datetime | str | None
    """Only calls before then."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_AUDIT_LOG: Final[ActionOf[AuditLogPage]] = ActionOf(
    "/v2/account", "DescribeAuditLog", DescribeAuditLog, AuditLogPage, writes=False
)


class DescribeAuditProof(TypedDict, total=False):
    """Parameters of ``describe_audit_proof``."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_AUDIT_PROOF: Final[ActionOf[AuditProof]] = ActionOf(
    "/v2/account", "DescribeAuditProof", DescribeAuditProof, AuditProof, writes=False
)


class DescribeRefusedCalls(TypedDict, total=False):
    """Parameters of ``describe_refused_calls``."""

    address: str | None
    """Only calls from this address, as rows show it."""

    access_key_id: str | None
    """Only calls that name this key."""

    start_time: datetime | str | None
    """Only minutes from then on, on the machine's clock."""

    end_time: datetime | str | None
    """Only minutes before then, on the machine's clock."""

    marker: str | None
    """The nextMarker of the page before."""

    max_keys: int | None
    """Rows a page: 100 where it is left out, 1000 at most whatever is asked."""


DESCRIBE_REFUSED_CALLS: Final[ActionOf[RefusedCallsPage]] = ActionOf(
    "/v2/account", "DescribeRefusedCalls", DescribeRefusedCalls, RefusedCallsPage, writes=False
)


class AuditLogMethods(Caller):
    """Methods of a client that waits for its answers."""

    def describe_audit_log(self, **request: Unpack[DescribeAuditLog]) -> AuditLogPage:
        """List who called what from where, and what became of it, newest first.

        ``/v2/account?Action=DescribeAuditLog``
        """
        return self._call(DESCRIBE_AUDIT_LOG, request)

    def each_of_audit_log(self, **request: Unpack[DescribeAuditLog]) -> Iterator[AuditEntry]:
        """Go over the rows of every page of ``describe_audit_log``."""
        return self._each(DESCRIBE_AUDIT_LOG, request, "entries")

    def describe_audit_proof(self, **request: Unpack[DescribeAuditProof]) -> AuditProof:
        """Show the ends of the audit log's chains, and the receipts of removed pages.

        ``/v2/account?Action=DescribeAuditProof``
        """
        return self._call(DESCRIBE_AUDIT_PROOF, request)

    def describe_refused_calls(self, **request: Unpack[DescribeRefusedCalls]) -> RefusedCallsPage:
        """List how many calls were refused for their signature, by minute, address and access key.

        ``/v2/account?Action=DescribeRefusedCalls``
        """
        return self._call(DESCRIBE_REFUSED_CALLS, request)

    def each_of_refused_calls(self, **request: Unpack[DescribeRefusedCalls]) -> Iterator[RefusedCallsDetail]:
        """Go over the rows of every page of ``describe_refused_calls``."""
        return self._each(DESCRIBE_REFUSED_CALLS, request, "rows")


class AsyncAuditLogMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def describe_audit_log(self, **request: Unpack[DescribeAuditLog]) -> AuditLogPage:
        """List who called what from where, and what became of it, newest first.

        ``/v2/account?Action=DescribeAuditLog``
        """
        return await self._call(DESCRIBE_AUDIT_LOG, request)

    def each_of_audit_log(self, **request: Unpack[DescribeAuditLog]) -> AsyncIterator[AuditEntry]:
        """Go over the rows of every page of ``describe_audit_log``."""
        return self._each(DESCRIBE_AUDIT_LOG, request, "entries")

    async def describe_audit_proof(self, **request: Unpack[DescribeAuditProof]) -> AuditProof:
        """Show the ends of the audit log's chains, and the receipts of removed pages.

        ``/v2/account?Action=DescribeAuditProof``
        """
        return await self._call(DESCRIBE_AUDIT_PROOF, request)

    async def describe_refused_calls(self, **request: Unpack[DescribeRefusedCalls]) -> RefusedCallsPage:
        """List how many calls were refused for their signature, by minute, address and access key.

        ``/v2/account?Action=DescribeRefusedCalls``
        """
        return await self._call(DESCRIBE_REFUSED_CALLS, request)

    def each_of_refused_calls(self, **request: Unpack[DescribeRefusedCalls]) -> AsyncIterator[RefusedCallsDetail]:
        """Go over the rows of every page of ``describe_refused_calls``."""
        return self._each(DESCRIBE_REFUSED_CALLS, request, "rows")
