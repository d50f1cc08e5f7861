"""Refused service keys, as the audit log gets them: summed up by address, key and minute.

An attacker who tries keys makes as many calls as possible, and must not fill the log with them: it gets one entry a
minute for each address and key, a bounded number of entries a minute in all, and one for the rest.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from leasebook.batch import Sequencer
from leasebook.contract.errors import INVALID_SERVICE_KEY
from leasebook.domain.record.audit_log import Entry
from leasebook.gateway.keys import Sought, Why
from leasebook.ports.clock import Clock

EVERY_S: Final = 60.0
ENTRIES_MAX: Final = 100
"""The most entries a minute. Further refusals in that minute share one more."""
ADDRESS_MAX: Final = 64


class _Place(NamedTuple):
    account_id: str
    address: str
    key_id: str | None


ELSEWHERE: Final = _Place("", "*", None)
"""Whatever has no entry of its own."""


class _Sum(NamedTuple):
    calls: int
    why: Why
    request_id: str


class Refusals:
    """The refusals of this minute."""

    def __init__(self, sequencer: Sequencer, clock: Clock) -> None:
        self._sequencer = sequencer
        self._clock = clock
        self._sums: dict[_Place, _Sum] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="refused-keys")

    async def stop(self) -> None:
        """Write the rest, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self.write()

    def add(self, sought: Sought, address: str, request_id: str) -> None:
        """Count a call whose key opened nothing. A key that there is or was is its account's matter."""
        row = sought.row
        place = _Place(sought.account_id if row is None else row.account_id, address[:ADDRESS_MAX], sought.key_id)
        if place not in self._sums and len(self._sums) >= ENTRIES_MAX:
            place = ELSEWHERE
        before = self._sums.get(place)
        self._sums[place] = _Sum(1 if before is None else before.calls + 1, sought.why, request_id)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.write()

    def write(self) -> None:
        """Write an entry for each address and key."""
        sums, self._sums = self._sums, {}
        for place, found in sums.items():
            self._sequencer.note((place.account_id, self._entry(place, found)))

    def _entry(self, place: _Place, found: _Sum) -> Entry:
        error = INVALID_SERVICE_KEY
        return Entry(
            at=self._clock.now(),
            request_id=found.request_id,
            user_id=None,
            access_key=place.key_id,
            address=place.address,
            path="/services",
            action="CallService",
            status=error.status,
            code=error.code,
            message=f"{found.calls} calls within a minute that no key opens anything to. The last {SAID[found.why]}.",
            body="",
            names=(),
            token=False,
        )


SAID: Final[dict[Why, str]] = {
    "none": "carried none",
    "unknown": "carried one that there is not",
    "wrong": "carried the id of one that there is, and another secret",
    "deleted": "carried one that was deleted",
    "orphaned": "carried one whose maker may make none any more",
    "expired": "carried a token whose time is over",
    "": "",
}
