"""The client that waits for its answers."""

from __future__ import annotations

import time

from leasebook.client.errors import LeasebookError
from leasebook.client.methods import Methods
from leasebook.client.shapes.instance import ComputeUnitDetail
from leasebook.client.sync_caller import SyncCaller
from leasebook.client.waiting import ANSWER_S, FAILED, ONCE, RELEASED, RUNNING, passes, pauses, too_long


class Client(SyncCaller, Methods):
    """Calls the service, and waits for each answer. It may be used by several threads; close it, or use ``with``.

    Methods are named like the operations of the reference, and take parameters by name. Times are datetimes with a
    time zone, amounts are Decimal. They raise what ``leasebook.client.errors`` has.
    """

    def wait_until_released(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit is released, at most ``timeout_s`` seconds of the real clock; raises WaitedTooLong.

        A server that is away meanwhile is looked for until then; the error of the last look is raised.
        """
        return self._wait(instance_id, RELEASED, RELEASED, "Released", timeout_s)

    def wait_until_running(self, instance_id: str, timeout_s: float = 600.0) -> ComputeUnitDetail:
        """Wait until a unit runs; raises WaitedTooLong, also at once where it will not run any more."""
        return self._wait(instance_id, RUNNING, FAILED, "Running", timeout_s)

    def _wait(
        self, instance_id: str, wanted: frozenset[str], last: frozenset[str], word: str, timeout_s: float
    ) -> ComputeUnitDetail:
        problem: LeasebookError | None = None
        looking = self.within(min(self._timeout, ANSWER_S), ONCE)
        for pause in pauses(timeout_s):
            try:
                unit = looking.describe_unit(instance_id=instance_id)
            except LeasebookError as error:
                if not passes(error):
                    raise
                problem = error
            else:
                status = unit.compute_unit_instance.status
                if status in wanted:
                    return unit
                problem = too_long(instance_id, word, status, timeout_s)
                if status in last:
                    break
            time.sleep(pause)
        assert problem is not None  # noqa: S101 - it has looked
        raise problem
