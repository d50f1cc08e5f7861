"""How replicas call the model that they serve.

Many servers of the OpenAI API refuse a ``model`` that they do not serve, and none can know by which of its names a
caller calls the service. So the gateway asks one replica, and puts that name into the body.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec

from leasebook.gateway.ports import Target
from leasebook.gateway.response_check import BadAnswer
from leasebook.gateway.routes import Route
from leasebook.gateway.upstream import Lost, NotConnected, Upstream

PATH: Final = "/v1/models"
KNOWN_S: Final = 60.0
"""How long an answer is used. Another version of the model in the service is asked at once."""
NONE_S: Final = 5.0
"""The same where no replica said what it serves: one that was down may be up again."""
TRIES: Final = 3
"""At most this many replicas are asked, the next one only if one takes no connection."""
WAIT_S: Final = 2.0
ANSWER_MAX: Final = 64 * 1024
KNOWN_MAX: Final = 10_000
NAMES_MAX: Final = 64
NAME_MAX: Final = 256
"""At most this many names that a replica lists are kept, and none with more characters."""
OK: Final = 200


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


_decode: Final = msgspec.json.Decoder(_Models).decode


class ServedNames:
    """The names that replicas gave, by service and version."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}
        """The oldest answer first."""
        self._asked: dict[tuple[str, str], asyncio.Task[tuple[str, ...]]] = {}

    async def name_for(self, route: Route, model: str) -> str:
        """Return the name for the body: ``model`` itself if the replica serves that, or does not say what it serves.

        Calls that need the same answer at once share one question.
        """
        version = route.service.id, route.service.model_id
        known = self._known.get(version)
        if known is not None and time.monotonic() - known[0] < (KNOWN_S if known[1] else NONE_S):
            names = known[1]
        else:
            asked = self._asked.get(version)
            if asked is None:
                asked = self._asked[version] = asyncio.ensure_future(self._learn(version, route))
            # A caller that goes away must not take the question from the others.
            names = await asyncio.shield(asked)
        return names[0] if names and model not in names else model

    async def _learn(self, version: tuple[str, str], route: Route) -> tuple[str, ...]:
        try:
            names = await self._ask_some(route)
        finally:
            del self._asked[version]
        now = time.monotonic()
        self._known.pop(version, None)
        while self._known and now - next(iter(self._known.values()))[0] >= KNOWN_S:
            del self._known[next(iter(self._known))]
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[version] = now, names
        return names

    async def _ask_some(self, route: Route) -> tuple[str, ...]:
        for target in route.open[:TRIES]:
            with suppress(NotConnected):
                return await self._ask(target)
        return ()

    async def _ask(self, target: Target) -> tuple[str, ...]:
        """Return the names that a replica lists, none if it lists none. Raises NotConnected."""
        try:
            async with asyncio.timeout(WAIT_S):
                answer = await self._upstream.ask("GET", target.address, PATH, [("Accept", "application/json")], None)
                try:
                    text = await answer.content.read(ANSWER_MAX) if answer.status == OK else b""
                    while len(text) < ANSWER_MAX and not answer.content.at_eof() and answer.status == OK:
                        text += await answer.content.read(ANSWER_MAX - len(text))
                finally:
                    answer.close()
            names = (model.id for model in _decode(text).data if len(model.id) <= NAME_MAX)
            return tuple(itertools.islice(names, NAMES_MAX))
        except (TimeoutError, BadAnswer, Lost, aiohttp.ClientError):
            return ()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
