"""Reports of workers about an engine's units, and the stock that follows from them."""

from __future__ import annotations

from typing import ClassVar

from leasebook.domain.book.draft import Draft
from leasebook.domain.book.loads import OfferingsOfType
from leasebook.domain.book.tables import ENGINE_CAPACITIES, OFFERINGS, WORKERS
from leasebook.domain.commands.command import Command, Needs
from leasebook.domain.model.engine_capacity import CapacityReport, EngineCapacity
from leasebook.domain.model.lease import LEFT
from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.values.calendar import Instant
from leasebook.domain.values.rule_settings import Rules


class ReportSupply(Command, frozen=True, kw_only=True):
    """Record an engine's units on a worker's node, or that it cannot be asked. Returns whether the report counts.

    ``types`` are the types offered where the engine serves them, as far as the worker knows. ``dead`` lists workers
    with the beat that no longer changed; a worker whose beat has changed since lives. ``gone`` are nodes whose workers
    have been dead for too long for their units to count. ``notify_account_id`` is the account whose events report
    differences.
    """

    answer: ClassVar[type] = bool

    engine: str
    word: CapacityReport
    routes: Routes
    notify_account_id: str | None
    types: tuple[str, ...]
    dead: tuple[tuple[str, int], ...] = ()
    gone: tuple[str, ...] = ()

    def needs(self) -> Needs:
        """The engine's reports, every offering of these types, and the workers that may be dead."""
        yield ENGINE_CAPACITIES, (self.engine,)
        for unit_type in self.types:
            yield OfferingsOfType(unit_type)
        for worker_id, _ in self.dead:
            yield WORKERS, (worker_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Write it, unless a living worker's report takes precedence or other types are offered by now."""
        before = draft.get(ENGINE_CAPACITIES, self.engine) or EngineCapacity(self.engine)
        if set(before.stocks) - set(self.types):
            return False
        dead = set()
        for worker_id, beat in self.dead:
            worker = draft.get(WORKERS, worker_id)
            if worker is None or worker.beat in (beat, LEFT):
                dead.add(worker_id)
        supply = before.with_notify_account(self.notify_account_id).hear(self.word, dead, set(self.gone))
        if supply is None:
            return False
        for unit_type in self.types:
            supply, changed = supply.reckon(unit_type, draft.offerings_of(unit_type), self.routes)
            for offering in changed:
                draft.put(OFFERINGS, offering)
        draft.put(ENGINE_CAPACITIES, supply)
        return True
