"""Reading a stream of server-sent events, and going on after it was cut. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec

from leasebook.client.caller import ActionOf
from leasebook.client.errors import NoAnswer

R = TypeVar("R")


class EventLines(Generic[R]):
    """Takes the lines of one stream, and returns each event when its last line is there."""

    def __init__(self, operation: ActionOf[R]) -> None:
        self._operation = operation
        self._id = ""
        self._data: list[str] = []

    def take(self, line: str) -> tuple[str, R] | None:
        """Take a line without its end; returns an event with its id once it is whole."""
        if line.startswith("id:"):
            self._id = line[3:].strip()
        elif line.startswith("data:"):
            self._data.append(line[5:].removeprefix(" "))
        elif not line and self._data:
            text, self._data = "\n".join(self._data), []
            return self._id, self._operation.result(msgspec.Raw(text.encode()))
        return None


def followed(request: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """Return the parameters of a call that goes on after an event."""
    return {**request, "after": event_id} if event_id else dict(request)


def is_over(url: str) -> NoAnswer:
    """Return the exception for a stream that ended, which it does when a server stops."""
    return NoAnswer(f"The stream of events from {url} ended.", may_be_done=False)
