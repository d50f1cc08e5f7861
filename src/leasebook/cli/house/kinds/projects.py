"""Projects of an account: their names and descriptions. The default project is always there, and no file has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import AccountKind, Place
from leasebook.cli.house.kinds.names import found_by
from leasebook.cli.house.plan import CHANGE, END, MAKE, Plan, Run, Step, change
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.server import PROJECT, Making, Server
from leasebook.cli.house.words import BadHouse
from leasebook.contract.nouns.resource.projects import CreateProjectRequest

DEFAULT = "default"
ProjectRow = Mapping[str, Any]


@dataclass(frozen=True)
class ProjectWanted:
    """A project of the file. ``description`` None: it stays."""

    label: str
    line: int
    id: str | None
    name: str
    description: str | None


class Projects(AccountKind):
    """The active projects of an account, except the default one."""

    key = "projects"

    def read(self, node: Node) -> dict[str, ProjectWanted]:
        """Read ``projects``."""
        found = schema.table(node)
        return {label: _project(label, one, found.line_of(label)) for label, one in found.entries.items()}

    def look(self, server: Server, account_id: str) -> list[ProjectRow]:
        """Return the active projects without the default one."""
        rows = server.rows(PROJECT, "DescribeProjects", "projects", accountId=account_id, status="Active")
        return [row for row in rows if row["projectId"] != DEFAULT]

    def absent(self) -> list[ProjectRow]:
        """Return no projects."""
        return []

    def plan(self, place: Place, plan: Plan) -> None:
        """Add a step for each project that is to be made or changed."""
        for wanted in place.wanted[self.key].values():
            row = found_project(place, wanted)
            plan.add([_make(place, wanted)] if row is None else list(_changes(place, wanted, row)))

    def prune(self, place: Place, plan: Plan, server: Server) -> None:
        """Add a step for each project that the caller made and the file does not have."""
        del server
        for row in _extra(place):
            thing = words.project(row["name"], place.label)
            if place.account is None or row["creator"] != place.maker:
                plan.left.append(words.of_another(thing))
            else:
                body = {"accountId": place.account["accountId"], "projectId": row["projectId"]}
                plan.ends.append(Step(END, thing, _calls("CloseProject", body)))

    def left(self, place: Place) -> list[str]:
        """Return the projects that the file does not have."""
        return [words.project(row["name"], place.label) for row in _extra(place)]

    def write(self, place: Place) -> dict[str, Any] | None:
        """Write the projects."""
        rows = sorted(place.there[self.key], key=lambda row: str(row["name"]))
        return {escaped(row["name"]): {"description": escaped(row["description"])} for row in rows} or None


def _project(label: str, node: Node, line: int) -> ProjectWanted:
    given = schema.fields(node, {"id": schema.text, "name": schema.text, "description": schema.text})
    name, description = given.get("name", label), given.get("description")
    schema.fitting(CreateProjectRequest, {"name": name, "description": description}, line, {})
    return ProjectWanted(label, line, given.get("id"), name, description)


def found_project(place: Place, wanted: ProjectWanted) -> ProjectRow | None:
    """Return the project that the file means; None: it is not there yet. Raises BadHouse."""
    return found_by(place.there[Projects.key], "projectId", wanted.id, wanted.name, wanted.line)


def _extra(place: Place) -> list[ProjectRow]:
    wanted = place.wanted.get(Projects.key)
    if wanted is None:
        return []
    named = {row["projectId"] for one in wanted.values() if (row := found_project(place, one)) is not None}
    return [row for row in place.there[Projects.key] if row["projectId"] not in named]


def id_of(place: Place, name: str, line: int) -> str | None:
    """Return the id of a project that limits name; None: the run makes the project. Raises BadHouse."""
    wanted: Mapping[str, ProjectWanted] = place.wanted.get(Projects.key) or {}
    if name == DEFAULT:
        return name
    if name in wanted:
        row = found_project(place, wanted[name])
        return None if row is None else str(row["projectId"])
    rows: list[ProjectRow] = place.there[Projects.key]
    # Limits may be left of a project that was closed.
    if name in {row["projectId"] for row in rows} | {*place.there["limits"].get("projects", {})}:
        return name
    row = found_by(rows, "projectId", None, name, line)
    if row is None:
        known = (DEFAULT, *wanted, *(row["name"] for row in rows))
        raise BadHouse(words.no_project(name, place.label, schema.nearest(name, known)), line)
    return str(row["projectId"])


def label_of(place: Place, project_id: str) -> str:
    """Return how the file names a project: by the label, by its name, or by the id where it has neither."""
    for wanted in (place.wanted.get(Projects.key) or {}).values():
        row = found_project(place, wanted)
        if row is not None and row["projectId"] == project_id:
            return str(wanted.label)
    rows: list[ProjectRow] = place.there[Projects.key]
    return next((str(row["name"]) for row in rows if row["projectId"] == project_id), project_id)


def _calls(action: str, body: Mapping[str, Any]) -> Callable[[Run], None]:
    def do(run: Run) -> None:
        run.server.call(PROJECT, action, **body)

    return do


def _make(place: Place, wanted: ProjectWanted) -> Step:
    known = frozenset(row["projectId"] for row in place.there[Projects.key])

    def do(run: Run) -> None:
        body = {"accountId": place.account_id(run), "name": wanted.name}
        if wanted.description is not None:
            body["description"] = wanted.description

        def there_now() -> list[str]:
            rows = run.server.rows(
                PROJECT, "DescribeProjects", "projects", accountId=body["accountId"], status="Active"
            )
            return [row["projectId"] for row in rows if row["name"] == wanted.name]

        making = Making(PROJECT, "CreateProject", body, "projectId", known, there_now)
        made = run.make(making, "project", body["accountId"], wanted.label)
        run.ids["project", place.label, wanted.label] = made["projectId"]

    details = [change("description", None, wanted.description)] if wanted.description else []
    return Step(MAKE, words.project(wanted.name, place.label), do, tuple(details))


def _changes(place: Place, wanted: ProjectWanted, row: ProjectRow) -> list[Step]:
    assert place.account is not None  # noqa: S101 - it has the project
    asked = {"name": wanted.name, "description": wanted.description}
    differs = {name: value for name, value in asked.items() if value is not None and value != row[name]}
    if not differs:
        return []
    body = {"accountId": place.account["accountId"], "projectId": row["projectId"], **differs}
    details = tuple(change(name, row[name], value) for name, value in differs.items())
    return [Step(CHANGE, words.project(wanted.name, place.label), _calls("ModifyProject", body), details)]
