"""Queries about projects."""

from __future__ import annotations

from typing import Protocol

from leasebook.domain.model.resource.project import Project


class ProjectQuestions(Protocol):
    """Queries about projects, answered from committed rows."""

    def project(self, project_id: str) -> Project | None:
        """Return a project by id; the default ones have no row."""
        ...

    def projects(self, account_id: str) -> list[Project]:
        """Return an account's projects, closed ones included, oldest first."""
        ...
