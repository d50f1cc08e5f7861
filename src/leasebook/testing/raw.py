"""A call of any action by its path and name, with a body as it is on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import httpx2
import msgspec

from leasebook.client import Client
from leasebook.client.caller import ActionOf, result_of, signed
from leasebook.client.transport import TIMEOUT_S, no_answer


class _NoNames(TypedDict):
    """The body is given whole, so that no parameter has a name in Python."""


def call(client: Client, path: str, action: str, body: Mapping[str, Any]) -> Any:
    """Call an action with the keys of a client, once; returns its result as JSON values. Raises the client's errors."""
    operation: ActionOf[Any] = ActionOf(path, action, _NoNames, Any, writes=True)
    sent = signed(client.connection.keys, operation, msgspec.json.encode(body))
    try:
        answer = httpx2.post(sent.url, content=sent.body, headers=sent.headers, timeout=TIMEOUT_S)
    except httpx2.HTTPError as error:
        raise no_answer(sent.url, error) from error
    return result_of(operation, answer.status_code, answer.headers, answer.content)
