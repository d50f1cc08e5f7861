"""Methods of the clients: tags. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from typing import Final, Required, TypedDict, Unpack

from leasebook.client.caller import ActionOf, AsyncCaller, Caller
from leasebook.client.shapes.resource.tags import ResourceTagsDetail, ResourceTagsList


class TagResource(TypedDict, total=False):
    """Parameters of ``tag_resource``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    resource_id: Required[str]
    """The id of an instance, of quota, a package, a service, a model set or version, a service key or a subscription.
    """

    tags: Required[dict[str, str]]
    """The tags to set, each key with its value."""


TAG_RESOURCE: Final[ActionOf[ResourceTagsDetail]] = ActionOf(
    "/v2/tag", "TagResource", TagResource, ResourceTagsDetail, writes=True
)


class UntagResource(TypedDict, total=False):
    """Parameters of ``untag_resource``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    resource_id: Required[str]
    """The id of an instance, of quota, a package, a service, a model set or version, a service key or a subscription.
    """

    tag_keys: Required[list[str]]
    """The keys to take off."""


UNTAG_RESOURCE: Final[ActionOf[ResourceTagsDetail]] = ActionOf(
    "/v2/tag", "UntagResource", UntagResource, ResourceTagsDetail, writes=True
)


class RenameResource(TypedDict, total=False):
    """Parameters of ``rename_resource``."""

    client_token: str | None
    """Makes the request safe to repeat; the same as the query parameter, which goes before it."""

    resource_id: Required[str]
    """The id of an instance, of quota, a package or a subscription."""

    name: str | None
    """The name; null or left out: none. Several things may have the same."""


RENAME_RESOURCE: Final[ActionOf[ResourceTagsDetail]] = ActionOf(
    "/v2/tag", "RenameResource", RenameResource, ResourceTagsDetail, writes=True
)


class DescribeTags(TypedDict, total=False):
    """Parameters of ``describe_tags``."""

    account_id: str | list[str] | None
    """Another account, a list of accounts, or `*` for all of them; the caller's where it is left out. To name others
    takes one of the policies over every account. Rows then say whose they are; of an event its source does.
    """

    resource_ids: Required[list[str]]
    """Their ids, of any kinds, at most 100."""


DESCRIBE_TAGS: Final[ActionOf[ResourceTagsList]] = ActionOf(
    "/v2/tag", "DescribeTags", DescribeTags, ResourceTagsList, writes=False
)


class TagsMethods(Caller):
    """Methods of a client that waits for its answers."""

    def tag_resource(self, **request: Unpack[TagResource]) -> ResourceTagsDetail:
        """Set tags of something that was bought or made.

        ``/v2/tag?Action=TagResource``
        """
        return self._call(TAG_RESOURCE, request)

    def untag_resource(self, **request: Unpack[UntagResource]) -> ResourceTagsDetail:
        """Take tags off something that was bought or made.

        ``/v2/tag?Action=UntagResource``
        """
        return self._call(UNTAG_RESOURCE, request)

    def rename_resource(self, **request: Unpack[RenameResource]) -> ResourceTagsDetail:
        """Give something that was bought or made another name, or none.

        ``/v2/tag?Action=RenameResource``
        """
        return self._call(RENAME_RESOURCE, request)

    def describe_tags(self, **request: Unpack[DescribeTags]) -> ResourceTagsList:
        """Show the names and tags of things by their ids.

        ``/v2/tag?Action=DescribeTags``
        """
        return self._call(DESCRIBE_TAGS, request)


class AsyncTagsMethods(AsyncCaller):
    """Methods of a client whose answers are awaited."""

    async def tag_resource(self, **request: Unpack[TagResource]) -> ResourceTagsDetail:
        """Set tags of something that was bought or made.

        ``/v2/tag?Action=TagResource``
        """
        return await self._call(TAG_RESOURCE, request)

    async def untag_resource(self, **request: Unpack[UntagResource]) -> ResourceTagsDetail:
        """Take tags off something that was bought or made.

        ``/v2/tag?Action=UntagResource``
        """
        return await self._call(UNTAG_RESOURCE, request)

    async def rename_resource(self, **request: Unpack[RenameResource]) -> ResourceTagsDetail:
        """Give something that was bought or made another name, or none.

        ``/v2/tag?Action=RenameResource``
        """
        return await self._call(RENAME_RESOURCE, request)

    async def describe_tags(self, **request: Unpack[DescribeTags]) -> ResourceTagsList:
        """Show the names and tags of things by their ids.

        ``/v2/tag?Action=DescribeTags``
        """
        return await self._call(DESCRIBE_TAGS, request)
