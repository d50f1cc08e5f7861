"""The yardstick behind our own HTTP, signatures, policies and validation: only what a purchase does in the store is
statement by statement. ``python -m benchmarks.yardstick_server CONNECTIONS serve …`` takes the server's arguments.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.sinks import master_key_of
from benchmarks.yardstick import Buyer, Job, Shape
from leasebook.batch import AuditContext, Sequencer
from leasebook.cli.main import main
from leasebook.domain.commands.command import Command
from leasebook.domain.commands.instance.purchase import BuyUnits, Purchased
from leasebook.domain.record.audit_log import Entry, Line
from leasebook.domain.values.calendar import Instant
from leasebook.store.opening import Target


class Counter:
    """Serves purchases from a pool of connections, each in a thread of its own."""

    def __init__(self, where: Target, connections: int) -> None:
        self._where = where
        self._shape = Shape(connections, hot_last=True)
        self._threads = ThreadPoolExecutor(connections)
        self._local = threading.local()

    async def buy(self, command: BuyUnits, note: AuditContext) -> Purchased:
        """Buy off the event loop."""
        bought, entry = await asyncio.get_running_loop().run_in_executor(self._threads, self._buy, command, note)
        note.written(entry)
        return bought

    def _buy(self, command: BuyUnits, note: AuditContext) -> tuple[Purchased, Entry]:
        purchase, token = command.purchase, command.token
        assert token is not None, "the yardstick is asked with client tokens"
        buyer: Buyer | None = getattr(self._local, "buyer", None)
        if buyer is None:
            prepaid = purchase.billing.payment_timing == "Prepaid"
            key, url = master_key_of(self._where), self._where.url or ""
            job = Job(url, key, purchase.account_id, purchase.by, prepaid, self._shape, 0)
            buyer = self._local.buyer = Buyer(job)
        lines: list[Line] = []

        def line(now: Instant) -> Line:
            lines.append(note.decided(now, None))
            return lines[-1]

        return Purchased(*buyer.buy(token.value, token.digest, line)), lines[0][1]


def _run() -> None:
    connections = int(sys.argv.pop(1))
    if sys.argv[1] == "serve":
        data, store = (sys.argv[sys.argv.index(name) + 1] for name in ("--data", "--store"))
        counter = Counter(Target(Path(data), store), connections)
        batches = Sequencer.submit

        async def submit(
            self: Sequencer,
            command: Command,
            epoch: str | None = None,
            note: AuditContext | None = None,
            *,
            party: str | None = None,
        ) -> Any:
            if isinstance(command, BuyUnits) and note is not None:
                return await counter.buy(command, note)
            return await batches(self, command, epoch, note, party=party)

        Sequencer.submit = submit  # type: ignore[method-assign]
    main()


if __name__ == "__main__":
    _run()
