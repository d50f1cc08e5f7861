"""The model repository: model sets, and the versions in them. Each version says how one replica is run."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from leasebook.domain.model.replica import REPLICA_PORTS, RunSpec
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal

EVERYBODYS: Final = ""
"""The account id of the sets and models that every account may use: the examples that come with Leasebook."""
SOURCE_BYTES_MAX: Final = 64 * 1024
"""Upper bound of an encoded ``importMeta`` or ``trainMeta``."""
RUN_BYTES_MAX: Final = 64 * 1024
"""Upper bound of an encoded run block. It stays small because each command on a service loads the block of its model.
"""
PORT: Final = "{port}"
"""Placeholder for the port in a command and in the values of the environment (``RunSpec``)."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}", re.ASCII)
_PATH: Final = re.compile(r"/[!-~]{0,255}", re.ASCII)
_IMPORT: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class ModelSet(msgspec.Struct, frozen=True):
    """A model with its versions, under one name. It belongs to an account, or to all accounts (``EVERYBODYS``).

    ``made`` counts the versions ever created, ``models`` the versions that are not deleted. ``model_type`` and
    ``labels`` are the caller's. ``modified_at`` is when a version was last added or deleted; None: never.
    """

    id: str
    account_id: str
    created_by: str
    name: str
    description: str
    created_at: Instant
    deleted_at: Instant | None = None
    made: int = 0
    models: int = 0
    model_type: str | None = None
    labels: tuple[str, ...] = ()
    modified_at: Instant | None = None

    @property
    def last_modified_at(self) -> Instant:
        """When the set was created, or a version of it was last added or deleted."""
        return self.created_at if self.modified_at is None else self.modified_at


class Model(msgspec.Struct, frozen=True):
    """A version of a model. Its run block never changes: another way to run the model is another version.

    ``services`` counts the services that run it and are not deleted. ``approved_by`` is the operator who created or
    approved it, ``approved_at`` when; ``withdrawn_at`` is when an operator withdrew an approval. Since the run block
    never changes, an approval always refers to this run block.

    A version can say where the model comes from (``source_type``, and ``source_meta`` as JSON) and not how it is run.
    Then the run block is empty, and no engine can run it.
    """

    id: str
    set_id: str
    account_id: str
    created_by: str
    version: str
    description: str
    run: RunSpec
    created_at: Instant
    deleted_at: Instant | None = None
    services: int = 0
    approved_by: str | None = None
    approved_at: Instant | None = None
    withdrawn_at: Instant | None = None
    source_type: str | None = None
    source_meta: str | None = None

    @property
    def is_runnable(self) -> bool:
        """Whether the run block names something to run."""
        return runs_something(self.run)

    @property
    def is_trusted(self) -> bool:
        """Whether an operator created or approved it, and no operator has withdrawn the approval."""
        return self.approved_at is not None


def is_seen(row: ModelSet | Model, account_id: str) -> bool:
    """Whether an account sees a set or a version: it is not deleted, and belongs to the account or to all accounts."""
    return row.deleted_at is None and row.account_id in (account_id, EVERYBODYS)


def runs_something(run: RunSpec) -> bool:
    """Whether a run block names a command, an image or an application."""
    return bool(run.command) or run.image is not None or run.application is not None


def check_run(run: RunSpec) -> None:
    """Raise Refusal for a run block that no engine can run. The wire checks the bounds of single numbers."""
    _check_what(run)
    for name, value in run.env.items():
        if not _VARIABLE.fullmatch(name):
            raise _bad("run.env", f"{name[:64]!r} is no name of a variable: letters, digits and _, no digit first.")
        if name == "PORT":
            raise _bad("run.env", "PORT is set to the port of each replica. Name yours otherwise.")
        if "\0" in value:
            raise _bad("run.env", f"The value of {name} holds the character NUL, which no environment can.")
    _check_port(run)
    _check_connects(run)
    size = len(msgspec.json.encode(run))
    if size > RUN_BYTES_MAX:
        raise _bad("run", f"The run block has {size} bytes; at most {RUN_BYTES_MAX} are kept.")


def _check_what(run: RunSpec) -> None:
    if run.application is not None:
        _check_application(run, run.application)
    elif run.arguments:
        raise _bad("run.arguments", "These are for an application; a command has its words.")
    elif not runs_something(run):
        raise _bad("run", "Say what is to run: a command, or an image, or both; or an application.")
    if run.command and not run.command[0]:
        raise _bad("run.command", "The first word of a command names the program, and may not be empty.")
    if any("\0" in word for word in run.command):
        raise _bad("run.command", "No word of a command can hold the character NUL.")
    if run.image is not None and not _IMAGE.fullmatch(run.image):
        raise _bad("run.image", f"{run.image[:64]!r} is no reference to an image, such as vllm/vllm-openai:v0.11.0.")


def _check_application(run: RunSpec, application: str) -> None:
    if run.command or run.image is not None:
        raise _bad("run", "Say what is to run: an application, or else a command or an image.")
    if not _IMPORT.fullmatch(application):
        raise _bad("run.application", f"{application[:64]!r} is no import path such as shop.serving:app.")
    if run.port != 0:
        raise _bad("run.port", "An application listens where Ray Serve does. Leave the port out.")
    if any(PORT in value for value in run.env.values()):
        raise _bad("run.env", "An application has no port of its own that {port} could stand for.")


def _check_port(run: RunSpec) -> None:
    path = run.health_path
    if path is not None and (not _PATH.fullmatch(path) or "#" in path):
        raise _bad("run.healthPath", f"{path[:64]!r} is no path such as /health: it begins with / and has no blanks.")
    if run.port is None:
        if path is not None:
            raise _bad("run.healthPath", "Without a port nobody can ask for a path. Leave one of them out.")
        if any(PORT in word for word in (*run.command, *run.env.values())):
            raise _bad("run.port", "The command or the environment asks for {port}, and there is none. Give port 0.")


def _check_connects(run: RunSpec) -> None:
    for port in run.connects:
        if port in REPLICA_PORTS:
            first, last = REPLICA_PORTS[0], REPLICA_PORTS[-1]
            raise _bad("run.connects", f"Port {port} may be another replica's; none from {first} to {last} is allowed.")
    if len(set(run.connects)) < len(run.connects):
        raise _bad("run.connects", "A port stands there twice. Name each once.")


def _bad(field: str, message: str) -> Refusal:
    return Refusal(BAD_VALUE, message, field=field)
