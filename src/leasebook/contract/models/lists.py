"""Lists of sets of models: a set in a list, and the pages."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from leasebook.contract.shapes import (
    MAKER_NAMED,
    TAGGED,
    TAGS_WANTED,
    Marker,
    PageInfo,
    PageSize,
    Request,
    Shape,
    TagFilter,
    Text,
)

SetName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Source = Literal["UserCreate", "System"]
SourceAsked = Literal["UserCreate", "System", "Custom"]
SOURCE_MEANS: Final = "UserCreate: the account's own. System: everybody's."


class DescribeSomeModelSetsRequest(Request, kw_only=True):
    """List the sets of one source, a page at a time."""

    marker: Annotated[
        Marker | None, Meta(description="The nextMarker of the page before, or the id of a set to begin after.")
    ] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 10 where it is left out, 100 at most whatever is asked.")
    ] = None
    page_reverse: Annotated[bool | None, Meta(description="Newest first.")] = None
    name: Annotated[Text | None, Meta(description="Only sets with this in their name.")] = None
    tags: Annotated[TagFilter | None, Meta(description=TAGS_WANTED)] = None


class DescribeModelSetsRequest(DescribeSomeModelSetsRequest, kw_only=True):
    """List the sets that the account sees, a page at a time: its own and everybody's, or those of one source."""

    source: Annotated[
        SourceAsked | None,
        Meta(
            description=(
                "Only the account's own (UserCreate; Custom is an older name of it) or everybody's (System); "
                "left out: both."
            )
        ),
    ] = None


class ModelSetRow(Shape, kw_only=True):
    """A set in a list."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_set_name: Annotated[str, Meta(description="The set's name for people.")]
    model_type: Annotated[str, Meta(description="The task of its models as it was given, or Text2Text.")]
    source: Annotated[Source, Meta(description=SOURCE_MEANS)]
    labels: Annotated[list[str], Meta(description="The words that it was given.")]
    description: Annotated[str, Meta(description="Free text.")]
    creator: Annotated[str, Meta(description="The user who added it.")]
    creator_name: Annotated[str | None, Meta(description=MAKER_NAMED)] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    modify_time: Annotated[str, Meta(description="When it was made, or a version was last added or deleted.")]
    model_ids: Annotated[list[str], Meta(description="Its versions, in the order in which they were added.")]
    model_names: Annotated[
        list[str], Meta(description="Their numbers in the set, in the same order: V1, V2 and so on.")
    ]
    models_count: Annotated[int, Meta(description="How many versions it has.")]
    model_count: Annotated[int, Meta(description="The same as modelsCount, as the documents spell it.")]
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


class ModelSetPage(Shape, kw_only=True):
    """A page of sets. ``nextMarker`` is present while more follow."""

    model_set_list: Annotated[list[ModelSetRow], Meta(description="The sets.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    marker: Annotated[str | None, Meta(description="The marker that was given.")] = None
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None
    page_info: Annotated[PageInfo, Meta(description="The same, as the documents have it.")]


class CustomModelSetPage(ModelSetPage, kw_only=True):
    """A page of the account's own sets. ``nextMarker`` is present while more follow."""

    custom_model_set_list: Annotated[list[ModelSetRow], Meta(description="The sets; modelSetList has the same.")]


class SystemModelSetPage(ModelSetPage, kw_only=True):
    """A page of everybody's sets. ``nextMarker`` is present while more follow."""

    system_model_set_list: Annotated[list[ModelSetRow], Meta(description="The sets; modelSetList has the same.")]
