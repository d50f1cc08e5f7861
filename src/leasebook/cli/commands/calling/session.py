"""One command's connection to the service, and how its failures end the command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from leasebook.cli.commands.language import _, of_contract
from leasebook.cli.exits import DENIED, FAILED, NO_ANSWER, OUT_OF_TIME, leave_unread, remark, stop
from leasebook.cli.terminal.texts import of_error

if TYPE_CHECKING:
    from leasebook.cli.commands.calling.caller import OperationCaller
    from leasebook.client.caller import ActionOf
    from leasebook.client.errors import ErrorAnswer
    from leasebook.contract.action import Action

DENIED_CODES: Final = frozenset(
    {
        "AccessDenied",
        "BodyDigestMismatch",
        "InvalidAccessKeyId",
        "InvalidHTTPAuthHeader",
        "RequestExpired",
        "RequestReplayed",
        "SignatureDoesNotMatch",
        "SignatureEmpty",
        "SignatureTooWeak",
    }
)
"""Codes of calls whose key, signature or policies do not permit them."""
ROWS_A_PAGE: Final = 1000
_ACTION: Final = re.compile(r"\b[A-Z][a-z]+[A-Z][A-Za-z]+\b")


class Session:
    """Calls operations for one command. It connects with the first call. Its methods raise LeasebookError."""

    def __init__(self, url: str | None, access_key: str | None, profile: str | None, timeout_s: float) -> None:
        self._where = (url, access_key, profile)
        self._timeout_s = timeout_s
        self._caller: OperationCaller | None = None
        self._now: datetime | None = None

    @property
    def caller(self) -> OperationCaller:
        """The connection. Raises ConfigurationError."""
        if self._caller is None:
            # A quarter of a second, which help and completion do not pay.
            from leasebook.cli.commands.calling.caller import OperationCaller

            url, access_key, profile = self._where
            self._caller = OperationCaller(url, access_key, profile=profile, timeout=self._timeout_s)
        return self._caller

    @property
    def url(self) -> str:
        """The address of the service. Raises ConfigurationError."""
        return self.caller.connection.keys.url

    def call(self, action: Action, body: Mapping[str, Any]) -> Any:
        """Return the result of an operation; ``body`` has the names on the wire."""
        return self.caller.call(operation_of(action), _named(body))

    def follow(self, action: Action, body: Mapping[str, Any]) -> Iterator[Any]:
        """Yield events as they happen."""
        return self.caller.follow(operation_of(action), _named(body))

    def download(self, action: Action, body: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the pieces of a file."""
        return self.caller.download(operation_of(action), _named(body))

    def pages(self, action: Action, body: Mapping[str, Any], rows: str, limit: int) -> Any:
        """Return the result of a list, with the rows of all pages as one list, at most ``limit``; 0: all."""
        found: list[Any] = []
        marker: str | None = None
        while True:
            size = min(ROWS_A_PAGE, limit - len(found)) if limit else ROWS_A_PAGE
            more = {} if marker is None else {"marker": marker}
            result = self.call(action, {**body, "maxKeys": size, **more})
            found.extend(result.get(rows) or ())
            marker = result.get("nextMarker") if result.get("isTruncated") else None
            if marker is None or (limit and len(found) >= limit):
                kept = {name: value for name, value in result.items() if name not in {"pageInfo", "maxKeys"}}
                return {**kept, rows: found}

    def now(self) -> datetime:
        """Return the service's time, in its zone: asked for once."""
        if self._now is None:
            from leasebook.contract.nouns.clock import ACTIONS

            action = next(one for one in ACTIONS if one.operation == "describe_clock")
            self._now = datetime.fromisoformat(self.call(action, {})["now"])
        return self._now

    def close(self) -> None:
        """Close the connection."""
        if self._caller is not None:
            self._caller.close()


def operation_of(action: Action) -> ActionOf[Any]:
    """Return an operation as the client calls it, with parameters by their names on the wire."""
    import msgspec

    from leasebook.client.caller import ActionOf

    names = {field.encode_name: field.encode_name for field in msgspec.structs.fields(action.request)}
    del names["clientToken"]
    names["client_token"] = "clientToken"  # noqa: S105 - a name
    return ActionOf.with_names(action.path, action.name, names, Any, writes=action.writes, follows=action.follows)


def _named(body: Mapping[str, Any]) -> dict[str, Any]:
    return {("client_token" if name == "clientToken" else name): value for name, value in body.items()}


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command with one line and the exit code of the kind of failure, where a call fails."""
    from leasebook.client.errors import ConfigurationError, ErrorAnswer, LeasebookError, NoAnswer, WaitedTooLong

    try:
        yield
        # The buffer would be written at the end of the process, where nothing can be done about a failure.
        sys.stdout.flush()
    except ConfigurationError as error:
        stop(_("{why} `leasebook login` writes a profile.").format(why=of_error(error)))
    except NoAnswer as error:
        stop(error, NO_ANSWER)
    except WaitedTooLong as error:
        stop(error, OUT_OF_TIME)
    except ErrorAnswer as error:
        remark(_said(error))
        commands = _commands_in(error.message)
        if commands:
            remark(_("As commands: {commands}.").format(commands=", ".join(commands)))
        sys.exit(DENIED if error.code in DENIED_CODES else FAILED)
    except LeasebookError as error:
        stop(error, FAILED)
    except BrokenPipeError:
        leave_unread()
        sys.exit(0)


def _commands_in(message: str) -> list[str]:
    """Return the actions that a message names, each with the command that calls it."""
    named = dict.fromkeys(_ACTION.findall(message))
    if not named:
        return []
    from leasebook.cli.commands.places import PLACES
    from leasebook.contract.actions import ACTIONS

    names = {row.operation: row.name for row in ACTIONS}
    # An action may be at several paths: the first place is that of units.
    commands = {names[place.operation]: place.command for place in reversed(PLACES)}
    return [f"{name} = leasebook {commands[name]}" for name in named if name in commands]


def _said(error: ErrorAnswer) -> str:
    from leasebook.contract.errors import ERRORS

    # The service answers in English, and a newer one may have messages that this version does not know.
    message = of_error(error.message)
    if message == error.message:
        meaning = next((one.meaning for one in ERRORS if one.code == error.code), "")
        translated = of_contract(meaning) if meaning else meaning
        if translated == meaning:
            return str(error)
        message = f"{translated} ({message})"
    return f"{error.code}: {message} [{error.request_id}]"


def context_session(context: click.Context) -> Session:
    """Return a session of the options that a command has been given so far, for completion."""
    found = context.params
    return Session(found.get("url"), found.get("access_key"), found.get("profile"), 2.0)
