"""Scenes with a service and a receiver, and what can be waited for in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.harness import Client, a_service, play
from tests.outbox.receivers import LOCAL, Receiver, a_receiver, deliveries, now, until


def played(where: Path | Target, scene: Callable[[Client, Receiver], Awaitable[None]], **settings: str) -> None:
    """Play a scene with a service and a receiver, and check the books after it."""

    async def whole() -> None:
        async with a_receiver() as receiver, a_service(where, demo=True, environment=LOCAL | settings) as desk:
            await scene(desk, receiver)

    play(whole)
    assert check_store(Target(where) if isinstance(where, Path) else where).findings == []


async def later(desk: Client, **span: float) -> None:
    """Move the clock forward by so much."""
    await desk.advance((datetime.fromisoformat(await now(desk)) + timedelta(**span)).isoformat())


async def tried(desk: Client, attempts: int, **wanted: Any) -> None:
    """Wait until the oldest delivery that waits was tried so often."""

    async def look() -> bool:
        found = await deliveries(desk, state="Waiting", **wanted)
        return bool(found) and found[-1]["attempts"] >= attempts

    await until(f"it was tried {attempts} times", look)
