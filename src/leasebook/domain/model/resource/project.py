"""A project: a part of an account, to which instances, services, quota and packages belong.

Every account has a default project without a row: what belongs to it has no project in its own row (None).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from leasebook.domain.values.calendar import Instant

DEFAULT_PROJECT: Final = "default"
"""The public id of each account's default project, and its name."""

ProjectStatus = Literal["Active", "Closed"]


class Project(msgspec.Struct, frozen=True):
    """A project of an account. No two active projects of an account have the same name.

    A Closed project stays closed: nothing lives in it, and what it cost can still be read.
    """

    id: str
    account_id: str
    name: str
    description: str
    created_by: str
    created_at: Instant
    status: ProjectStatus = "Active"
    closed_at: Instant | None = None


def stored_project(project_id: str | None) -> str | None:
    """Return what a row has for a project's public id; None: the default project."""
    return None if project_id == DEFAULT_PROJECT else project_id


def public_project(project_id: str | None) -> str:
    """Return the public id of the project that a row has."""
    return DEFAULT_PROJECT if project_id is None else project_id
