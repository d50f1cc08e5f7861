"""The logs of replicas whose lines go to a log store, and how far each of them was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

import structlog

from leasebook.domain.model.replica import Replica
from leasebook.engines.contract import LogPart, LogPlace, ReplicaEngine, Unreachable

log = structlog.get_logger()


class FollowedLog:
    """The log of one try of a replica, and how far its lines were sent. A place of None: as its engine noted."""

    def __init__(self, row: Replica) -> None:
        self.row: Final = row
        self.place: LogPlace | None = None
        self.lost_known = 0
        """How many of the lines that are lost after ``place`` were counted."""
        self.is_unreadable = False
        """Whether reading it failed, and was logged."""


class FollowedLogs:
    """Reads logs, and notes how far they were sent.

    ``engines`` have log parts. ``node`` is this machine: a local engine has the logs of its own machine only. An engine
    that has not answered after ``call_s`` seconds is asked again at the next look.
    """

    def __init__(self, engines: Mapping[str, ReplicaEngine], node: str, call_s: float) -> None:
        self._engines: Final = engines
        self._node: Final = node
        self._call_s: Final = call_s
        self._logs: dict[str, FollowedLog] = {}

    @property
    def service_ids(self) -> set[str]:
        """The services of the replicas."""
        return {one.row.service_id for one in self._logs.values()}

    def in_turn(self) -> list[FollowedLog]:
        """Return all, the one first whose lines were sent longest ago."""
        return list(self._logs.values())

    def follow(self, row: Replica) -> None:
        """Follow the log of a try, unless it is followed, or this machine cannot read it."""
        engine = self._engines.get(row.engine)
        if engine is not None and row.name not in self._logs and (not engine.local or row.node == self._node):
            self._logs[row.name] = FollowedLog(row)

    def keep(self, service_ids: Collection[str]) -> None:
        """Forget the logs of all other services."""
        self._logs = {name: one for name, one in self._logs.items() if one.row.service_id in service_ids}

    def forget(self, one: FollowedLog) -> None:
        """Follow a log no more."""
        self._logs.pop(one.row.name, None)

    def put_last(self, one: FollowedLog) -> None:
        """Give a log its next turn after all others."""
        self.forget(one)
        self._logs[one.row.name] = one

    async def read(self, one: FollowedLog, most_bytes: int) -> LogPart | None:
        """Return the next part of a log; None if it cannot be read now."""
        try:
            async with asyncio.timeout(self._call_s):
                return await self._engines[one.row.engine].log_part(one.row.name, one.place, most_bytes)
        except (TimeoutError, Unreachable) as error:
            log.debug("a log cannot be read now", name=one.row.name, error=repr(error))
        except Exception as error:  # noqa: BLE001 - one log must not keep the lines of all others
            if not one.is_unreadable:
                log.warning("a log cannot be read, and its lines wait", name=one.row.name, error=repr(error))
            one.is_unreadable = True
        return None

    async def sent(self, one: FollowedLog, place: LogPlace) -> None:
        """Note that a log was sent up to a place."""
        one.place, one.lost_known = place, 0
        try:
            async with asyncio.timeout(self._call_s):
                await self._engines[one.row.engine].log_sent(one.row.name, place)
        except (TimeoutError, Unreachable) as error:
            # The place is in memory. Without the note, lines are sent twice after a restart.
            log.debug("a place in a log cannot be noted now", name=one.row.name, error=repr(error))
