"""Scenes with a service and a receiver, and what can be waited for in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from leasebook.domain.commands.store.demo import UNIT_ID
from leasebook.store.opening import Target
from leasebook.store.verify.check import check_store
from tests.harness import Client, a_service
from tests.outbox.receivers import LOCAL, Receiver, a_receiver, deliveries, now, release, until


@asynccontextmanager
async def served(where: Path | Target, **settings: str) -> AsyncIterator[tuple[Client, Receiver]]:
    """Run a service and a receiver, and check the books in the end.

    The instance of the demo is released. It would be charged every hour of the days that tests let pass.
    """
    async with a_receiver() as receiver, a_service(where, demo=True, environment=LOCAL | settings) as desk:
        await release(desk, UNIT_ID)
        yield desk, receiver
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
