"""The reports of an engine that fails because of a fault, and of one that goes on when the fault is cleared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from leasebook.api.faults.registry import Faults
from leasebook.batch import Sequencer
from leasebook.domain.book.changes import Changes
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.engine_report import (
    ConfirmFailed,
    ConfirmReleased,
    ConfirmResized,
    ConfirmResizeFailed,
    ConfirmRunning,
)
from leasebook.domain.model.instance import InstanceStatus

log = structlog.get_logger()

WHY: Final = "a fault that is set has the engine fail"


class EngineReports:
    """Submits an engine's failures after the batch that they belong to, as a real engine does."""

    def __init__(self, faults: Faults, sequencer: Sequencer) -> None:
        self._faults = faults
        self._sequencer = sequencer
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    def committed(self, changes: Changes) -> None:  # noqa: ARG002 - the faults know what they are about
        """Report the failures that this batch brought about."""
        failing = self._faults.failing()
        if failing:
            task = asyncio.create_task(self._report(failing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, failing: list[tuple[str, InstanceStatus]]) -> None:
        for unit_id, status in failing:
            command: Command = (
                ConfirmFailed(unit_id=unit_id, reason=WHY)
                if status == "Creating"
                else ConfirmResizeFailed(unit_id=unit_id, reason=WHY)
            )
            try:
                await self._sequencer.submit(command)
            except Exception:
                log.exception("a fault of an engine could not be reported", unit_id=unit_id)


async def go_on(sequencer: Sequencer, places: Iterable[tuple[str, InstanceStatus]]) -> None:
    """Have instances confirmed that waited for their engine."""
    for unit_id, status in places:
        command: Command
        if status == "Creating":
            command = ConfirmRunning(unit_id=unit_id)
        elif status == "Reconfiguring":
            command = ConfirmResized(unit_id=unit_id)
        else:
            command = ConfirmReleased(unit_id=unit_id)
        await sequencer.submit(command)
