"""The log of calls that are refused before the caller is known: counted in memory, and stored once a minute.

A flood of bad calls writes a bounded number of rows. The audit log of a named account gets only a count.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Network, ip_address
from typing import Final, Protocol

import structlog

from leasebook.api.ids import hex_id, uuid4_text
from leasebook.batch import Sequencer
from leasebook.contract.errors import ERRORS
from leasebook.domain.commands.account.signature import NoteRefused
from leasebook.domain.record.audit_log import MESSAGE_MAX, Entry
from leasebook.domain.record.signature import RefusedCalls
from leasebook.domain.values.calendar import HOUR_US, MINUTE_US, SECOND_US, Instant, rfc3339
from leasebook.ports.clock import Clock, wall_us

log = structlog.get_logger()

MINUTE_ROWS: Final = 64
HOUR_ROWS: Final = 512
"""Upper bounds on the separate rows of a minute and of an hour; all other calls share one row a minute."""
ADDRESS_KEYS: Final = 8
"""Upper bound on the keys of one address with a row of their own in a minute; other calls count without a key."""
PENDING_MAX: Final = 1024
"""Rows that wait while the store takes none."""
UNKNOWN: Final = "unknown"
"""The address of a call that came over no network."""
ACTION: Final = "RefusedCalls"
"""The action in the audit entry that counts refused calls of a key."""
_STATUS: Final = {error.code: error.status for error in ERRORS}


class Meter(Protocol):
    """Counts the refused calls that have no row of their own."""

    def refused_unlisted(self) -> None:
        """Count a refused call that has no row of its own."""


class _Row:
    """The refused calls of a minute from one address with one key."""

    __slots__ = ("account_id", "codes", "first_at", "id", "is_written", "last_at")

    def __init__(self, account_id: str, at: int) -> None:
        self.id = hex_id()
        self.account_id = account_id
        self.codes: Counter[str] = Counter()
        self.first_at = self.last_at = at
        self.is_written = False

    def add(self, code: str, at: int) -> None:
        self.codes[code] += 1
        self.last_at = max(at, self.last_at)
        self.is_written = False


class Refusals:
    """The log of refused calls of one server.

    A killed process loses the counts of the running minute; a clean stop writes them. ``wall`` returns the machine's
    clock in microseconds: signatures use that clock, whatever clock the instances use.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        clock: Clock,
        meter: Meter,
        *,
        wall: Callable[[], int] = wall_us,
        minute_rows: int = MINUTE_ROWS,
        hour_rows: int = HOUR_ROWS,
    ) -> None:
        self._sequencer = sequencer
        self._clock = clock
        self._meter = meter
        self._wall = wall
        self._minute_rows, self._hour_rows = minute_rows, hour_rows
        self._minute = self._hour = 0
        self._hour_count = 0
        self._rows: dict[tuple[str, str], _Row] = {}
        self._keys: Counter[str] = Counter()
        self._pending: dict[str, RefusedCalls] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def count(self, address: str, access_key_id: str, account_id: str, code: str) -> None:
        """Count a refused call. ``account_id`` is the key's account; "" if there is no key or it was not looked up."""
        at = self._wall()
        self._turn(at)
        self._row(_shown(address), access_key_id, account_id, at).add(code, at)
        if self._timer is None and not self._stopped:
            # A second after the minute, so that it is over by then.
            wait_s = (self._minute + MINUTE_US - at) / SECOND_US + 1
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._ring)

    def _row(self, address: str, access_key_id: str, account_id: str, at: int) -> _Row:
        """Return what a call is counted in; a new one while there is room."""
        row = self._rows.get((address, access_key_id))
        if row is not None:
            return row
        if access_key_id and self._keys[address] >= ADDRESS_KEYS:
            return self._row(address, "", "", at)
        if len(self._rows) >= self._minute_rows or self._hour_count >= self._hour_rows:
            self._meter.refused_unlisted()
            address, access_key_id, account_id = "", "", ""
            row = self._rows.get((address, access_key_id))
            if row is not None:
                return row
        else:
            self._hour_count += 1
            if access_key_id:
                self._keys[address] += 1
        row = self._rows[address, access_key_id] = _Row(account_id, at)
        return row

    def _turn(self, at: int) -> None:
        """Begin a new minute where one has begun: what the last one has is complete."""
        minute = at // MINUTE_US * MINUTE_US
        if minute == self._minute:
            return
        self._close()
        if minute // HOUR_US != self._hour:
            self._hour, self._hour_count = minute // HOUR_US, 0
        self._minute = minute

    def _close(self) -> None:
        """End the minute: its rows wait to be written, and the accounts whose keys were named get their counts."""
        self._collect()
        told: dict[tuple[str, str], Counter[str]] = {}
        for (_, access_key_id), row in self._rows.items():
            if row.account_id:
                told.setdefault((row.account_id, access_key_id), Counter()).update(row.codes)
        for (account_id, access_key_id), codes in told.items():
            self._sequencer.note((account_id, self._entry(access_key_id, codes)))
        self._rows.clear()
        self._keys.clear()

    def _entry(self, access_key_id: str, codes: Counter[str]) -> Entry:
        code = codes.most_common(1)[0][0]
        counts = ", ".join(f"{count} {name}" for name, count in codes.most_common())
        since = rfc3339(Instant(self._minute), "UTC")
        message = f"{codes.total()} calls that name this access key were refused in the minute from {since}: {counts}."
        return Entry(
            at=self._clock.now(),
            request_id=uuid4_text(),
            user_id=None,
            access_key=access_key_id,
            address="",
            path="",
            action=ACTION,
            status=_STATUS.get(code, 500),
            code=code,
            message=message[:MESSAGE_MAX],
            body="",
            names=(),
            token=False,
        )

    def _collect(self) -> None:
        """Let rows wait that say something new."""
        for (address, access_key_id), row in self._rows.items():
            if not row.is_written:
                row.is_written = True
                self._pending[row.id] = RefusedCalls(
                    row.id,
                    Instant(self._minute),
                    address,
                    access_key_id,
                    row.account_id,
                    row.codes.total(),
                    dict(sorted(row.codes.items())),
                    Instant(row.first_at),
                    Instant(row.last_at),
                )
        while len(self._pending) > PENDING_MAX:
            row_lost = self._pending.pop(next(iter(self._pending)))
            log.error("refused calls are here and not in the store", calls=row_lost.calls, address=row_lost.address)

    def _ring(self) -> None:
        self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._write_on(), name="refusals")

    async def _write_on(self) -> None:
        with suppress(Exception):
            await self.flush()
        if (self._rows or self._pending) and self._timer is None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(MINUTE_US / SECOND_US, self._ring)

    async def flush(self) -> None:
        """Write what was counted so far, in one batch; raises what ``Sequencer.submit`` raises, and keeps it then."""
        self._turn(self._wall())
        self._collect()
        rows = tuple(self._pending.values())
        if rows:
            await self._sequencer.submit(NoteRefused(rows=rows))
            for row in rows:
                if self._pending.get(row.id) is row:
                    del self._pending[row.id]

    async def stop(self) -> None:
        """Write what the running minute has: there is no next one."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await self._task
        self._close()
        try:
            await self.flush()
        except Exception as error:  # noqa: BLE001 - the server stops, whatever the store says
            log.error("refused calls were not written", rows=len(self._pending), error=str(error))  # noqa: TRY400


@lru_cache(maxsize=1024)
def _shown(address: str) -> str:
    """Return the address that a call counts for; of IPv6 its /64 network, since a user has all of that."""
    if ":" not in address:
        return address or UNKNOWN
    try:
        return str(IPv6Network((int(ip_address(address)) >> 64 << 64, 64)))
    except ValueError:
        return address
