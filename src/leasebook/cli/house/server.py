"""The service that a house is applied to: calls, pages of lists, and things that are made once however often asked."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from leasebook.cli.commands.calling.caller import OperationCaller
from leasebook.cli.house import words
from leasebook.cli.terminal.texts import _
from leasebook.client.caller import ActionOf, Retries
from leasebook.client.errors import ErrorAnswer, NoAnswer, UnexpectedAnswer

ACCOUNT, CATALOG, EVENTS, IAM, NOTIFICATION = "/v2/account", "/v2/catalog", "/v2/events", "/v2/iam", "/v2/notification"
PROJECT: Final = "/v2/project"
BUSY: Final = frozenset({"Overloaded", "RowsLocked", "StoreUnavailable", "TooManyRequests", "OutcomeUnknown"})
"""Errors after which the same call is sent again: nothing was done, or the call is safe to repeat."""
PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
PAGE: Final = 1000
ATTEMPTS_MAX: Final = 200
"""How often one thing may be made, lost and made again while the service keeps the client tokens."""
MISMATCH: Final = "IdempotentParameterMismatch"


class Refused(Exception):
    """The service refused a call. The message is one line for the person who runs the command."""

    def __init__(self, action: str, code: str, message: str) -> None:
        super().__init__(words.refused(action, code, message))
        self.code = code


class Server:
    """Calls the service with one operator's key. Every call of it is safe to send twice."""

    def __init__(self, url: str, access_key: str, secret_key: str) -> None:
        self.url = url
        self.access_key = access_key
        # This class knows better which calls are sent again: all of them, but not to an address that never answered.
        self._caller = OperationCaller(url, access_key, secret_key, retries=Retries(tries=1))
        self._has_answered = False

    def call(self, path: str, action: str, /, **body: Any) -> Any:
        """Return the result of an action; raises Refused, and NoAnswer where none comes. None is left out."""
        return self.call_exactly(path, action, {name: value for name, value in body.items() if value is not None})

    def call_exactly(self, path: str, action: str, body: Mapping[str, Any]) -> Any:
        """Do the same, and send None as null, which clears a value."""
        for pause in PAUSES_S:
            try:
                return self._asked(path, action, body)
            except NoAnswer:
                # A server that never answered is the wrong address. One that did may have been started again.
                if not self._has_answered:
                    raise
            except Refused as refused:
                if refused.code not in BUSY:
                    raise
            time.sleep(pause)
        return self._asked(path, action, body)

    def _asked(self, path: str, action: str, body: Mapping[str, Any]) -> Any:
        operation: ActionOf[Any] = ActionOf.with_names(path, action, {name: name for name in body}, Any, writes=True)
        try:
            result = self._caller.call(operation, body)
        except UnexpectedAnswer as error:
            raise Refused(action, str(error.status), words.not_json(self.url)) from None
        except ErrorAnswer as error:
            raise Refused(action, error.code, error.message) from None
        self._has_answered = True
        return result

    def rows(self, path: str, action: str, rows: str, /, **body: Any) -> Iterator[dict[str, Any]]:
        """Return all rows of a list, page by page."""
        marker = None
        while True:
            page = self.call(path, action, **body, maxKeys=PAGE, marker=marker)
            yield from page[rows]
            if not page.get("isTruncated"):
                return
            marker = page["nextMarker"]

    def now(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Close the connection."""
        self._caller.close()


def token_of(*parts: object) -> str:
    """Return the client token of a thing: the same for everyone who makes the same thing of the same house."""
    said = "\n".join(json.dumps(str(part)) for part in parts)
    return f"house-{hashlib.sha256(said.encode()).hexdigest()[:40]}"


@dataclass(frozen=True)
class Making:
    """A call that makes a thing.

    ``known`` are the ids of things of this kind from before, ended ones included as far as the service lists them.
    ``there_now`` asks for the ids of those that are there and could be this one. With ``ends_unlisted`` the service
    does not list them once they have ended.
    """

    path: str
    action: str
    body: Mapping[str, Any]
    id_key: str
    known: frozenset[str]
    there_now: Callable[[], Iterable[str]]
    ends_unlisted: bool = False

    def is_old(self, made: Mapping[str, Any]) -> bool:
        """Whether the answer is a kept one, about a thing that ended since."""
        made_id = made[self.id_key]
        return made_id in self.known or (self.ends_unlisted and made_id not in self.there_now())

    def has_appeared(self) -> bool:
        """Whether another run made the thing meanwhile."""
        return any(one not in self.known for one in self.there_now())


def make_once(
    making: Making, make: Callable[[str], dict[str, Any]], parts: tuple[str, ...], now: Callable[[], datetime]
) -> dict[str, Any]:
    """Make a thing with a client token derived from ``parts``, and return the answer; raises Refused.

    The service keeps the answer to a token for two days or longer. An answer about a thing that ended since leads to
    the next token, and so does a token that was used with other parameters. A refusal may be one from before, too: then
    one more token is tried, which those who ask in the same minute share.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            made = make(token_of(*parts, attempt))
        except Refused as refused:
            if refused.code in BUSY | {"AccessDenied"}:
                raise
            if refused.code != MISMATCH:
                return make(token_of(*parts, attempt, f"{now():%Y-%m-%dT%H:%M}"))
            if making.has_appeared():
                raise Refused(making.action, MISMATCH, _(words.MADE_MEANWHILE)) from None
            continue
        if not making.is_old(made):
            return made
    raise Refused(making.action, MISMATCH, _(words.TOO_OFTEN))
