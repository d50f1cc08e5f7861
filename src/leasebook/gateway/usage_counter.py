"""Counting calls: gathered in memory, written down every second and at the end."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from leasebook.batch import Closed, OutcomeUnknown, Overloaded, Sequencer, Unavailable
from leasebook.domain.commands.service.usage import CountCalls
from leasebook.domain.values.calendar import MINUTE_US, Instant
from leasebook.domain.values.refusal import BAD_VALUE, Refusal
from leasebook.gateway.ports import Counted
from leasebook.gateway.token_usage import TOKENS_MAX, Tokens
from leasebook.ports.clock import Clock

log = structlog.get_logger()

EVERY_S: Final = 1.0


class Counts:
    """Sums by app and service. A server that dies loses the sums that it has not written yet: the calls of a second."""

    def __init__(self, sequencer: Sequencer, clock: Clock) -> None:
        self._sequencer = sequencer
        self._clock = clock
        self._sums: dict[Counted, list[int]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="calls")

    async def stop(self) -> None:
        """Write the rest, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.write()

    def add(self, account_id: str, service_id: str, app_id: str, tokens: Tokens, *, succeeded: bool) -> None:
        """Count a call that has ended."""
        minute = Instant(self._clock.now() // MINUTE_US * MINUTE_US)
        sums = [tokens.read, tokens.written, int(succeeded), int(not succeeded)]
        self._plus(Counted(account_id, service_id, app_id, minute), sums)

    def _plus(self, key: Counted, more: list[int]) -> None:
        sums = self._sums.get(key, [0, 0, 0, 0])
        self._sums[key] = [min(one + other, TOKENS_MAX) for one, other in zip(sums, more, strict=True)]

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await asyncio.shield(self.write())

    async def write(self) -> None:
        """Write down what was gathered."""
        sums, self._sums = self._sums, {}
        await asyncio.gather(*(self._submit(key, counted) for key, counted in sums.items()))

    async def _submit(self, key: Counted, sums: list[int]) -> None:
        read, written, succeeded, failed = sums
        command = CountCalls(
            account_id=key.account_id,
            service_id=key.service_id,
            app_id=key.app_id,
            at=key.minute,
            input_tokens=read,
            output_tokens=written,
            succeeded=succeeded,
            failed=failed,
        )
        try:
            await self._sequencer.submit(command)
        except OutcomeUnknown:
            # Counted twice would be worse than not at all: calls cost money.
            log.exception("calls may not be counted", service=key.service_id, calls=sum(sums[2:]))
        except (Overloaded, Unavailable):
            self._plus(key, sums)
        except Refusal as refusal:
            # The store's clock may be a little behind at the turn of a minute. A service that is gone counts no more.
            if refusal.reason == BAD_VALUE:
                self._plus(key, sums)
            else:
                log.warning("calls are not counted", service=key.service_id, reason=refusal.message)
        except Closed:
            log.warning("calls are not counted, the server has stopped", service=key.service_id, calls=sum(sums[2:]))
        except Exception:
            # The outcome of the write is unknown, so it is not tried again.
            log.exception("calls may not be counted", service=key.service_id)
