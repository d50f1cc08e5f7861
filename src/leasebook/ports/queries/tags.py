"""Queries about token packages, and about the names and tags of things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from leasebook.domain.model.usage import TokenPackage
from leasebook.domain.values.resource_tags import ResourceTags
from leasebook.ports.queries.projects import ProjectQuestions


class TagQuestions(ProjectQuestions, Protocol):
    """Queries about packages, projects, names and tags, answered from committed rows."""

    def tags_of(self, ids: Sequence[str]) -> dict[str, ResourceTags]:
        """Return the names and tags of things by their ids; those without are left out."""
        ...

    def package(self, package_id: str) -> TokenPackage | None:
        """Return a package by id."""
        ...

    def packages(self, account_id: str) -> list[TokenPackage]:
        """Return an account's packages, oldest first."""
        ...
