"""Names beside ids, where the service gives only the ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from leasebook.cli.commands.actions import action_of
from leasebook.cli.commands.calling.session import Session
from leasebook.cli.terminal.texts import language, of_error

MESSAGES: Final = frozenset({"message", "text"})
"""The fields of answers that have sentences of the service."""


def name_projects(session: Session, result: Any) -> None:
    """Put the names of projects beside their ids, in every object of an answer. Without the right to list, none."""
    from leasebook.client.errors import LeasebookError

    found = [one for one in _objects(result) if one.get("projectId") and "projectName" not in one]
    if not found:
        return
    try:
        listed = session.pages(action_of("describe_projects", "resource.projects"), {}, "projects", 0)["projects"]
    except LeasebookError:
        # The answer is worth more than the names in it.
        return
    names = {project["projectId"]: project["name"] for project in listed}
    for one in found:
        if one["projectId"] in names:
            one["projectName"] = names[one["projectId"]]


def say_messages(result: Any) -> None:
    """Put the messages of an answer, such as those of verdicts, into the reader's language."""
    if language() == "en":
        return
    for one in _objects(result):
        for name in MESSAGES & one.keys():
            if isinstance(one[name], str):
                one[name] = "\n".join(map(of_error, one[name].splitlines()))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
