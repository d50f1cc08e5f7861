"""The model repository: sets of models, and their versions."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta

from leasebook.contract import errors as e
from leasebook.contract import policies as p
from leasebook.contract.action import MODEL, MODEL_VERSION, read, write
from leasebook.contract.models.lists import (
    SOURCE_MEANS,
    CustomModelSetPage,
    DescribeModelSetsRequest,
    DescribeSomeModelSetsRequest,
    ModelSetPage,
    SetName,
    Source,
    SystemModelSetPage,
)
from leasebook.contract.models.run import Run
from leasebook.contract.models.version_detail import DescribeModelVersionRequest, ModelVersionDetail
from leasebook.contract.shapes import (
    MAKER_NAMED,
    TAGGED,
    TAGS_GIVEN,
    Id,
    Paged,
    PagedRequest,
    Request,
    Shape,
    TagFilter,
    Tags,
    Text,
)

ShortWord = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^\\x00]*$")]
Labels = Annotated[list[ShortWord], Meta(max_length=100)]
VERSION_MEANS: Final = (
    "The version of the model. Where the repository has it, replicas of it are run; otherwise only counted."
)


class CreateCustomModelSetRequest(Request, kw_only=True):
    """Add a set of models; with ``forEverybody``, which takes an operator, one that every account may use."""

    model_set_name: Annotated[SetName, Meta(description="The set's name for people.")]
    description: Annotated[Text | None, Meta(description="Free text.")] = None
    model_type: Annotated[
        ShortWord | None,
        Meta(description="The task of its models, such as Text2Text or Text2Image; kept and shown only."),
    ] = None
    labels: Annotated[Labels | None, Meta(description="Words of your own; kept and shown.")] = None
    for_everybody: Annotated[
        bool | None, Meta(description="Whether every account is to see and use it; an operator's to say.")
    ] = None
    tags: Annotated[Tags | None, Meta(description=f"{TAGS_GIVEN} A set for everybody has none.")] = None


class CreatedModelSet(Shape, kw_only=True):
    """The new set."""

    model_set_id: Annotated[str, Meta(description="The model.")]


class CreateCustomModelRequest(Request, kw_only=True):
    """Add a version to a set. How it is run never changes: another way is another version.

    ``run`` is an addition of ours. A version without it says where the model comes from (``sourceType``); it is kept,
    and no engine runs it.
    """

    model_set_id: Annotated[Id, Meta(description="The model.")]
    run: Annotated[
        Run | None,
        Meta(
            description=(
                "How a replica is run: a command, an image, or both; or an application. Required unless sourceType is "
                "given."
            )
        ),
    ] = None
    source_type: Annotated[
        ShortWord | None, Meta(description="Where the model comes from: Import or Train; kept and shown.")
    ] = None
    import_meta: Annotated[
        dict[str, Any] | None, Meta(description="The origin of an imported model, with sourceType Import; kept unread.")
    ] = None
    train_meta: Annotated[
        dict[str, Any] | None, Meta(description="The training of the model, with sourceType Train; kept unread.")
    ] = None
    description: Annotated[Text | None, Meta(description="Free text.")] = None
    tags: Annotated[Tags | None, Meta(description=f"{TAGS_GIVEN} A version of everybody's set has none.")] = None


class CreatedModel(Shape, kw_only=True):
    """The new version."""

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]


class DescribeModelSetRequest(PagedRequest, kw_only=True):
    """Ask for one set and its versions, by its id or by its name; where both are given the id counts."""

    model_set_id: Annotated[Id | None, Meta(description="The model; required unless modelSetName is given.")] = None
    model_set_name: Annotated[
        SetName | None,
        Meta(
            description=(
                "The set's name. Of several the account's own counts before everybody's, and the oldest before others."
            )
        ),
    ] = None
    tags: Annotated[TagFilter | None, Meta(description="Of its versions those with all of these tags.")] = None


class ModelRow(Shape, kw_only=True):
    """A version in a list.

    ``sourceType`` is present where it was given, ``approvedBy`` and ``approveTime`` while it is trusted.
    """

    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]
    description: Annotated[str, Meta(description="Free text.")]
    runnable: Annotated[bool, Meta(description="Whether it has a run block, so that an engine can run it.")]
    source_type: Annotated[str | None, Meta(description="The sourceType that was given.")] = None
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
    creator_name: Annotated[str | None, Meta(description=MAKER_NAMED)] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


class ModelSetDetail(Paged, kw_only=True):
    """A set, and its versions in the order in which they were added."""

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
    model_list: Annotated[list[ModelRow], Meta(description="The versions, in the order in which they were added.")]
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


class DescribeModelRequest(Request, kw_only=True):
    """Ask for one version."""

    model_id: Annotated[Id, Meta(description=VERSION_MEANS)]


class ModelDetail(Shape, kw_only=True):
    """A version, and how it is run, and whether an operator made or approved it.

    ``run`` is left out of a version that only says where the model comes from.
    """

    model_set_id: Annotated[str, Meta(description="The model.")]
    model_set_name: Annotated[str, Meta(description="The set's name for people.")]
    model_id: Annotated[str, Meta(description=VERSION_MEANS)]
    version: Annotated[str, Meta(description="The number of the version in its set: V1, V2 and so on.")]
    source: Annotated[Source, Meta(description=SOURCE_MEANS)]
    description: Annotated[str, Meta(description="Free text.")]
    run: Annotated[Run | None, Meta(description="How a replica is run.")] = None
    import_meta: Annotated[dict[str, Any] | None, Meta(description="The importMeta that was given.")] = None
    train_meta: Annotated[dict[str, Any] | None, Meta(description="The trainMeta that was given.")] = None
    runnable: Annotated[bool, Meta(description="Whether it has a run block, so that an engine can run it.")]
    source_type: Annotated[str | None, Meta(description="The sourceType that was given.")] = None
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
    creator_name: Annotated[str | None, Meta(description=MAKER_NAMED)] = None
    create_time: Annotated[str, Meta(description="When it was made.")]
    tags: Annotated[dict[str, str] | None, Meta(description=TAGGED)] = None


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
    "source": "UserCreate",
    "runnable": True,
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
    "creatorName": "root",
    "createTime": "2026-11-30T06:13:45+08:00",
}
_APPROVED: Final = {
    **_DETAIL,
    "trusted": True,
    "approvedBy": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "approveTime": "2026-11-30T07:18:45+08:00",
}
_FACTS: Final = {
    "modelSetId": "am-q2w3e4r5t6y7",
    "modelSetName": "echo",
    "modelType": "Text2Text",
    "source": "UserCreate",
    "labels": [],
    "description": "Answers with the text of the request.",
    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    "creatorName": "root",
    "createTime": "2026-11-30T06:13:45+08:00",
    "modifyTime": "2026-11-30T06:13:45+08:00",
    "modelIds": ["amv-a1s2d3f4g5h6"],
    "modelNames": ["V1"],
}
_EVERYBODYS_SET: Final = {
    **{name: value for name, value in _FACTS.items() if name != "creatorName"},
    "modelSetId": "am-echo00000000",
    "source": "System",
    "description": "Answers with the text of the request, as JSON or as a stream of events.",
    "modelIds": ["amv-echo00000000"],
    "modelsCount": 1,
    "modelCount": 1,
}
_OWN_SETS: Final = {
    "modelSetList": [
        {
            **_FACTS,
            "modelsCount": 1,
            "modelCount": 1,
        }
    ],
    "isTruncated": False,
    "maxKeys": 10,
    "pageInfo": {"marker": "", "maxKeys": 10, "isTruncated": False},
}

_OWN: Final = "A repository holds what its account runs, commands and all; operators name a version by its id."

ACTIONS: Final = (
    write(
        MODEL,
        "CreateCustomModelSet",
        "create_model_set",
        CreateCustomModelSetRequest,
        CreatedModelSet,
        "Add a set of models, which gets versions then.",
        policies=p.MODEL_WRITERS | p.OPERATORS,
        errors=(e.QUOTA_EXCEEDED, e.TAG_POLICY_NOT_MET),
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
        errors=(e.QUOTA_EXCEEDED, e.TAG_POLICY_NOT_MET),
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
        own_only=_OWN,
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={"source": "UserCreate", "maxKeys": 10},
        answer=_OWN_SETS,
    ),
    read(
        MODEL,
        "DescribeCustomModelSets",
        "describe_custom_model_sets",
        DescribeSomeModelSetsRequest,
        CustomModelSetPage,
        "List the account's own sets of models, a page at a time.",
        own_only=_OWN,
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={"name": "echo"},
        answer={**_OWN_SETS, "customModelSetList": _OWN_SETS["modelSetList"]},
    ),
    read(
        MODEL,
        "DescribeSystemModelSets",
        "describe_system_model_sets",
        DescribeSomeModelSetsRequest,
        SystemModelSetPage,
        "List the sets of models that every account may use, a page at a time.",
        own_only=_OWN,
        policies=p.MODEL_READERS,
        errors=(e.INVALID_MARKER,),
        example={},
        answer={
            "modelSetList": [_EVERYBODYS_SET],
            "systemModelSetList": [_EVERYBODYS_SET],
            "isTruncated": False,
            "maxKeys": 10,
            "pageInfo": {"marker": "", "maxKeys": 10, "isTruncated": False},
        },
    ),
    read(
        MODEL,
        "DescribeModelSet",
        "describe_model_set",
        DescribeModelSetRequest,
        ModelSetDetail,
        "Show a set of models and its versions.",
        own_only=_OWN,
        policies=p.MODEL_READERS | p.OPERATORS,
        errors=(e.INVALID_MARKER,),
        example={"modelSetId": "am-q2w3e4r5t6y7"},
        answer={
            **_FACTS,
            "modelList": [
                {
                    "modelId": "amv-a1s2d3f4g5h6",
                    "version": "V1",
                    "runnable": True,
                    "description": "With the health check of its own.",
                    "trusted": True,
                    "approvedBy": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "approveTime": "2026-11-30T07:18:45+08:00",
                    "servicesCount": 0,
                    "creator": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
                    "creatorName": "root",
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
        own_only=_OWN,
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
    read(
        MODEL_VERSION,
        "DescribeModelVersion",
        "describe_model_version",
        DescribeModelVersionRequest,
        ModelVersionDetail,
        "Show a version of a model as the first API does. The parameter Action may be left out.",
        own_only=_OWN,
        policies=p.MODEL_READERS | p.OPERATORS,
        example={"modelVersionId": "amv-a1s2d3f4g5h6"},
        answer={
            "modelIdStr": "am-q2w3e4r5t6y7",
            "modelName": "echo",
            "modelVersionIdStr": "amv-a1s2d3f4g5h6",
            "version": "1",
            "description": "With the health check of its own.",
            "sourceType": "Import",
            "sourceExtra": {"sourceType": "Import", "trainSourceExtra": {"taskId": None, "runId": None}},
            "state": "Ready",
            "createTime": "2026-11-30T06:13:45+08:00",
            "modifyTime": "2026-11-30T06:13:45+08:00",
        },
    ),
)
"""By the names of the official clients where there are some."""
