"""The model repository: sets of models, and their versions."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import MODEL, read, write
from leasebook.contract.shapes import Id, Marker, Paged, PagedRequest, PageSize, Part, Request, Shape, Text

SetName = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Source = Literal["Custom", "System"]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Argument = Annotated[str, Meta(max_length=32_768)]
ShortText = Annotated[str, Meta(min_length=1, max_length=256)]
Image = Annotated[str, Meta(min_length=1, max_length=512)]
PortOrChosen = Annotated[int, Meta(ge=0, le=65_535)]
Cpus = Annotated[float, Meta(gt=0, le=4096)]
MemoryBytes = Annotated[int, Meta(ge=2**20, le=2**53)]
VERSION_MEANS: Final = (
    "The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."
)


class Run(Part, kw_only=True, omit_defaults=False):
    """How to run one replica: a command, or an image, or both (then the command runs in the image); or an application.

    ``{port}`` in the command and in values of ``env`` is replaced by the port that the replica must listen on, and the
    variable PORT has it too. With a ``port`` of null it listens on none; with 0 the engine chooses the port. A replica
    is healthy while it answers ``healthPath`` with a status from 200 to 399; without that, while its port accepts
    connections.
    """

    is_ours: ClassVar[bool] = True

    command: Annotated[
        list[Argument],
        Meta(
            max_length=1000,
            description="The program and its arguments, a word each; {port} in a word is replaced by the port.",
        ),
    ] = msgspec.field(default_factory=list)
    image: Annotated[
        Image | None, Meta(description="The container image; null: the command runs on the machine itself.")
    ] = None
    env: Annotated[
        dict[str, Argument],
        Meta(
            max_length=200,
            description="Variables of the environment; {port} in a value is replaced by the port. PORT is always set.",
        ),
    ] = msgspec.field(default_factory=dict)
    port: Annotated[
        PortOrChosen | None, Meta(description="Where a replica listens: 0 lets the port be chosen, null means nowhere.")
    ] = 0
    health_path: Annotated[
        ShortText | None,
        Meta(description="Asked with GET to see whether a replica is well; null: whether the port takes connections."),
    ] = None
    cpus: Annotated[Cpus | None, Meta(description="How many processors' time a replica may use; null: no limit.")] = (
        None
    )
    memory_bytes: Annotated[
        MemoryBytes | None, Meta(description="How many bytes of memory a replica may use; null: no limit.")
    ] = None
    accelerators: Annotated[int, Meta(ge=0, le=1024, description="How many accelerators a replica has for itself.")] = 0
    grace_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long a replica has to end by itself when it is stopped.")
    ] = 10.0
    application: Annotated[
        ShortText | None,
        Meta(description="A Ray Serve application, as module:name; only the engine ray runs these."),
    ] = None
    arguments: Annotated[
        dict[str, Argument],
        Meta(max_length=200, description="The keyword arguments of the function that builds the application."),
    ] = msgspec.field(default_factory=dict)
    connects: Annotated[
        list[Port],
        Meta(
            max_length=64,
            description=(
                "TCP ports that a replica may connect to, on any host; to others it may not, where it is isolated."
            ),
        ),
    ] = msgspec.field(default_factory=list)


class CreateCustomModelSetRequest(Request, kw_only=True):
    """Add a set of models; with ``forEverybody``, which takes an operator, one that every account may use."""

    model_set_name: Annotated[SetName, Meta(description="The set's name for people.")]
    description: Annotated[Text | None, Meta(description="Free text.")] = None
    for_everybody: Annotated[
        bool | None, Meta(description="Whether every account is to see and use it; an operator's to say.")
    ] = None


class CreatedModelSet(Shape, kw_only=True):
    """The new set."""

    model_set_id: Annotated[str, Meta(description="The model.")]


class CreateCustomModelRequest(Request, kw_only=True):
    """Add a version to a set. How it is run never changes: another way is another version."""

    model_set_id: Annotated[Id, Meta(description="The model.")]
    run: Annotated[Run, Meta(description="How a replica is run: a command, an image, or both; or an application.")]
    description: Annotated[Text | None, Meta(description="Free text.")] = None


class CreatedModel(Shape, kw_only=True):
    """The new version."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]


class DescribeSomeModelSetsRequest(Request, kw_only=True):
    """List the sets of one source, a page at a time."""

    marker: Annotated[Marker | None, Meta(description="The nextMarker of the page before.")] = None
    max_keys: Annotated[
        PageSize | None, Meta(description="Rows a page: 10 where it is left out, 100 at most whatever is asked.")
    ] = None
    page_reverse: Annotated[bool | None, Meta(description="Newest first.")] = None
    name: Annotated[Text | None, Meta(description="Only sets with this in their name.")] = None


class DescribeModelSetsRequest(DescribeSomeModelSetsRequest, kw_only=True):
    """List the sets that the account sees, a page at a time: its own and everybody's, or those of one source."""

    source: Annotated[
        Source | None, Meta(description="Only the account's own (Custom) or everybody's (System); left out: both.")
    ] = None


class ModelSetRow(Shape, kw_only=True):
    """A set in a list."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_set_name: Annotated[str, Meta(description="The set's name for people.")]
    source: Annotated[Source, Meta(description="Custom: the account's own. System: everybody's.")]
    description: Annotated[str, Meta(description="Free text.")]
    models_count: Annotated[int, Meta(description="How many versions it has.")]
    creator: Annotated[str, Meta(description="The user who added it.")]
    create_time: Annotated[str, Meta(description="When it was made.")]


class ModelSetPage(Shape, kw_only=True):
    """A page of sets. ``nextMarker`` is present while more follow."""

    model_set_list: Annotated[list[ModelSetRow], Meta(description="The sets.")]
    is_truncated: Annotated[bool, Meta(description="Whether more rows follow.")]
    max_keys: Annotated[int, Meta(description="The rows a page that were used.")]
    marker: Annotated[str | None, Meta(description="The marker that was given.")] = None
    next_marker: Annotated[str | None, Meta(description="Give it as marker to get the page after this one.")] = None


class DescribeModelSetRequest(PagedRequest, kw_only=True):
    """Ask for one set and its versions."""

    model_set_id: Annotated[Id, Meta(description="The model.")]


class ModelRow(Shape, kw_only=True):
    """A version in a list. ``approvedBy`` and ``approveTime`` are present while it is trusted."""

    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]
    description: Annotated[str, Meta(description="Free text.")]
    trusted: Annotated[
        bool,
        Meta(
            description=(
                "Whether an operator made or approved it. Others run only where the engine keeps them apart completely."
            )
        ),
    ]
    approved_by: Annotated[str | None, Meta(description="The operator who made or approved the version.")] = None
    approve_time: Annotated[str | None, Meta(description="When an operator made or approved it.")] = None
    withdraw_time: Annotated[str | None, Meta(description="When an operator took its approval back.")] = None
    services_count: Annotated[int, Meta(description="How many services run it that are not deleted.")]
    creator: Annotated[str, Meta(description="The user who added it.")]
    create_time: Annotated[str, Meta(description="When it was made.")]


class ModelSetDetail(Paged, kw_only=True):
    """A set, and its versions in the order in which they were added."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_set_name: Annotated[str, Meta(description="The set's name for people.")]
    source: Annotated[Source, Meta(description="Custom: the account's own. System: everybody's.")]
    description: Annotated[str, Meta(description="Free text.")]
    creator: Annotated[str, Meta(description="The user who added it.")]
    create_time: Annotated[str, Meta(description="When it was made.")]
    model_list: Annotated[list[ModelRow], Meta(description="The versions, in the order in which they were added.")]


class DescribeModelRequest(Request, kw_only=True):
    """Ask for one version."""

    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]


class ModelDetail(Shape, kw_only=True):
    """A version, and how it is run, and whether an operator made or approved it."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_set_name: Annotated[str, Meta(description="The set's name for people.")]
    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]
    source: Annotated[Source, Meta(description="Custom: the account's own. System: everybody's.")]
    description: Annotated[str, Meta(description="Free text.")]
    run: Annotated[Run, Meta(description="How a replica is run.")]
    trusted: Annotated[
        bool,
        Meta(
            description=(
                "Whether an operator made or approved it. Others run only where the engine keeps them apart completely."
            )
        ),
    ]
    approved_by: Annotated[str | None, Meta(description="The operator who made or approved the version.")] = None
    approve_time: Annotated[str | None, Meta(description="When an operator made or approved it.")] = None
    withdraw_time: Annotated[str | None, Meta(description="When an operator took its approval back.")] = None
    services_count: Annotated[int, Meta(description="How many services run it that are not deleted.")]
    creator: Annotated[str, Meta(description="The user who added it.")]
    create_time: Annotated[str, Meta(description="When it was made.")]


class ModelRequest(Request, kw_only=True):
    """Name a version of any account."""

    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]


class DeleteModelRequest(Request, kw_only=True):
    """Take a version out that no service uses."""

    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]


class DeleteModelSetRequest(Request, kw_only=True):
    """Take out a set that has no versions left."""

    model_set_id: Annotated[Id, Meta(description="The model.")]


_DETAIL: Final = {
    "modelSetId": "am-q2w3e4r5t6y7",
    "modelSetName": "echo",
    "modelId": "amv-a1s2d3f4g5h6",
    "version": "V1",
    "source": "Custom",
    "description": "With the health check of its own.",
    "run": {
        "command": ["python", "-m", "leasebook.examples.echo", "--port", "{port}"],
        "image": None,
        "env": {"ECHO_NAME": "first"},
        "port": 0,
        "healthPath": "/health",
        "cpus": None,
        "memoryBytes": 268_435_456,
        "accelerators": 0,
        "graceSeconds": 10.0,
        "application": None,
        "arguments": {},
        "connects": [],
    },
    "servicesCount": 0,
    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "createTime": "2026-11-30T06:13:45+08:00",
}
_APPROVED: Final = {
    **_DETAIL,
    "trusted": True,
    "approvedBy": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "approveTime": "2026-11-30T07:18:45+08:00",
}
_OWN_SETS: Final = {
    "modelSetList": [
        {
            "modelSetId": "am-q2w3e4r5t6y7",
            "modelSetName": "echo",
            "source": "Custom",
            "description": "Answers with the text of the request.",
            "modelsCount": 1,
            "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
            "createTime": "2026-11-30T06:13:45+08:00",
        }
    ],
    "isTruncated": False,
    "maxKeys": 10,
}

ACTIONS: Final = (
    write(
        MODEL,
        "CreateCustomModelSet",
        "create_model_set",
        CreateCustomModelSetRequest,
        CreatedModelSet,
        "Add a set of models, which gets versions then.",
        policies=p.MODEL_WRITERS | p.OPERATORS,
        errors=(e.QUOTA_EXCEEDED,),
        example={"modelSetName": "echo", "description": "Answers with the text of the request."},
        answer={"modelSetId": "am-1nuuxxk651u2"},
    ),
    write(
        MODEL,
        "CreateCustomModel",
        "create_model",
        CreateCustomModelRequest,
        CreatedModel,
        "Add a version to a set of models, and say how a replica of it is run.",
        policies=p.MODEL_WRITERS | p.OPERATORS,
        errors=(e.QUOTA_EXCEEDED,),
        example={
            "modelSetId": "am-q2w3e4r5t6y7",
            "description": "With the health check of its own.",
            "run": {
                "command": ["python", "-m", "leasebook.examples.echo", "--port", "{port}"],
                "env": {"ECHO_NAME": "first"},
                "healthPath": "/health",
                "memoryBytes": 268_435_456,
            },
        },
        answer={"modelSetId": "am-q2w3e4r5t6y7", "modelId": "amv-t0pwbnkfa8dh", "version": "V2"},
    ),
    write(
        MODEL,
        "DeleteModel",
        "delete_model",
        DeleteModelRequest,
        bool,
        "Take a version out that no service uses.",
        policies=p.MODEL_WRITERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"modelId": "amv-a1s2d3f4g5h6"},
        answer=True,
    ),
    write(
        MODEL,
        "DeleteModelSet",
        "delete_model_set",
        DeleteModelSetRequest,
        bool,
        "Take out a set of models that has no versions left.",
        policies=p.MODEL_WRITERS | p.OPERATORS,
        errors=(e.INVALID_STATE,),
        example={"modelSetId": "am-n0v3r51o7s0x"},
        answer=True,
    ),
    read(
        MODEL,
        "DescribeModelSets",
        "describe_model_sets",
        DescribeModelSetsRequest,
        ModelSetPage,
        "List the sets of models that the account may use, a page at a time.",
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={"source": "Custom", "maxKeys": 10},
        answer=_OWN_SETS,
    ),
    read(
        MODEL,
        "DescribeCustomModelSets",
        "describe_custom_model_sets",
        DescribeSomeModelSetsRequest,
        ModelSetPage,
        "List the account's own sets of models, a page at a time.",
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={"name": "echo"},
        answer=_OWN_SETS,
    ),
    read(
        MODEL,
        "DescribeSystemModelSets",
        "describe_system_model_sets",
        DescribeSomeModelSetsRequest,
        ModelSetPage,
        "List the sets of models that every account may use, a page at a time.",
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={},
        answer={
            "modelSetList": [
                {
                    "modelSetId": "am-echo00000000",
                    "modelSetName": "echo",
                    "source": "System",
                    "description": "Answers with the text of the request, as JSON or as a stream of events.",
                    "modelsCount": 1,
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "createTime": "2026-11-30T06:13:45+08:00",
                }
            ],
            "isTruncated": False,
            "maxKeys": 10,
        },
    ),
    read(
        MODEL,
        "DescribeModelSet",
        "describe_model_set",
        DescribeModelSetRequest,
        ModelSetDetail,
        "Show a set of models and its versions.",
        policies=p.MODEL_READERS | p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={"modelSetId": "am-q2w3e4r5t6y7"},
        answer={
            "modelSetId": "am-q2w3e4r5t6y7",
            "modelSetName": "echo",
            "source": "Custom",
            "description": "Answers with the text of the request.",
            "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
            "createTime": "2026-11-30T06:13:45+08:00",
            "modelList": [
                {
                    "modelId": "amv-a1s2d3f4g5h6",
                    "version": "V1",
                    "description": "With the health check of its own.",
                    "trusted": True,
                    "approvedBy": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "approveTime": "2026-11-30T07:18:45+08:00",
                    "servicesCount": 0,
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "createTime": "2026-11-30T06:13:45+08:00",
                }
            ],
        },
    ),
    read(
        MODEL,
        "DescribeModel",
        "describe_model",
        DescribeModelRequest,
        ModelDetail,
        "Show a version of a model, and how it is run.",
        policies=p.MODEL_READERS | p.OPERATORS,
        example={"modelId": "amv-a1s2d3f4g5h6"},
        answer=_APPROVED,
    ),
    write(
        MODEL,
        "ApproveModel",
        "approve_model",
        ModelRequest,
        ModelDetail,
        "Let a version of any account run on engines that do not keep it apart, too.",
        policies=p.OPERATORS,
        example={"modelId": "amv-a1s2d3f4g5h6"},
        answer=_APPROVED,
    ),
    write(
        MODEL,
        "WithdrawModelApproval",
        "withdraw_model_approval",
        ModelRequest,
        ModelDetail,
        "Take an approval back, and end what runs of the version where it is not kept apart.",
        policies=p.OPERATORS,
        example={"modelId": "amv-a1s2d3f4g5h6"},
        answer={**_DETAIL, "trusted": False, "withdrawTime": "2026-11-30T07:18:45+08:00"},
    ),
)
"""By the names of the official clients where there are some."""
