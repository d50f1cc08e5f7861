"""The yardstick: ``python -m benchmarks.yardstick``.

The same purchase as a program would write it that has no batches: one transaction a purchase, one statement a row,
SELECT … FOR UPDATE on every row that it decides by, over psycopg 3 with prepared statements. It leaves the very same
rows behind, which ``leasebook check`` proves: events, reminders, and audit entries on a chain among them. It is called
directly: no HTTP, no signature, no policies, no validation; and the number of its connections, and whether it takes the
hot rows first or last, is what suits it best. It is also called behind the same HTTP server as leasebook
(``yardstick_server``), which compares like with like: signed requests over HTTP from as many clients. Both are compared
with leasebook on a database of the same PostgreSQL.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import multiprocessing
import secrets
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, Final, cast

import msgspec
import psycopg

from benchmarks import history
from benchmarks.filling import aim, store_options, stores
from benchmarks.load import Plan, drive_apart
from benchmarks.purchase import PURCHASE, keep_off_the_hour, prepare, requests
from benchmarks.serving import LEASEBOOK, Server
from benchmarks.sinks import asking, master_key_of, sink
from benchmarks.storm import database_cpu_s
from leasebook.api.ids import hex_id, unit_id
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.record.agenda import DueKind
from leasebook.domain.record.audit_log import NOTHING, OK, AuditPage, Entry, Head, Line, head_message, pages_of
from leasebook.domain.record.event import BOUGHT, RUNNING, Event, page_of
from leasebook.domain.record.ledger import FUNDING, Posting, wallet
from leasebook.domain.values.calendar import DAY_US, HOUR_US, Instant, add_months, next_full_hour, to_datetime
from leasebook.domain.values.money import Micro
from leasebook.ports.clock import wall_us
from leasebook.security.audit_keys import AuditKeys
from leasebook.store.opening import Target
from leasebook.store.rows.codec import AUDIT_PAGES, EVENTS

RATIO_AIM: Final = 8
FACED: Final = (2, 8)
"""Numbers of connections that the yardstick has behind HTTP."""
ZONE: Final = "Asia/Shanghai"
RELEASE_US: Final = 4_070_908_800_000_000
AHEAD_US: Final = (DAY_US, HOUR_US)
REMIND: Final = msgspec.json.encode(AHEAD_US).decode()
"""The default times of reminders before the end of an instance, in microseconds."""
CPU, REGION, COUNT, MONTHS = "gpu-1", "bj", 1, 1
BODY: Final = (
    '{"billing":{"paymentTiming":"Postpaid","releaseTime":"2098-12-31T16:00:00Z"},"computeUnitConfig":'
    '{"region":"bj","type":"gpu-1"},"computeUnitCount":1,"clientToken":"00000000000000000000"}'
)

_TOKEN: Final = 'SELECT digest, refused, answer FROM tokens WHERE account_id = %s AND "value" = %s FOR UPDATE'
_OFFERING: Final = "SELECT per_minute, per_month, stock_free FROM offerings WHERE region = %s AND type = %s FOR UPDATE"
_ACCOUNT: Final = "SELECT balance, time_zone FROM accounts WHERE id = %s FOR UPDATE"
_STOCK: Final = "UPDATE offerings SET stock_free = %s WHERE region = %s AND type = %s"
_BALANCE: Final = "UPDATE accounts SET balance = %s WHERE id = %s"
_POSTING: Final = (
    "INSERT INTO posting_rows (account, at, kind, amount, order_id, unit, count, price, since, until) VALUES "
    "((SELECT seq FROM account_numbers WHERE account_id = %s), %s, 'Purchase', %s, %s, "
    "(SELECT seq FROM units WHERE id = %s), %s, %s, %s, %s)"
)
_ORDER: Final = (
    "INSERT INTO order_rows (account, unit, kind, payment_timing, count, months, amount) VALUES "
    "((SELECT seq FROM account_numbers WHERE account_id = %s), (SELECT seq FROM units WHERE id = %s), 'Purchase', "
    "%s, %s, %s, %s)"
)
_UNIT: Final = (
    "INSERT INTO units (id, account_id, created_by, order_id, region, type, count, payment_timing, status, created_at, "
    "term_months, term_from, term_anchor, auto_renew, auto_renew_months, started_at, meter_from, release_at, "
    "charge_at, expires_at, remind_at, remind_before_us, due_at, due_kind, metered_minutes, charged, account) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'Running', %s, %s, %s, %s, false, 1, "
    "%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, (SELECT seq FROM account_numbers WHERE account_id = %s))"
)
_ANSWER: Final = (
    'INSERT INTO tokens (account_id, "value", digest, refused, answer, created_at) VALUES (%s, %s, %s, false, %s, %s)'
)
_EVENTS: Final = (
    f"INSERT INTO event_pages ({', '.join(EVENTS.columns)}) VALUES ({', '.join('%s' for _ in EVENTS.columns)}) "
    "RETURNING seq"
)
_EVENT_UNIT: Final = "INSERT INTO event_units (unit_id, page) VALUES (%s, %s)"
_AUDIT: Final = (
    f"INSERT INTO audit_pages ({', '.join(AUDIT_PAGES.columns)}) "
    f"VALUES ({', '.join('%s' for _ in AUDIT_PAGES.columns)})"
)
_CHAIN: Final = (
    "INSERT INTO audit_chains (chain, number, hash, last_at, seal) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (chain) "
    "DO UPDATE SET number = excluded.number, hash = excluded.hash, last_at = excluded.last_at, seal = excluded.seal"
)


class Shape(msgspec.Struct, frozen=True):
    """A way to run the yardstick: over how many connections, and whether it locks the hot rows at the end."""

    connections: int
    hot_last: bool

    @property
    def name(self) -> str:
        """The table's word for it."""
        return f"{self.connections} connections, hot rows {'last' if self.hot_last else 'first'}"


class Job(msgspec.Struct, frozen=True):
    """The job of a yardstick process."""

    url: str
    master_key: bytes
    account_id: str
    user_id: str
    prepaid: bool
    shape: Shape
    seconds: float
    warm_up: float = 0.3


class Score(msgspec.Struct, frozen=True):
    """The result of a job."""

    bought: int
    p50_ms: float
    p99_ms: float
    cpu_us: float
    database_cpu_us: float = math.nan


class Buyer:
    """Buys over one connection, statement by statement."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._timing = "Prepaid" if job.prepaid else "Postpaid"
        self._connection = psycopg.connect(job.url, autocommit=True, prepare_threshold=1)
        # A chain for each connection, so that none waits for another.
        self._keys = AuditKeys(job.master_key)
        self._end = Head(f"{to_datetime(Instant(wall_us()), 'UTC'):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}", 0, NOTHING)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def buy(self, token: str, digest: str, line: Callable[[Instant], Line] | None = None) -> tuple[str, str]:
        """Buy once, in one transaction; returns the ids of the instance and the order.

        ``line`` returns the call's entry in the audit log; without it there is one of the same length.
        """
        job, run = self._job, self._connection.execute
        with self._connection.transaction():
            seen = run(_TOKEN, (job.account_id, token)).fetchone()
            if seen is not None:
                if seen[0] != digest:
                    raise ValueError("the token was used with other parameters")
                return cast("tuple[str, str]", tuple(msgspec.json.decode(seen[2])))
            unit, order, now = unit_id(), hex_id(), Instant(wall_us())
            # The price never changes here and is known; balance and stock are decided by below, under their locks.
            if job.shape.hot_last:
                amount = self._price() * COUNT * MONTHS if job.prepaid else 0
                self._new_rows(unit, order, now, amount, token, digest)
                self._hot_rows()
            else:
                amount = self._hot_rows()
                self._new_rows(unit, order, now, amount, token, digest)
            # The account is locked by now: its events are numbered in the order of their commits.
            self._tell(unit, order, now)
            page = self._write_down(self._line(now) if line is None else line(now))
        self._end = Head(page.chain, page.number, page.hash)
        return unit, order

    def _tell(self, unit: str, order: str, now: Instant) -> None:
        """Write the events of a purchase, and their places."""
        job, run = self._job, self._connection.execute
        bought = {"status": "Creating", "count": COUNT, "payment_timing": self._timing}
        bought |= {} if job.prepaid else {"release_at": RELEASE_US}
        bought |= {"region": REGION, "type": CPU, "orderId": order}
        running = {"status": "Running"} | ({"expires_at": add_months(now, MONTHS, ZONE)} if job.prepaid else {})
        told = [Event(now, BOUGHT, unit, job.user_id, bought), Event(now, RUNNING, unit, None, running)]
        found = run(_EVENTS, EVENTS.values(page_of(job.account_id, told))).fetchone()
        assert found is not None
        run(_EVENT_UNIT, (unit, found[0]))

    def _line(self, now: Instant) -> Line:
        job, action = self._job, "PurchaseComputeUnit"
        call = (job.user_id, "AKBENCH", "127.0.0.1", "/v2/computeunit", action, 200, OK, "", BODY, (), True)
        return job.account_id, Entry(now, secrets.token_hex(16), *call)

    def _write_down(self, line: Line) -> AuditPage:
        """Write the call on the next page of the chain, and seal its end."""
        (page,) = pages_of(self._end, [line])
        self._connection.execute(_AUDIT, AUDIT_PAGES.values(page))
        seal = self._keys.seal(head_message(page.chain, page.number, page.hash))
        self._connection.execute(_CHAIN, (page.chain, page.number, page.hash, page.last_at, seal))
        return page

    def _price(self) -> int:
        found = self._connection.execute(
            "SELECT per_month FROM offerings WHERE region = %s AND type = %s", (REGION, CPU)
        ).fetchone()
        assert found is not None
        return int(found[0])

    def _hot_rows(self) -> int:
        """Take the stock and the money; returns the amount that is charged at once."""
        job, run = self._job, self._connection.execute
        offering = run(_OFFERING, (REGION, CPU)).fetchone()
        account = run(_ACCOUNT, (job.account_id,)).fetchone()
        assert offering is not None
        assert account is not None
        per_minute, per_month, free = offering
        amount = COUNT * MONTHS * per_month if job.prepaid else 0
        if free < COUNT or account[0] < max(amount, COUNT * per_minute * 60 * (not job.prepaid)):
            raise ValueError("refused")
        run(_STOCK, (free - COUNT, REGION, CPU))
        if amount:
            run(_BALANCE, (account[0] - amount, job.account_id))
        return amount

    def _new_rows(self, unit: str, order: str, now: Instant, amount: int, token: str, digest: str) -> None:
        """Write the order, the instance, what it will do by itself, and the answer for the token."""
        job, run = self._job, self._connection.execute
        months = MONTHS if job.prepaid else 0
        who, what = (job.account_id, job.user_id), (REGION, CPU, COUNT)
        expires = add_months(now, months, ZONE) if job.prepaid else None
        release = None if job.prepaid else RELEASE_US
        charge = None if job.prepaid else next_full_hour(now, ZONE)
        begins = (now, now) if job.prepaid else (None, None)
        metered = None if job.prepaid else now
        remind = Instant((release or expires or 0) - AHEAD_US[0])
        times = (now, metered, release, charge, expires, remind, REMIND)
        due = (release, DueKind.RELEASE), (charge, DueKind.CHARGE), (expires, DueKind.EXPIRE), (remind, DueKind.REMIND)
        first = min((at, int(kind)) for at, kind in due if at is not None)
        run(_UNIT, (unit, *who, order, *what, self._timing, now, months, *begins, *times, *first, amount, who[0]))
        # After the instance: order and posting name it by its number, and the order has all else from its row.
        run(_ORDER, (who[0], unit, self._timing, COUNT, months, amount))
        if amount:
            run(_POSTING, (who[0], now, amount, order, unit, COUNT, amount // (COUNT * MONTHS), now, expires))
        answer = msgspec.json.encode({"unit_id": unit, "order_id": order})
        run(_ANSWER, (job.account_id, token, digest, answer, now))


def _measure(job: Job, results: Any) -> None:
    """Buy in this process, a thread for each connection, and put the score into the queue."""
    buyers = [Buyer(job) for _ in range(job.shape.connections)]
    idle = time.process_time()
    begin = time.perf_counter() + job.warm_up
    end = begin + job.seconds
    times: list[float] = []
    bought = count()

    def work(buyer: Buyer) -> None:
        while (sent := time.perf_counter()) < end:
            token = secrets.token_hex(10)
            digest = hashlib.sha256(token.encode()).hexdigest()
            buyer.buy(token, digest)
            now = time.perf_counter()
            next(bought)
            if begin <= now < end:
                times.append(now - sent)

    _together([partial(work, buyer) for buyer in buyers])
    for buyer in buyers:
        buyer.close()
    ordered = sorted(times)
    pick = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 for part in (0.5, 0.99)]
    results.put(Score(len(ordered), pick[0], pick[1], (time.process_time() - idle) / next(bought) * 1e6))


def _together(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def score(job: Job) -> Score:
    """Run the yardstick in a process of its own."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_measure, args=(job, results), daemon=True)
    process.start()
    try:
        found: Score = results.get(timeout=job.seconds + 60)
    finally:
        process.join()
    return found


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    connections: tuple[int, ...]
    clients: int
    rounds: int
    seconds: float
    timing: str


def _owner(where: Target) -> tuple[str, str]:
    """Prepare a store for the yardstick, with as much stock as can be sold, and money; returns who buys."""
    with sink(where) as out:
        out.run("UPDATE offerings SET stock_total = stock_total + 100000000, stock_free = stock_free + 100000000")
        ((user,),) = out.run("SELECT value FROM facts WHERE name = ?", (ROOT_USER,))
        ((account,),) = out.run("SELECT account_id FROM users WHERE id = ?", (user,))
    return account, user


def _request(server: Server, timing: str) -> bytes:
    if timing == "Postpaid":
        return requests(server, tokens=True)[PURCHASE]
    body = {
        "billing": {
            "paymentTiming": "Prepaid",
            "reservation": {"reservationLength": MONTHS, "reservationTimeUnit": "Month"},
        },
        "computeUnitConfig": {"region": REGION, "type": CPU},
        "computeUnitCount": COUNT,
        "clientToken": "00000000000000000000",
    }
    return server.request("/v2/computeunit", "PurchaseComputeUnit", msgspec.json.encode(body))


def compare(options: Options, place: history.Run) -> dict[str, list[Score]]:
    """Take turns: every shape of the yardstick, then leasebook, round after round; then have both books checked."""
    found: dict[str, list[Score]] = {}
    with stores("postgres", place.folder, "leasebook", "yardstick", *(f"faced_{number}" for number in FACED)) as (
        ours,
        theirs,
        *faced,
    ):
        account, user = _owner(theirs)
        servers = {
            "leasebook": (Server("leasebook", LEASEBOOK, store_options(ours), place.folder / "server.log"), ours)
        }
        for number, where in zip(FACED, faced, strict=True):
            command = (sys.executable, "-m", "benchmarks.yardstick_server", str(number))
            log = place.folder / f"yardstick-{number}.log"
            servers[_faced(number)] = (Server(_faced(number), command, store_options(where), log), where)
        try:
            for server, _ in servers.values():
                prepare(server)
                server.call("/v2/account", "TopUpAccount", {"amount": "10000000000"})
            _top_up(theirs, account)
            shapes = [Shape(number, last) for number in options.connections for last in (False, True)]
            first = 0
            for number in range(options.rounds):
                for shape in shapes if number % 2 == 0 else reversed(shapes):
                    job = Job(
                        theirs.url or "",
                        master_key_of(theirs),
                        account,
                        user,
                        options.timing == "Prepaid",
                        shape,
                        options.seconds,
                    )
                    found.setdefault(shape.name, []).append(score(job))
                for name, (server, where) in servers.items():
                    row, sent = _drive(server, where, options, first)
                    first += sent
                    found.setdefault(name, []).append(row)
                print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
            for name, (server, _) in servers.items():
                server.stop()
                print(f"{name}: {server.check()}")
        finally:
            for server, _ in servers.values():
                server.kill()
        proof = Server("yardstick", LEASEBOOK, store_options(theirs), place.folder / "proof.log")
        try:
            proof.wait_until_ready()
            proof.stop()
            print(f"yardstick: {proof.check()}")
        finally:
            proof.kill()
        with asking(theirs) as (_, run):
            rows = [(table, run(f"SELECT count(*) FROM {table}", ())[0][0]) for table in ("units", "orders", "tokens")]
        print("yardstick: " + ", ".join(f"{count} {table}" for table, count in rows))
    return found


def _faced(connections: int) -> str:
    return f"behind the same HTTP, {connections} connections"


def _drive(server: Server, where: Target, options: Options, first: int) -> tuple[Score, int]:
    cpu, database = server.cpu_s(), database_cpu_s(where)
    plan = Plan(server.port, _request(server, options.timing), options.clients, options.seconds, first=first)
    tally = drive_apart(plan)
    each = 1e6 / tally.sent
    used, of_database = (server.cpu_s() - cpu) * each, (database_cpu_s(where) - database) * each
    return Score(tally.answers, tally.p50_us / 1000, tally.p99_us / 1000, used, of_database), tally.sent


def _top_up(where: Target, account: str) -> None:
    """Put as much money on the yardstick's account as leasebook's has."""
    with sink(where) as out:
        amount, now = 10**16, wall_us()
        out.run("UPDATE accounts SET balance = balance + ? WHERE id = ?", (amount, account))
        out.post([Posting(account, Instant(now), "TopUp", FUNDING, wallet(account), Micro(amount))])


def show(found: dict[str, list[Score]], options: Options) -> dict[str, float]:
    """Print the medians and the ratio; returns the figures."""
    rates = {
        name: statistics.median(score.bought / options.seconds for score in scores) for name, scores in found.items()
    }
    print(f"{'':<34}{'purchases/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>9}")
    for name, scores in found.items():
        p50, p99, cpu = (statistics.median(getattr(row, field) for row in scores) for field in _FIELDS)
        print(f"{name:<34}{rates[name]:>12,.0f}{p50:>9.2f}{p99:>9.2f}{cpu:>9.0f}")
    database = statistics.median(score.database_cpu_us for score in found["leasebook"])
    print(f"leasebook: {database:.0f} us of the database's processor time a purchase")
    faced = max(map(_faced, FACED), key=rates.__getitem__)
    like = rates["leasebook"] / rates[faced]
    aim(f"{options.timing}: leasebook / yardstick ({faced})", like, RATIO_AIM, at_most=False)
    best = max((name for name in rates if "hot rows" in name), key=rates.__getitem__)
    ratio = rates["leasebook"] / rates[best]
    aim(f"{options.timing}: leasebook over HTTP / yardstick without ({best})", ratio, RATIO_AIM, at_most=False)
    plain = max((name for name in rates if name.endswith("first")), key=rates.__getitem__)
    print(f"leasebook / yardstick with the hot rows first ({plain}): {rates['leasebook'] / rates[plain]:.2f}")
    return {
        f"{options.timing}: leasebook / yardstick behind the same HTTP": like,
        f"{options.timing}: leasebook / yardstick": ratio,
        f"{options.timing}: yardstick purchases/s": rates[best],
        f"{options.timing}: leasebook purchases/s": rates["leasebook"],
    }


_FIELDS: Final = ("p50_ms", "p99_ms", "cpu_us")


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("yardstick", __doc__)
    parser.add_argument("--connections", default="1,8,16", metavar="N,N", help="what the yardstick is tried with")
    parser.add_argument("--clients", type=int, default=128, help="of leasebook")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--timing", choices=["Postpaid", "Prepaid"], default="Postpaid", help="how it is paid")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    connections = tuple(int(text) for text in given.connections.split(","))
    options = Options(connections, given.clients, given.rounds, given.seconds, given.timing)
    keep_off_the_hour(30 + options.rounds * (2 * len(connections) + 1) * (options.seconds + 1))
    with history.running("yardstick", given.json) as place:
        found = compare(options, place)
        figures = show(found, options)
        place.record(msgspec.to_builtins(options), figures, {"scores": msgspec.to_builtins(found)})


if __name__ == "__main__":
    main()
