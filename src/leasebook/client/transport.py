"""The steps around a call that both clients share."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from leasebook.client.caller import ActionOf
from leasebook.client.errors import NoAnswer

TIMEOUT_S: Final = 60.0


def with_token(operation: ActionOf[Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, with a new client token where the operation takes one and none is given."""
    given = dict(request)
    if operation.takes_token and not given.get("client_token"):
        given["client_token"] = uuid.uuid4().hex
    return given


def no_answer(url: str, error: httpx2.HTTPError) -> NoAnswer:
    """Return the exception for a failure of the network."""
    said = str(error) or type(error).__name__
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return NoAnswer(f"{url} does not answer: {said}. Nothing was sent.", may_be_done=False)
    return NoAnswer(
        f"{url} does not answer: {said}. The call was sent, and may have been done: look, or send it again with the "
        "client_token that it had.",
        may_be_done=True,
    )


def pages_of(page: Any) -> str | None:
    """Return the marker of the page after this one, or None."""
    marker: str | None = getattr(page, "next_marker", None)
    return marker or None
