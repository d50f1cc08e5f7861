"""The engine of what an operator gave up: nothing of it is there any more, and nothing starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leasebook.domain.model.replica import Isolation, Seen, Wanted
from leasebook.domain.replicas.unserved import Gone
from leasebook.engines.contract import LogPart, LogPlace, NoRoom, ReplicaEngine


class GoneEngine:
    """Takes the place of an engine that this server does not have, so that stored replicas of it can end."""

    local = False
    has_log_parts = False

    def __init__(self, name: str) -> None:
        self.name = name

    def isolation(self) -> Isolation:
        """Nothing runs there."""
        return Isolation()

    async def start(self, wanted: Wanted) -> None:
        """Raises NoRoom."""
        raise NoRoom(f"The setting engines_gone says that there is no {self.name} any more, for {wanted.name}.")

    async def stop(self, name: str, grace_s: float) -> None:
        """Nothing is there."""

    async def end_in(self, name: str, seconds: float | None) -> None:
        """Nothing is there."""

    async def observe(self) -> dict[str, Seen]:
        """Nothing is there."""
        return {}

    async def logs(self, name: str, lines_max: int) -> list[str]:
        """None are left."""
        del name, lines_max
        return []

    async def log_part(self, name: str, after: LogPlace | None, bytes_max: int) -> LogPart:
        """None are left."""
        del name, bytes_max
        return LogPart((), after or LogPlace(0, 0), is_over=True)

    async def log_sent(self, name: str, place: LogPlace) -> None:
        """Nothing is there to note it."""

    async def capacity(self) -> dict[str, int]:
        """It has nothing."""
        return {}

    async def close(self) -> None:
        """Nothing is held."""


def with_gone(engines: Mapping[str, ReplicaEngine], gone: Iterable[Gone]) -> dict[str, ReplicaEngine]:
    """Return a server's engines, and a ``GoneEngine`` for each that it does not have and an operator gave up."""
    return {**{one.engine: GoneEngine(one.engine) for one in gone if one.engine not in engines}, **engines}
