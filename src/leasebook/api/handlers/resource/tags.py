"""Names and tags."""

from __future__ import annotations

from typing import Final

from leasebook.api.across import Owners, accounts_meant, owners_of
from leasebook.api.context import Call, Context, Operation
from leasebook.api.fault import refused
from leasebook.api.presenters import tags as present
from leasebook.contract.nouns.resource import tags as t
from leasebook.domain.commands.account.tags import ChangeTags
from leasebook.domain.values.refusal import Refusal
from leasebook.domain.values.resource_tags import ResourceTags, read_keys, read_name, read_tags
from leasebook.ports.queries.read_repository import ReadRepository


async def tag_resource(context: Context, call: Call[t.TagResourceRequest]) -> t.ResourceTagsDetail:
    """Set tags."""
    try:
        put = read_tags(call.request.tags)
    except Refusal as refusal:
        raise refused(refusal) from None
    command = ChangeTags(
        token=call.token(), account_id=call.caller.account_id, resource_id=call.request.resource_id, put=put
    )
    done: ResourceTags = await context.submit(call, command)
    return present.detail(done)


async def untag_resource(context: Context, call: Call[t.UntagResourceRequest]) -> t.ResourceTagsDetail:
    """Take tags off."""
    try:
        take = read_keys(call.request.tag_keys)
    except Refusal as refusal:
        raise refused(refusal) from None
    command = ChangeTags(
        token=call.token(), account_id=call.caller.account_id, resource_id=call.request.resource_id, take=take
    )
    done: ResourceTags = await context.submit(call, command)
    return present.detail(done)


async def rename_resource(context: Context, call: Call[t.RenameResourceRequest]) -> t.ResourceTagsDetail:
    """Give another name, or none."""
    try:
        name = read_name(call.request.name)
    except Refusal as refusal:
        raise refused(refusal) from None
    command = ChangeTags(
        token=call.token(),
        account_id=call.caller.account_id,
        resource_id=call.request.resource_id,
        renames=True,
        name=name,
    )
    done: ResourceTags = await context.submit(call, command)
    return present.detail(done)


async def describe_tags(context: Context, call: Call[t.DescribeTagsRequest]) -> t.ResourceTagsList:
    """Show names and tags."""
    ids, meant = tuple(dict.fromkeys(call.request.resource_ids)), accounts_meant(call)

    def look(ask: ReadRepository) -> tuple[list[ResourceTags], Owners]:
        meant.require(ask)
        found = ask.tags_of(ids)
        rows = [found[one] for one in ids if one in found and meant.has(found[one].account_id) and found[one].entries]
        return rows, owners_of(ask, meant, [row.account_id for row in rows])

    rows, owners = await context.read(call, look)
    return t.ResourceTagsList(resource_tags=[owners.mark(present.detail(row), row.account_id) for row in rows])


OPERATIONS: Final[dict[str, Operation]] = {
    "tag_resource": tag_resource,
    "untag_resource": untag_resource,
    "rename_resource": rename_resource,
    "describe_tags": describe_tags,
}
