"""A version of a model as the first API has it, which the Python client asks for before it deploys one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from leasebook.contract.shapes import Id, Request, Shape


class DescribeModelVersionRequest(Request, kw_only=True):
    """Ask for one version."""

    model_version_id: Annotated[Id, Meta(description="The version of the model.")]


class TrainSource(Shape, kw_only=True, omit_defaults=False):
    """The training that a version comes from: always null, since this service trains nothing."""

    task_id: Annotated[str | None, Meta(description="Always null.")] = None
    run_id: Annotated[str | None, Meta(description="Always null.")] = None


class ModelVersionSource(Shape, kw_only=True):
    """The origin of a version."""

    source_type: Annotated[str, Meta(description="The sourceType that was given, or Import.")]
    train_source_extra: Annotated[TrainSource, Meta(description="The training that it comes from.")]


class ModelVersionDetail(Shape, kw_only=True):
    """A version by the names of the first API. That API's numbers of sets and versions do not exist here."""

    model_id_str: Annotated[str, Meta(description="The model set; CreateService calls it modelSetId.")]
    model_name: Annotated[str, Meta(description="The set's name for people.")]
    model_version_id_str: Annotated[str, Meta(description="The version; CreateService calls it modelId.")]
    version: Annotated[str, Meta(description="The number of the version in its set: 1, 2 and so on.")]
    description: Annotated[str, Meta(description="Free text.")]
    source_type: Annotated[str, Meta(description="The sourceType that was given, or Import.")]
    source_extra: Annotated[ModelVersionSource, Meta(description="The same, and the training that it comes from.")]
    state: Annotated[str, Meta(description="Always Ready.")]
    create_time: Annotated[str, Meta(description="When it was made.")]
    modify_time: Annotated[str, Meta(description="The same: a version never changes.")]
