"""Shapes of values: version detail. Generated from the contract by `leasebook docs`; not to be edited."""

from __future__ import annotations

from datetime import datetime

from leasebook.client.shape import Shape


class TrainSource(Shape, kw_only=True):
    """The training that a version comes from: always null, since this service trains nothing."""

    task_id: str | None = None
    """Always null."""
    run_id: str | None = None
    """Always null."""


class ModelVersionSource(Shape, kw_only=True):
    """The origin of a version."""

    source_type: str
    """The sourceType that was given, or Import."""
    train_source_extra: TrainSource
    """The training that it comes from."""


class ModelVersionDetail(Shape, kw_only=True):
    """A version by the names of the first API. That API's numbers of sets and versions do not exist here."""

    model_id_str: str
    """The model set; CreateService calls it modelSetId."""
    model_name: str
    """The set's name for people."""
    model_version_id_str: str
    """The version; CreateService calls it modelId."""
    version: str
    """The number of the version in its set: 1, 2 and so on."""
    description: str
    """Free text."""
    source_type: str
    """The sourceType that was given, or Import."""
    source_extra: ModelVersionSource
    """The same, and the training that it comes from."""
    state: str
    """Always Ready."""
    create_time: datetime
    """When it was made."""
    modify_time: datetime
    """The same: a version never changes."""
