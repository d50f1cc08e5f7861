"""Names and tags, and the actions that change them."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import TAG, read, write
from leasebook.contract.shapes import (
    AcrossRequest,
    Id,
    Ids,
    Owned,
    Request,
    ResourceName,
    Shape,
    TagKey,
    Tags,
)

_RESOURCE: Final = (
    "The id of an instance, of quota, a package, a service, a model set or version, a service key or a subscription."
)


class TagResourceRequest(Request, kw_only=True):
    """Give something tags. Tags of other keys stay as they are."""

    resource_id: Annotated[Id, Meta(description=_RESOURCE)]
    tags: Annotated[Tags, Meta(description="The tags to set, each key with its value.")]


class UntagResourceRequest(Request, kw_only=True):
    """Take tags off something. Keys that it does not have are no mistake."""

    resource_id: Annotated[Id, Meta(description=_RESOURCE)]
    tag_keys: Annotated[
        Annotated[list[TagKey], Meta(min_length=1, max_length=50)], Meta(description="The keys to take off.")
    ]


class RenameResourceRequest(Request, kw_only=True):
    """Give something another name, or none. Services, model sets, versions and service keys keep their own names."""

    resource_id: Annotated[Id, Meta(description="The id of an instance, of quota, a package or a subscription.")]
    name: Annotated[
        ResourceName | None, Meta(description="The name; null or left out: none. Several things may have the same.")
    ] = None


class DescribeTagsRequest(AcrossRequest, kw_only=True):
    """Ask for the names and tags of some things."""

    resource_ids: Annotated[Ids, Meta(description="Their ids, of any kinds, at most 100.")]


class ResourceTagsDetail(Owned, kw_only=True):
    """The name and the tags of something."""

    resource_id: Annotated[str, Meta(description="Its id.")]
    name: Annotated[str | None, Meta(description="Its name, where it was given one.")] = None
    tags: Annotated[dict[str, str], Meta(description="Its tags, by key.")]


class ResourceTagsList(Shape, kw_only=True):
    """Names and tags, in the order of the request. Things without either are left out, and those of other accounts."""

    resource_tags: Annotated[list[ResourceTagsDetail], Meta(description="The names and tags.")]


_TAGGED: Final = {"resourceId": "unit-xxx", "name": "training", "tags": {"project": "atlas", "team": "vision"}}

TAGS: Final = (
    write(
        TAG,
        "TagResource",
        "tag_resource",
        TagResourceRequest,
        ResourceTagsDetail,
        "Set tags of something that was bought or made.",
        errors=(e.TAG_POLICY_NOT_MET,),
        example={"resourceId": "unit-xxx", "tags": {"project": "atlas", "team": "vision"}},
        answer=_TAGGED,
    ),
    write(
        TAG,
        "UntagResource",
        "untag_resource",
        UntagResourceRequest,
        ResourceTagsDetail,
        "Take tags off something that was bought or made.",
        errors=(e.TAG_POLICY_NOT_MET,),
        example={"resourceId": "unit-xxx", "tagKeys": ["cost-center"]},
        answer=_TAGGED,
    ),
    write(
        TAG,
        "RenameResource",
        "rename_resource",
        RenameResourceRequest,
        ResourceTagsDetail,
        "Give something that was bought or made another name, or none.",
        errors=(e.OPERATION_NOT_SUPPORTED,),
        example={"resourceId": "unit-xxx", "name": "training"},
        answer={"resourceId": "unit-xxx", "name": "training", "tags": {}},
    ),
    read(
        TAG,
        "DescribeTags",
        "describe_tags",
        DescribeTagsRequest,
        ResourceTagsList,
        "Show the names and tags of things by their ids.",
        across=p.FLEET_READERS,
        example={"resourceIds": ["unit-xxx"]},
        answer={"resourceTags": [_TAGGED]},
    ),
)
