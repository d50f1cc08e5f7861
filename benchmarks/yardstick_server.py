"""The yardstick behind our own HTTP, signatures, policies and validation: only what a purchase does in the store is
statement by statement. ``python -m benchmarks.yardstick_server CONNECTIONS serve …`` takes the server's arguments.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.yardstick import Buyer, Job, Shape
from leasehold.cli.main import main
from leasehold.commands.command import Command
from leasehold.commands.purchase import Bought, BuyUnits
from leasehold.sequencer import Note, Sequencer


class Counter:
    """Serves purchases from a pool of connections, each in a thread of its own."""

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self._shape = Shape(connections, hot_last=True)
        self._threads = ThreadPoolExecutor(connections)
        self._local = threading.local()

    async def buy(self, command: BuyUnits) -> Bought:
        """Buy off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._buy, command)

    def _buy(self, command: BuyUnits) -> Bought:
        purchase, token = command.purchase, command.token
        assert token is not None, "the yardstick is asked with client tokens"
        buyer: Buyer | None = getattr(self._local, "buyer", None)
        if buyer is None:
            prepaid = purchase.billing.payment_timing == "Prepaid"
            job = Job(self._url, purchase.account_id, purchase.user_id, prepaid, self._shape, 0)
            buyer = self._local.buyer = Buyer(job)
        return Bought(*buyer.buy(token.value, token.digest))


def _run() -> None:
    connections = int(sys.argv.pop(1))
    if sys.argv[1] == "serve":
        counter = Counter(sys.argv[sys.argv.index("--store") + 1], connections)
        batches = Sequencer.submit

        async def submit(self: Sequencer, command: Command, epoch: str | None = None, note: Note | None = None) -> Any:
            if isinstance(command, BuyUnits):
                return await counter.buy(command)
            return await batches(self, command, epoch, note)

        Sequencer.submit = submit  # type: ignore[method-assign]
    main()


if __name__ == "__main__":
    _run()
