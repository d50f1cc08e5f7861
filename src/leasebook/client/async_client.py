"""The client whose answers are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx2

from leasebook.client.caller import OK, ActionOf, Retries, Sent, result_of, signed
from leasebook.client.connection import Connection, connection
from leasebook.client.errors import LeasebookError
from leasebook.client.following import EventLines, followed, is_over
from leasebook.client.handshakes import closing
from leasebook.client.methods import AsyncMethods
from leasebook.client.shapes.instance import ComputeUnitDetail
from leasebook.client.transport import TIMEOUT_S, no_answer, pages_of, with_token
from leasebook.client.tries import Tries
from leasebook.client.waiting import ANSWER_S, FAILED, ONCE, RELEASED, RUNNING, passes, pauses, too_long

R = TypeVar("R")


class AsyncClient(AsyncMethods):
    """Calls the service; each answer is awaited. Close it, or use ``async with``.

    Methods are named like the operations of the reference, and take parameters by name. Times are datetimes with a
    time zone, amounts are Decimal. They raise what ``leasebook.client.errors`` has.
    """

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
        self._http = httpx2.AsyncClient(timeout=timeout, verify=not self.connection.keys.url.startswith("http:"))

    def within(self, timeout: float, retries: Retries | None = None) -> AsyncClient:
        """Return this client with another timeout in seconds, over the same connections."""
        other = object.__new__(AsyncClient)
        other.__dict__.update(self.__dict__)
        other._timeout, other._retries = timeout, retries or self._retries
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _call(self, operation: ActionOf[R], request: Mapping[str, Any]) -> R:
        given = with_token(operation, request)
        body = operation.body(given)
        tries = Tries(self._retries, operation, has_token=bool(given.get("client_token")))
        while True:
            try:
                return await self._send(operation, body)
            except LeasebookError as error:
                pause = tries.pause_s(error)
            await asyncio.sleep(pause)

    async def _send(self, operation: ActionOf[R], body: bytes) -> R:
        sent = signed(self.connection.keys, operation, body)
        try:
            answer = await self._http.post(**self._request(sent))
        except httpx2.HTTPError as error:
            raise no_answer(sent.url, error) from error
        return result_of(operation, answer.status_code, answer.headers, answer.content)

    def _request(self, sent: Sent) -> dict[str, Any]:
        """Return the parameters of a POST."""
        over_tls = sent.url.startswith("https:")
        return {
            "url": sent.url,
            "content": sent.body,
            "headers": sent.headers,
            "timeout": self._timeout,
            "extensions": closing() if over_tls else None,
        }

    async def _each(self, operation: ActionOf[Any], request: Mapping[str, Any], rows: str) -> AsyncIterator[Any]:
        given: dict[str, Any] = dict(request)
        while True:
            page = await self._call(operation, given)
            for row in getattr(page, rows) or ():
                yield row
            marker = pages_of(page)
            if marker is None:
                return
            given["marker"] = marker

    async def _download(self, operation: ActionOf[bytes], request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """Yield the pieces of a file as they come. It is not asked for again: a part may have been used."""
        sent = signed(self.connection.keys, operation, operation.body(request))
        try:
            async with self._http.stream("POST", **self._request(sent)) as answer:
                if answer.status_code != OK:
                    await answer.aread()
                    result_of(operation, answer.status_code, answer.headers, answer.content)
                async for piece in answer.aiter_bytes():
                    yield piece
        except httpx2.HTTPError as error:
            raise no_answer(sent.url, error) from error

    async def _follow(self, operation: ActionOf[R], request: Mapping[str, Any]) -> AsyncIterator[R]:
        given: dict[str, Any] = dict(request)
        tries = Tries(self._retries, operation, has_token=False, ends=False)
        while True:
            lines: EventLines[R] = EventLines(operation)
            try:
                sent = signed(self.connection.keys, operation, operation.body(given))
                async with self._http.stream("POST", **self._request(sent)) as answer:
                    if answer.status_code != OK:
                        await answer.aread()
                        result_of(operation, answer.status_code, answer.headers, answer.content)
                    async for line in answer.aiter_lines():
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
            await asyncio.sleep(tries.pause_s(problem))

    async def wait_until_released(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit is released, at most ``timeout_s`` seconds of the real clock; raises WaitedTooLong.

        A server that is away meanwhile is looked for until then; the error of the last look is raised.
        """
        return await self._wait(instance_id, RELEASED, RELEASED, "Released", timeout_s)

    async def wait_until_running(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit runs; raises WaitedTooLong, also at once where it will not run any more."""
        return await self._wait(instance_id, RUNNING, FAILED, "Running", timeout_s)

    async def _wait(
        self, instance_id: str, wanted: frozenset[str], last: frozenset[str], word: str, timeout_s: float
    ) -> ComputeUnitDetail:
        problem: LeasebookError | None = None
        looking = self.within(min(self._timeout, ANSWER_S), ONCE)
        for pause in pauses(timeout_s):
            try:
                unit = await looking.describe_unit(instance_id=instance_id)
            except LeasebookError as error:
                if not passes(error):
                    raise
                problem = error
            else:
                status = unit.compute_unit_instance.status
                if status in wanted:
                    return unit
                problem = too_long(instance_id, word, status, timeout_s)
                if status in last:
                    break
            await asyncio.sleep(pause)
        assert problem is not None  # noqa: S101 - it has looked
        raise problem
