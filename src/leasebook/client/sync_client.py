"""The client that waits for its answers."""

from __future__ import annotations

import time

from leasebook.client.methods import Methods
from leasebook.client.shapes.instance import ComputeUnitDetail
from leasebook.client.sync_caller import SyncCaller
from leasebook.client.waiting import FAILED, RELEASED, RUNNING, pauses, too_long


class Client(SyncCaller, Methods):
    """Calls the service, and waits for each answer. It may be used by several threads; close it, or use ``with``.

    Methods are named like the operations of the reference, and take parameters by name. Times are datetimes with a
    time zone, amounts are Decimal. They raise what ``leasebook.client.errors`` has.
    """

    def wait_until_released(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit is released, at most ``timeout_s`` seconds of the real clock; raises WaitedTooLong."""
        return self._wait(instance_id, RELEASED, RELEASED, "Released", timeout_s)

    def wait_until_running(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit runs; raises WaitedTooLong, also at once where it will not run any more."""
        return self._wait(instance_id, RUNNING, FAILED, "Running", timeout_s)

    def _wait(
        self, instance_id: str, wanted: frozenset[str], last: frozenset[str], word: str, timeout_s: float
    ) -> ComputeUnitDetail:
        for pause in (*pauses(timeout_s), 0.0):
            unit = self.describe_unit(instance_id=instance_id)
            status = unit.compute_unit_instance.status
            if status in wanted:
                return unit
            if status in last:
                break
            time.sleep(pause)
        raise too_long(instance_id, word, status, timeout_s)
