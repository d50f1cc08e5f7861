"""Which instances the reconciler is to look at, and when; and the steps that are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from typing import Any, Final

import structlog

from leasebook.domain.book.changes import Changes
from leasebook.domain.book.tables import INSTANCES, MODELS, SERVICES
from leasebook.domain.model.replica import Replica
from leasebook.domain.values.calendar import SECOND_US
from leasebook.reconciler.ports import LATER, Time

log = structlog.get_logger()

PAUSE_MIN_S: Final = 0.01
"""An instance whose time has come already is not looked at without a pause."""
ORPHAN: Final = "orphan "
"""Begins the key of a step that ends a replica without an instance; all other keys are ids of instances."""


class WorkQueue:
    """Keeps the ids of instances to plan. It makes no calls and no decisions; the reconciler does.

    An instance enters when it changes, when its replicas change, and at the time that its plan names. It waits while
    one of its steps is in progress. ``step_ended`` is called after each step.
    """

    def __init__(self, time: Time, step_ended: Callable[[], None]) -> None:
        self._time: Final = time
        self._step_ended: Final = step_ended
        self._dirty: set[str] = set()
        """To be looked at as soon as no step of theirs is under way."""
        self._is_all_dirty = True
        self._again_at: dict[str, int] = {}
        """When to look again (wall time, microseconds), though nothing happens before."""
        self._touched_at: dict[str, float] = {}
        """When something was last done about them (steady seconds): what engines showed before says nothing."""
        self._unsettled: set[str] = set()
        """Those with replicas that start or stop, or that no engine showed yet: each new look may bring news."""
        self._unit_of: dict[str, str] = {}
        """The instance of each live replica, by the replica's name."""
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._is_closed = False

    # --- what happens -------------------------------------------------------------------------------------

    def committed(self, changes: Changes) -> None:
        """Mark what a commit changed of instances, services and models that engines run."""
        for rows in (changes.inserted.get(INSTANCES, ()), changes.updated.get(INSTANCES, ())):
            for unit in rows:
                if unit.generation > 0 or any(placed.runs for placed in unit.placements):
                    self._dirty.add(unit.id)
        before = changes.before.get(SERVICES, ())
        for old, new in zip(before, changes.updated.get(SERVICES, ()), strict=True):
            if new.runs and (old.active, old.model_id, old.runs) != (new.active, new.model_id, new.runs):
                self._is_all_dirty = True
        for was, now in zip(changes.before.get(MODELS, ()), changes.updated.get(MODELS, ()), strict=True):
            if was.is_trusted is not now.is_trusted or was.withdrawn_at != now.withdrawn_at:
                self._is_all_dirty = True
        if self._dirty or self._is_all_dirty:
            self.wake()

    def observed(self, names: Iterable[str]) -> None:
        """Mark the instances of replicas that an engine shows differently now, and all that are unsettled."""
        self._dirty |= {unit_id for name in names if (unit_id := self._unit_of.get(name)) is not None}
        self._dirty |= self._unsettled
        if self._dirty:
            self.wake()

    def mark(self, unit_id: str) -> None:
        """Have an instance looked at, once no step of it is under way."""
        self._dirty.add(unit_id)

    def touch(self, unit_id: str) -> None:
        """Mark an instance about which something was done just now."""
        self._touched_at[unit_id] = self._time.steady()
        self._unsettled.add(unit_id)
        self._dirty.add(unit_id)
        self.wake()

    # --- instances to plan --------------------------------------------------------------------------------

    @property
    def is_all_dirty(self) -> bool:
        """Whether something happened that may concern every instance."""
        return self._is_all_dirty

    @property
    def is_unsettled(self) -> bool:
        """Whether engines are to be looked at often."""
        return bool(self._unsettled)

    def take_all(self) -> None:
        """Everything is looked at now; those whose steps are under way are to be looked at again afterwards."""
        self._is_all_dirty = False
        self._dirty &= self._steps.keys()

    def take_due(self) -> list[str]:
        """Return the instances to look at now, in order."""
        now = self._time.wall()
        self._dirty |= {unit_id for unit_id, at in self._again_at.items() if at <= now}
        ids = sorted(self._dirty - self._steps.keys())
        self._dirty.difference_update(ids)
        return ids

    def touched_at(self, unit_id: str) -> float:
        """Return when something was last done about an instance, in steady seconds; now, where nothing was."""
        return self._touched_at.setdefault(unit_id, self._time.steady())

    def planned(
        self, unit_id: str, replicas: Collection[Replica], *, again_at: int | None, unsettled: bool, is_done: bool
    ) -> None:
        """Keep when to look again (None: once something happens), and to which replicas the instance has.

        ``is_done``: nothing runs of it and nothing is to be done.
        """
        for row in replicas:
            if row.is_live:
                self._unit_of[row.name] = unit_id
            else:
                self._unit_of.pop(row.name, None)
        if again_at is None:
            self._again_at.pop(unit_id, None)
        else:
            self._again_at[unit_id] = again_at
        if unsettled:
            self._unsettled.add(unit_id)
        else:
            self._unsettled.discard(unit_id)
        if is_done:
            self._touched_at.pop(unit_id, None)

    def forget(self, found: set[str], asked: Sequence[str] | None) -> None:
        """Forget instances that need no more looking after: those of ``asked``, or of all, that were not found."""
        known = self._touched_at.keys() | self._again_at.keys() | self._unsettled
        gone = set(known if asked is None else asked) - found
        for unit_id in gone:
            self._touched_at.pop(unit_id, None)
            self._again_at.pop(unit_id, None)
        self._unsettled -= gone
        if asked is None:
            self._unit_of = {name: unit_id for name, unit_id in self._unit_of.items() if unit_id in found}

    # --- waiting ------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """End ``wait``, the next one where none is under way."""
        self._wake.set()

    def begin(self) -> None:
        """Begin to look: what happens from now on ends the next ``wait``."""
        self._wake.clear()

    async def wait(self, seconds: float) -> None:
        """Wait until something happens, an instance is to be looked at again, or ``seconds`` have passed."""
        soonest = min(self._again_at.values(), default=None)
        if soonest is not None:
            seconds = min(seconds, (soonest - self._time.wall()) / SECOND_US)
        try:
            async with asyncio.timeout(max(seconds, PAUSE_MIN_S)):
                await self._wake.wait()
        except TimeoutError:
            pass

    # --- steps --------------------------------------------------------------------------------------------

    def is_busy(self, unit_id: str) -> bool:
        """Whether a step of an instance is under way."""
        return unit_id in self._steps

    def spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a step, where none of that key is under way; ``key`` is an instance's id, or begins with ORPHAN."""
        if key in self._steps or self._is_closed:
            work.close()
            return
        task = asyncio.create_task(work)
        self._steps[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        del self._steps[key]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, LATER):
            log.error("a step failed, it is planned again", unit_id=key, error=repr(error), exc_info=error)
        if not key.startswith(ORPHAN):
            self.touch(key)
        self._step_ended()

    @property
    def is_closed(self) -> bool:
        """Whether no step is begun any more."""
        return self._is_closed

    def close(self) -> None:
        """Begin no more steps, and end ``wait``."""
        self._is_closed = True
        self.wake()

    async def settle_down(self) -> None:
        """Wait until every step that was begun has ended."""
        while self._steps:
            await asyncio.gather(*self._steps.values(), return_exceptions=True)
            await asyncio.sleep(0)
