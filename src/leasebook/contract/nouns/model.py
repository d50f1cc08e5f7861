"""What requests and results look like, for the model repository."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from leasebook.contract.nouns.instance import Id, Paged, PagedRequest, Part, Request, Shape, Text

SetName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Marker = Annotated[str, msgspec.Meta(max_length=64)]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Source = Literal["Custom", "System"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
Word = Annotated[str, msgspec.Meta(max_length=32_768)]


class Run(Part, kw_only=True, omit_defaults=False):
    """How one replica is run: a command, or an image, or both (then the command runs in the image); or an application.

    ``{port}`` in the command and in values of ``env`` stands for the port that the replica must listen on, and the
    variable PORT has it too. With a ``port`` of null it listens on none, with 0 the port is chosen. It is well while
    ``healthPath`` is answered with a status from 200 to 399; without one, while the port takes connections.
    """

    is_ours: ClassVar[bool] = True

    command: Annotated[list[Word], msgspec.Meta(max_length=1000)] = msgspec.field(default_factory=list)
    image: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] | None = None
    env: Annotated[dict[str, Word], msgspec.Meta(max_length=200)] = msgspec.field(default_factory=dict)
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = 0
    health_path: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=4096)] | None = None
    memory_bytes: Annotated[int, msgspec.Meta(ge=2**20, le=2**53)] | None = None
    accelerators: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    grace_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    application: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    arguments: Annotated[dict[str, Word], msgspec.Meta(max_length=200)] = msgspec.field(default_factory=dict)
    connects: Annotated[list[Port], msgspec.Meta(max_length=64)] = msgspec.field(default_factory=list)


class CreateCustomModelSetRequest(Request, kw_only=True):
    """Add a set of models; with ``forEverybody``, which takes an operator, one that every account may use."""

    model_set_name: SetName
    description: Text | None = None
    for_everybody: bool | None = None


class CreatedModelSet(Shape, kw_only=True):
    """The new set."""

    model_set_id: str


class CreateCustomModelRequest(Request, kw_only=True):
    """Add a version to a set. How it is run never changes: another way is another version."""

    model_set_id: Id
    run: Run
    description: Text | None = None


class CreatedModel(Shape, kw_only=True):
    """The new version."""

    model_set_id: str
    model_id: str
    version: str


class DescribeModelSetsRequest(Request, kw_only=True):
    """List the sets that the account sees, a page at a time: its own and everybody's, or those of one source."""

    marker: Marker | None = None
    max_keys: PageSize | None = None
    page_reverse: bool | None = None
    name: Text | None = None
    source: Source | None = None


class DescribeSomeModelSetsRequest(Request, kw_only=True):
    """List the sets of one source, a page at a time."""

    marker: Marker | None = None
    max_keys: PageSize | None = None
    page_reverse: bool | None = None
    name: Text | None = None


class ModelSetRow(Shape, kw_only=True):
    """A set in a list."""

    model_set_id: str
    model_set_name: str
    source: Source
    description: str
    models_count: int
    creator: str
    create_time: str


class ModelSetPage(Shape, kw_only=True):
    """A page of sets. ``nextMarker`` stands there while more follow."""

    model_set_list: list[ModelSetRow]
    is_truncated: bool
    max_keys: int
    marker: str | None = None
    next_marker: str | None = None


class DescribeModelSetRequest(PagedRequest, kw_only=True):
    """Ask for one set and its versions."""

    model_set_id: Id


class ModelRow(Shape, kw_only=True):
    """A version in a list. ``approvedBy`` and ``approveTime`` stand there while it is trusted."""

    model_id: str
    version: str
    description: str
    trusted: bool
    approved_by: str | None = None
    approve_time: str | None = None
    withdraw_time: str | None = None
    services_count: int
    creator: str
    create_time: str


class ModelSetDetail(Paged, kw_only=True):
    """A set, and its versions in the order in which they were added."""

    model_set_id: str
    model_set_name: str
    source: Source
    description: str
    creator: str
    create_time: str
    model_list: list[ModelRow]


class DescribeModelRequest(Request, kw_only=True):
    """Ask for one version."""

    model_id: Id


class ModelDetail(Shape, kw_only=True):
    """A version, and how it is run, and whether an operator made or approved it."""

    model_set_id: str
    model_set_name: str
    model_id: str
    version: str
    source: Source
    description: str
    run: Run
    trusted: bool
    approved_by: str | None = None
    approve_time: str | None = None
    withdraw_time: str | None = None
    services_count: int
    creator: str
    create_time: str


class ModelRequest(Request, kw_only=True):
    """Name a version of any account."""

    model_id: Id


class DeleteModelRequest(Request, kw_only=True):
    """Take a version out that no service uses."""

    model_id: Id


class DeleteModelSetRequest(Request, kw_only=True):
    """Take out a set that has no versions left."""

    model_set_id: Id
