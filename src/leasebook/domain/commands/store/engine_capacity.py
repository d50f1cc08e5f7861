"""What whoever works on an engine says of it, and the stock that follows."""

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
    """A worker says what an engine has on its node, or that it cannot be asked. Answers whether that word counts.

    ``types`` are those that are offered where the engine serves them, as far as the worker knows. ``dead`` are workers
    with the beat at which they were seen to stand still; one that moved since lives. ``gone`` are nodes whose workers
    have been dead for so long that their units are not to count. ``told_to`` is the account whose events tell of it.
    """

    answer: ClassVar[type] = bool

    engine: str
    word: CapacityReport
    routes: Routes
    told_to: str | None
    types: tuple[str, ...]
    dead: tuple[tuple[str, int], ...] = ()
    gone: tuple[str, ...] = ()

    def needs(self) -> Needs:
        """What was said before, every offering of these types, and who is thought to be dead."""
        yield ENGINE_CAPACITIES, (self.engine,)
        for unit_type in self.types:
            yield OfferingsOfType(unit_type)
        for worker_id, _ in self.dead:
            yield WORKERS, (worker_id,)

    def decide(self, draft: Draft, rules: Rules, now: Instant) -> bool:  # noqa: ARG002 - no setting matters
        """Write it down, where no living worker's word counts and nothing else is offered meanwhile."""
        before = draft.get(ENGINE_CAPACITIES, self.engine) or EngineCapacity(self.engine)
        if set(before.stocks) - set(self.types):
            return False
        dead = set()
        for worker_id, beat in self.dead:
            worker = draft.get(WORKERS, worker_id)
            if worker is None or worker.beat in (beat, LEFT):
                dead.add(worker_id)
        supply = before.told(self.told_to).hear(self.word, dead, set(self.gone))
        if supply is None:
            return False
        for unit_type in self.types:
            supply, changed = supply.reckon(unit_type, draft.offerings_of(unit_type), self.routes)
            for offering in changed:
                draft.put(OFFERINGS, offering)
        draft.put(ENGINE_CAPACITIES, supply)
        return True
