"""Sending calls and waiting for their answers, without the methods of single operations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx2

from leasebook.client.caller import OK, ActionOf, Caller, Retries, result_of, signed
from leasebook.client.connection import Connection, connection
from leasebook.client.errors import LeasebookError
from leasebook.client.following import EventLines, followed, is_over
from leasebook.client.transport import TIMEOUT_S, no_answer, pages_of, with_token
from leasebook.client.tries import Tries

R = TypeVar("R")


class SyncCaller(Caller):
    """Calls the service, and waits for each answer. Several threads may use it; close it, or use ``with``."""

    def __init__(
        self,
        url: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        *,
        profile: str | None = None,
        timeout: float = TIMEOUT_S,
        retries: Retries | None = None,
    ) -> None:
        """Raises ConfigurationError. ``timeout`` is for each part of one try, in seconds."""
        self.connection: Final[Connection] = connection(url, access_key, secret_key, profile=profile)
        self._retries = retries or Retries()
        self._timeout = timeout
        # To read the machine's certificates takes 50 ms.
        self._http = httpx2.Client(timeout=timeout, verify=not self.connection.keys.url.startswith("http:"))

    def within(self, timeout: float, retries: Retries | None = None) -> Self:
        """Return this client with another timeout in seconds, over the same connections."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._timeout, other._retries = timeout, retries or self._retries
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _call(self, operation: ActionOf[R], request: Mapping[str, Any]) -> R:
        given = with_token(operation, request)
        body = operation.body(given)
        tries = Tries(self._retries, operation, has_token=bool(given.get("client_token")))
        while True:
            try:
                return self._send(operation, body)
            except LeasebookError as error:
                pause = tries.pause_s(error)
            time.sleep(pause)

    def _send(self, operation: ActionOf[R], body: bytes) -> R:
        sent = signed(self.connection.keys, operation, body)
        try:
            answer = self._http.post(sent.url, content=sent.body, headers=sent.headers, timeout=self._timeout)
        except httpx2.HTTPError as error:
            raise no_answer(sent.url, error) from error
        return result_of(operation, answer.status_code, answer.headers, answer.content)

    def _each(self, operation: ActionOf[Any], request: Mapping[str, Any], rows: str) -> Iterator[Any]:
        given: dict[str, Any] = dict(request)
        while True:
            page = self._call(operation, given)
            yield from getattr(page, rows) or ()
            marker = pages_of(page)
            if marker is None:
                return
            given["marker"] = marker

    def _download(self, operation: ActionOf[bytes], request: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the pieces of a file as they come. It is not asked for again: a part may have been used."""
        sent = signed(self.connection.keys, operation, operation.body(request))
        try:
            with self._http.stream(
                "POST", sent.url, content=sent.body, headers=sent.headers, timeout=self._timeout
            ) as answer:
                if answer.status_code != OK:
                    answer.read()
                    result_of(operation, answer.status_code, answer.headers, answer.content)
                yield from answer.iter_bytes()
        except httpx2.HTTPError as error:
            raise no_answer(sent.url, error) from error

    def _follow(self, operation: ActionOf[R], request: Mapping[str, Any]) -> Iterator[R]:
        given: dict[str, Any] = dict(request)
        tries = Tries(self._retries, operation, has_token=False, ends=False)
        while True:
            lines: EventLines[R] = EventLines(operation)
            try:
                sent = signed(self.connection.keys, operation, operation.body(given))
                with self._http.stream(
                    "POST", sent.url, content=sent.body, headers=sent.headers, timeout=self._timeout
                ) as answer:
                    if answer.status_code != OK:
                        answer.read()
                        result_of(operation, answer.status_code, answer.headers, answer.content)
                    for line in answer.iter_lines():
                        found = lines.take(line)
                        if found is not None:
                            given = followed(given, found[0])
                            tries.worked()
                            yield found[1]
                problem: LeasebookError = is_over(sent.url)
            except httpx2.HTTPError as error:
                problem = no_answer(sent.url, error)
            except LeasebookError as error:
                problem = error
            time.sleep(tries.pause_s(problem))
