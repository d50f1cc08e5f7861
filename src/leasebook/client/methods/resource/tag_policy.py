"""Methods of the clients: tag policy. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.tag_policy import TagPolicyChange, TagPolicyChanged, TagPolicyDetail


class SetTagPolicy(TypedDict, total=False):
    """Parameters of ``set_tag_policy``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    policy: Required[TagPolicyChange | None]
    """The changes. Null clears the policy."""

    replace: bool | None
    """Whether parts that are not named are cleared; absent or false: they stay."""

    account_id: str | None
    """The account; the caller's where it is left out."""


SET_TAG_POLICY: Final[ActionOf[TagPolicyChanged]] = ActionOf(
    "/v2/account", "SetTagPolicy", SetTagPolicy, TagPolicyChanged, writes=True
)


class DescribeTagPolicy(TypedDict, total=False):
    """Parameters of ``describe_tag_policy``."""

    account_id: str | None
    """Another account, for which it takes one of the policies over every account; the caller's where it is left out."""


DESCRIBE_TAG_POLICY: Final[ActionOf[TagPolicyDetail]] = ActionOf(
    "/v2/account", "DescribeTagPolicy", DescribeTagPolicy, TagPolicyDetail, writes=False
)


class TagPolicyMethods(Caller):
    """Methods of a client that waits for its answers."""

    def set_tag_policy(self, **request: Unpack[SetTagPolicy]) -> TagPolicyChanged:
        """Say which tags everything needs that is bought or made in an account, and which values tags may have.

        ``/v2/account?Action=SetTagPolicy``
        """
        return self._call(SET_TAG_POLICY, request)

    def describe_tag_policy(self, **request: Unpack[DescribeTagPolicy]) -> TagPolicyDetail:
        """Show which tags an account requires, and which values they may have.

        ``/v2/account?Action=DescribeTagPolicy``
        """
        return self._call(DESCRIBE_TAG_POLICY, request)


class AsyncTagPolicyMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def set_tag_policy(self, **request: Unpack[SetTagPolicy]) -> TagPolicyChanged:
        """Say which tags everything needs that is bought or made in an account, and which values tags may have.

        ``/v2/account?Action=SetTagPolicy``
        """
        return await self._call(SET_TAG_POLICY, request)

    async def describe_tag_policy(self, **request: Unpack[DescribeTagPolicy]) -> TagPolicyDetail:
        """Show which tags an account requires, and which values they may have.

        ``/v2/account?Action=DescribeTagPolicy``
        """
        return await self._call(DESCRIBE_TAG_POLICY, request)
