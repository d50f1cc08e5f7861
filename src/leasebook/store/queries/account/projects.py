"""Queries about projects and what belongs to them, in SQL for both stores."""

from __future__ import annotations

from typing import Any, Final

from leasebook.domain.book.tables import PROJECTS
from leasebook.domain.model.resource.project import DEFAULT_PROJECT, Project
from leasebook.ports.queries.read_repository import UnitFilter
from leasebook.store.queries.audit_log import Fetch, columns
from leasebook.store.rows.codec import CODECS

_TEXT: Final = f"SELECT {columns(CODECS[PROJECTS])} FROM projects WHERE"


class ProjectQueries:
    """Queries about projects, on one connection."""

    _fetch: Fetch

    def project(self, project_id: str) -> Project | None:
        """Return a project by id; the default ones have no row."""
        rows = self._fetch(f"{_TEXT} id = ?", (project_id,))
        return CODECS[PROJECTS].read(rows[0]) if rows else None

    def projects(self, account_id: str) -> list[Project]:
        """Return an account's projects, closed ones included, oldest first."""
        rows = self._fetch(f"{_TEXT} account_id = ? ORDER BY created_at, id", (account_id,))
        return [CODECS[PROJECTS].read(row) for row in rows]

    def units_in_project(self, wanted: UnitFilter, after: int, limit: int | None) -> list[int]:
        """Return the numbers of a project's instances, in the order in which they were bought.

        The project has one and is not the default one, so its instances are in an index of their own.
        """
        # The same conditions as the partial indexes, so that they are used. With expressions in place of the other
        # columns SQLite cannot take the indexes of an account's instances instead.
        where = ["project_id = ? AND project_id IS NOT NULL", "kind = ?", "seq > ?", "account_id || '' = ?"]
        params: list[Any] = [wanted.project_id, wanted.kind, after, wanted.account_id]
        where.append("status = 'Released'" if wanted.status == "Released" else "status <> 'Released'")
        if wanted.status not in (None, "Released"):
            where.append("status || '' = ?")
            params.append(wanted.status)
        for name in ("region", "type", "payment_timing", "created_by"):
            if (value := getattr(wanted, name)) is not None:
                where.append(f"{name} || '' = ?")
                params.append(value)
        text = f"SELECT seq FROM units WHERE {' AND '.join(where)} ORDER BY seq"
        if limit is not None:
            text, params = f"{text} LIMIT ?", [*params, limit]
        return [row[0] for row in self._fetch(text, params)]


def in_project(project_id: str | None, column: str = "project_id") -> tuple[list[str], list[Any]]:
    """Return the condition that a row belongs to a project (None: any), and its parameters."""
    if project_id is None:
        return [], []
    return ([f"{column} IS NULL"], []) if project_id == DEFAULT_PROJECT else ([f"{column} = ?"], [project_id])
