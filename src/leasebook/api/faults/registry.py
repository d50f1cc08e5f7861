"""The faults that are set on this server, and the decision which call gets one."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator
from typing import Final, Protocol

from leasebook.contract.nouns.fault import faults as contract
from leasebook.domain.model.instance import Instance, InstanceStatus

SECONDS: Final = {"Slow": 1.0, "TooManyRequests": 1.0, "ClockSkew": 86_400.0}
"""Defaults of the kinds that have a number of seconds."""
FAULTS_MAX: Final = 1000
"""Bound on the faults that are set at once: each call looks at all of them."""


class Meter(Protocol):
    """Where faults are counted."""

    def fault_made(self, kind: str) -> None:
        """Count a fault that happened."""


class ActiveFault:
    """A fault that is set. ``left`` is how often it will still happen; None: without a bound."""

    def __init__(self, fault_id: str, wanted: contract.FaultWanted) -> None:
        self.id: Final = fault_id
        self.wanted: Final = wanted
        self.left = wanted.count
        self.happened = 0
        self._dice: Final = random.Random(wanted.seed)  # noqa: S311 - no secret depends on it

    @property
    def seconds(self) -> float:
        """The number of seconds of its kind."""
        wanted = self.wanted.seconds
        return SECONDS.get(self.wanted.kind, 0.0) if wanted is None else wanted

    def happens(self, action: str | None, account_id: str | None) -> bool:
        """Decide whether it happens to a call, and count it."""
        wanted = self.wanted
        if self.left == 0 or wanted.action not in (None, action) or wanted.account_id not in (None, account_id):
            return False
        if wanted.probability is not None and self._dice.random() >= wanted.probability:
            return False
        self.happened += 1
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The faults of one server. They are in memory: another server on the store, or the next start, has none."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._ids: Final = itertools.count(1)
        self._active: Final[list[ActiveFault]] = []
        self._waiting: Final[dict[tuple[str, InstanceStatus], ActiveFault]] = {}
        """Instances that wait for their engine, with their status then, because of a fault."""
        self._failing: Final[list[tuple[str, InstanceStatus]]] = []

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active)

    def __len__(self) -> int:
        return len(self._active)

    def add(self, wanted: contract.FaultWanted) -> None:
        """Set a fault."""
        self._active.append(ActiveFault(f"fault-{next(self._ids)}", wanted))

    def clear(self, ids: Collection[str] | None) -> list[tuple[str, InstanceStatus]]:
        """Clear the faults of these ids, or all; returns the instances that need not wait for their engine any more."""
        gone = [fault for fault in self._active if ids is None or fault.id in ids]
        self._active[:] = [fault for fault in self._active if fault not in gone]
        freed = [place for place, fault in self._waiting.items() if fault in gone]
        for place in freed:
            del self._waiting[place]
        return freed

    def take(self, kind: contract.FaultKind, action: str | None, account_id: str | None) -> ActiveFault | None:
        """Return the first fault of a kind that happens to a call, counted; None: none does."""
        for fault in self._active:
            if fault.wanted.kind == kind and fault.happens(action, account_id):
                self._meter.fault_made(kind)
                return fault
        return None

    # --- engines ----------------------------------------------------------------------------------------------

    def withholds(self, unit: Instance) -> bool:
        """Whether the engine does not confirm the transition that an instance is in; a batch may ask more than once."""
        place = (unit.id, unit.status)
        if place in self._waiting:
            return True
        fault = self.take("EngineSilent", None, unit.account_id)
        if fault is None and unit.status != "Releasing":
            fault = self.take("EngineFails", None, unit.account_id)
            if fault is not None:
                self._failing.append(place)
        if fault is not None:
            self._waiting[place] = fault
        return fault is not None

    def replica(self, kind: contract.FaultKind) -> bool:
        """Whether a replica has a fault of a kind. Engines do not know accounts."""
        return bool(self._active) and self.take(kind, None, None) is not None

    def failing(self) -> list[tuple[str, InstanceStatus]]:
        """Return the instances that the engine is to fail, each once."""
        found = list(self._failing)
        self._failing.clear()
        for place in found:
            self._waiting.pop(place, None)
        return found
