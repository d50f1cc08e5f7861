"""One real server on an embedded store, and what can be proved of it from outside."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from tests import forked
from tests.copies import put_tables
from tests.crash.fleet import ACCOUNT, CATALOG, UNITS, FleetClient, Process, environment
from tests.harness import ROOT_KEY, ROOT_SECRET, Answer
from tests.ports import free_port

NAME = "server"
PER_MINUTE, PER_MONTH = Decimal("0.01"), Decimal(10)
"""The price of everything that these tests sell."""
WITHOUT_END = {"LEASEBOOK_SERVER_DRAIN_SECONDS": "600"}
"""Setting of a server that may take longer for answers under way than a test waits for its end (``STOP_S``): one that
waited for something else fails the test."""


@contextmanager
def lone_server(
    folder: Path,
    *arguments: str,
    before: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    tables: bool = True,
    nursery: forked.Nursery | None = None,
) -> Iterator[Process]:
    """Run a server on a data directory of its own, a new one with tables in it; ends it in whatever state it is.

    ``before`` is a command that starts it, ``variables`` more of its environment; ``nursery`` forks it. Without
    ``tables`` a new directory is left to the server to make.
    """
    if tables and not (folder / NAME).exists():
        put_tables(folder / NAME)
    words, port = ("serve", *arguments), free_port()
    server = Process(NAME, folder, words, port, before=before, variables=variables, nursery=nursery)
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.remove()


def data_of(folder: Path) -> Path:
    """Return the data directory of the server that runs there."""
    return folder / NAME


def root_of(server: Process, *, patience_s: float = 60.0) -> FleetClient:
    """Return the first root, as a caller of that server."""
    assert server.port is not None
    return FleetClient([server.port], ROOT_KEY, ROOT_SECRET, patience_s=patience_s)


def leasebook(*arguments: str | Path, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, in the environment of all these servers unless another is given."""
    return forked.run([*map(str, arguments)], env=environment() if variables is None else variables)


def prove_books(data: Path) -> None:
    """Have the books proved by the command line."""
    done = leasebook("check", "--data", data)
    assert done.returncode == 0, f"leasebook check ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"


def all_at_once(callers: Sequence[FleetClient], call: Callable[[FleetClient], Answer]) -> list[Answer]:
    """Have everybody call in the same moment; returns what each was answered."""
    ready = threading.Barrier(len(callers))

    def one(caller: FleetClient) -> Answer:
        with caller:
            ready.wait(30)
            return call(caller)

    with ThreadPoolExecutor(len(callers)) as threads:
        return list(threads.map(one, callers))


def outcomes(answers: Sequence[Answer]) -> Counter[str]:
    """Count the answers: "bought", or the error code."""
    return Counter("bought" if answer.status == HTTPStatus.OK else answer.code for answer in answers)


def every_page(caller: FleetClient, path: str, action: str, rows: str) -> Iterator[dict[str, Any]]:
    """Walk through a list to its end."""
    asked: dict[str, Any] = {"maxKeys": 100}
    while True:
        page = caller.call(path, action, asked).result
        yield from page[rows]
        if not page["isTruncated"]:
            return
        asked["marker"] = page["nextMarker"]


def show(caller: FleetClient, unit_id: str) -> dict[str, Any]:
    """Return an instance, which must exist."""
    found: dict[str, Any] = caller.call(UNITS, "DescribeComputeUnit", {"instanceId": unit_id}).result
    shown: dict[str, Any] = found["computeUnitInstance"]
    return shown


class Record(NamedTuple):
    """A purchase that was acknowledged to a client."""

    token: str
    body: dict[str, Any]
    unit_id: str
    order_id: str

    @property
    def size(self) -> int:
        """How many units were bought."""
        size: int = self.body["computeUnitCount"]
        return size

    @property
    def months(self) -> int:
        """For how many months they are paid; 0: by the minute."""
        months: int = self.body["billing"].get("reservation", {}).get("reservationLength", 0)
        return months


def prove(
    caller: FleetClient, records: Sequence[Record], ends: dict[str, str | None], *, funds: int, unit_type: str
) -> None:
    """Fail unless the account's books agree with the answers to its clients, and have nothing else.

    ``ends`` says of each instance how it was to end. Everything is worked out again here, from the records and
    the prices; nothing is taken from the server's own sums.
    """
    _prove_orders(caller, records)
    units = {record.unit_id: show(caller, record.unit_id) for record in records}
    live = 0
    for record in records:
        unit, is_over = units[record.unit_id], ends[record.unit_id] is not None
        assert unit["status"] == ("Released" if is_over else "Running"), unit
        assert unit["totalComputeUnits"] == record.size
        live += 0 if is_over else record.size
    offerings = caller.call(CATALOG, "DescribeOfferings").result["offerings"]
    (offering,) = (row for row in offerings if row["type"] == unit_type)
    assert offering["stockTotal"] - offering["stockFree"] == live, "sold twice, or lost"
    _prove_money(caller, records, units, funds)


def _prove_orders(caller: FleetClient, records: Sequence[Record]) -> None:
    told = {(record.order_id, record.unit_id) for record in records}
    assert len(told) == len(records) == len({record.token for record in records})
    orders = list(every_page(caller, ACCOUNT, "DescribeOrders", "orders"))
    found = {(order["orderId"], order["instanceId"]) for order in orders}
    assert len(found) == len(orders)
    assert not told - found, f"acknowledged and lost: {told - found}"
    assert not found - told, f"bought, and no answer says so: {found - told}"


def _prove_money(caller: FleetClient, records: Sequence[Record], units: dict[str, dict[str, Any]], funds: int) -> None:
    charged: Counter[str] = Counter()
    spent = paid_in = Decimal(0)
    for posting in every_page(caller, ACCOUNT, "DescribePostings", "postings"):
        amount = Decimal(posting["amount"])
        if posting["kind"] == "TopUp":
            paid_in += amount
            continue
        spent += amount
        charged[posting["instanceId"]] += int(amount * 1_000_000)
    assert paid_in == funds
    assert Decimal(caller.call(ACCOUNT, "DescribeAccount").result["balance"]) == funds - spent
    for record in records:
        unit = units[record.unit_id]
        if record.months:
            price = record.size * record.months * PER_MONTH
        elif unit["status"] == "Released":
            price = record.size * _minutes_started(unit) * PER_MINUTE
        else:
            continue  # charged at each full hour, whenever that is
        assert charged[record.unit_id] == price * 1_000_000, f"{record}: {charged[record.unit_id]} instead of {price}"


def _minutes_started(unit: dict[str, Any]) -> int:
    passed = datetime.fromisoformat(unit["expiredTime"]) - datetime.fromisoformat(unit["startTime"])
    return -int(-passed.total_seconds() // 60)
