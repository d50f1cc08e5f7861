"""The projects of the operator's own account, which subscriptions of the file may be for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import Place
from leasebook.cli.house.kinds.projects import DEFAULT, Projects, found_project
from leasebook.cli.house.plan import Run
from leasebook.cli.house.server import ACCOUNT, PROJECT, Server
from leasebook.cli.house.words import BadHouse


class OwnProjects:
    """Finds projects of the operator's account by their names.

    ``place`` is that account if the file has it, and ``rows`` are its active projects.
    """

    def __init__(self, account: str, place: Place | None, rows: Sequence[Mapping[str, Any]]) -> None:
        self._account = account
        self._place = place
        self._names = {DEFAULT: DEFAULT} | {row["projectId"]: row["name"] for row in rows}

    def id_of(self, name: str, line: int) -> str | None:
        """Return the id of a project; None: the run makes it. Raises BadHouse."""
        wanted = {} if self._place is None else self._place.wanted.get(Projects.key) or {}
        if self._place is not None and name in wanted:
            row = found_project(self._place, wanted[name])
            return None if row is None else str(row["projectId"])
        for project_id, project in self._names.items():
            if name in (project, project_id):
                return str(project_id)
        near = schema.nearest(name, (*wanted, *self._names.values()))
        raise BadHouse(words.no_project(name, self._account, near), line)

    def made(self, run: Run, name: str) -> str:
        """Return the id of a project that the run has made."""
        assert self._place is not None  # noqa: S101 - only the file's own projects are made
        return run.ids["project", self._place.label, name]

    def name_of(self, project_id: str) -> str:
        """Return the name of a project, or its id if it is closed."""
        return str(self._names.get(project_id, project_id))


def own_projects(server: Server, places: Iterable[Place] = ()) -> OwnProjects:
    """Look at the projects of the operator's account; raises Refused."""
    account = server.call(ACCOUNT, "DescribeAccount")
    own = (place for place in places if place.account and place.account["accountId"] == account["accountId"])
    rows = list(server.rows(PROJECT, "DescribeProjects", "projects", status="Active"))
    return OwnProjects(account.get("name") or account["accountId"], next(own, None), rows)
