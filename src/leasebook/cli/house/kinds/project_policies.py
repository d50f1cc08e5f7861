"""The policies that a user of the file has for projects: a table of lists of policies, by the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from leasebook.cli.house import schema, words
from leasebook.cli.house.kinds.kind import Place
from leasebook.cli.house.kinds.projects import DEFAULT, Projects, found_project
from leasebook.cli.house.plan import Run
from leasebook.cli.house.reading import Node, escaped
from leasebook.cli.house.server import IAM
from leasebook.cli.house.words import BadHouse
from leasebook.contract.policies import FOR_PROJECTS

KEY: Final = "projectPolicies"
Wanted = Mapping[str, tuple[str, ...]]
"""The policies for each project, by its name in the file."""
Pairs = frozenset[tuple[str, str]]
"""Pairs of a policy and a project's id."""


def read(node: Node) -> dict[str, tuple[str, ...]]:
    """Read ``projectPolicies``."""
    found = schema.by_key(schema.many(schema.one_of(*sorted(FOR_PROJECTS))))(node)
    return {project: tuple(dict.fromkeys(policies)) for project, policies in found.items()}


def check(place: Place, wanted: Wanted | None, line: int) -> None:
    """Raise BadHouse if a project is neither there nor made by the file."""
    for project in wanted or {}:
        _project_id(place, project, line)


def differences(place: Place, wanted: Wanted | None, row: Mapping[str, Any], line: int) -> tuple[str, str] | None:
    """Return what a user has for projects and what the file wants, as texts; None: they are the same.

    Closed projects do not count: nothing lives in them.
    """
    if wanted is None:
        return None
    check(place, wanted, line)
    held = {(policy, _name(place, project)) for policy, project in _attached(place, row)}
    asked = {(policy, project) for project, policies in _by_name(place, wanted, line).items() for policy in policies}
    return None if held == asked else (shown(held), shown(asked))


def shown(pairs: Iterable[tuple[str, str]]) -> str:
    """Write pairs of a policy and a project."""
    return ", ".join(f"{policy} ({project})" for policy, project in sorted(pairs)) or "-"


def pairs_of(wanted: Wanted | None) -> list[tuple[str, str]]:
    """Return the pairs of a policy and a project as the file names it."""
    return [(policy, project) for project, policies in (wanted or {}).items() for policy in policies]


def setting(place: Place, wanted: Wanted, row: Mapping[str, Any] | None, line: int) -> Callable[[Run, Any], None]:
    """Return what gives a user the policies of the file for projects, and takes the others; ``row`` None: a new user.

    It is called with the run and the account and the id of the user. By then the projects of the file are made.
    """
    held = frozenset() if row is None else _attached(place, row)

    def do(run: Run, of: Mapping[str, str]) -> None:
        def id_of(project: str) -> str:
            return _project_id(place, project, line) or run.ids["project", place.label, project]

        asked = frozenset((policy, id_of(project)) for policy, project in pairs_of(wanted))
        for action, pairs in (("AttachPolicy", asked - held), ("DetachPolicy", held - asked)):
            for policy in sorted({policy for policy, _ in pairs}):
                projects = sorted(project for one, project in pairs if one == policy)
                run.server.call(IAM, action, **of, policyName=policy, projectIds=projects)

    return do


def written(place: Place, row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what the file says of a user's policies for projects."""
    found: dict[str, list[str]] = {}
    for policy, project in sorted(_attached(place, row)):
        found.setdefault(escaped(_name(place, project)), []).append(policy)
    return found


def _attached(place: Place, row: Mapping[str, Any]) -> Pairs:
    """Return the policies of a user for the projects that are not closed."""
    there = {DEFAULT, *(one["projectId"] for one in place.there[Projects.key])}
    rows = row.get(KEY) or ()
    return frozenset((one["policyName"], project) for one in rows for project in one["projectIds"] if project in there)


def _by_name(place: Place, wanted: Wanted, line: int) -> dict[str, tuple[str, ...]]:
    """Return the wanted policies by the projects' present names, as ``_name`` has them."""
    ids = {project: _project_id(place, project, line) for project in wanted}
    return {_name(place, ids[project] or project): policies for project, policies in wanted.items()}


def _name(place: Place, project_id: str) -> str:
    """Return a project's name: no two active projects of an account have the same."""
    rows = place.there[Projects.key]
    return next((str(row["name"]) for row in rows if row["projectId"] == project_id), project_id)


def _project_id(place: Place, name: str, line: int) -> str | None:
    """Return the id of a project that the file names; None: the run makes it. Raises BadHouse."""
    if name == DEFAULT:
        return DEFAULT
    wanted = place.wanted.get(Projects.key) or {}
    if name in wanted:
        row = found_project(place, wanted[name])
        return None if row is None else str(row["projectId"])
    for row in place.there[Projects.key]:
        if name in (row["projectId"], row["name"]):
            return str(row["projectId"])
    known = (DEFAULT, *wanted, *(row["name"] for row in place.there[Projects.key]))
    raise BadHouse(words.no_project(name, place.label, schema.nearest(name, known)), line)
