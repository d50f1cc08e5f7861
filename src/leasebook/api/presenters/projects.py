"""How projects are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leasebook.contract.nouns.resource import projects as c
from leasebook.domain.model.resource.project import DEFAULT_PROJECT, Project
from leasebook.domain.values.calendar import Instant

DEFAULT: Final = c.ProjectDetail(project_id=DEFAULT_PROJECT, name=DEFAULT_PROJECT, description="", status="Active")
"""The default project, which every account has."""


def project(row: Project, shown: Callable[[Instant], str]) -> c.ProjectDetail:
    """Show a project."""
    return c.ProjectDetail(
        project_id=row.id,
        name=row.name,
        description=row.description,
        status=row.status,
        creator=row.created_by,
        create_time=shown(row.created_at),
        closed_time=None if row.closed_at is None else shown(row.closed_at),
    )
