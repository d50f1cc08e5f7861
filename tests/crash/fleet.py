"""Several real servers on one PostgreSQL, and callers who do not give up."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Self

import psycopg

from leasebook.contract.signing import sign
from tests import forked
from tests.copies import ROUNDS as ROUNDS  # noqa: PLC0414 - the tests of this package take it from here
from tests.forked import Forked, Nursery
from tests.harness import ROOT_KEY, ROOT_SECRET, Answer
from tests.ports import free_port
from tests.rests import Rests

MASTER_KEY = "5ea1" * 16
HOST = "leasebook.test"
SIGNED_FOR_S, SIGNED_ANEW_S = 300, 60.0
START_S = 60.0
STOP_S = 60.0

UNITS, ACCOUNT, CATALOG, IAM, CLOCK = "/v2/computeunit", "/v2/account", "/v2/catalog", "/v2/iam", "/v2/clock"


def environment() -> dict[str, str]:
    """Return what every server of a fleet has in common."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEASEBOOK_")}
    return kept | {
        "LEASEBOOK_ROOT_ACCESS_KEY": ROOT_KEY,
        "LEASEBOOK_ROOT_SECRET_KEY": ROOT_SECRET,
        "LEASEBOOK_MASTER_KEY": MASTER_KEY,
    }


def eventually(what: str, is_so: Callable[[], Any], *, within_s: float = 60.0, every_s: float | None = None) -> Any:
    """Look until it is so, and return what was seen; fails where it does not become so in time.

    ``every_s``: how often, where the moment matters; by itself it looks more rarely the longer it takes.
    """
    until, rests = time.monotonic() + within_s, Rests(0.02) if every_s is None else Rests(every_s, every_s)
    while not (seen := is_so()):
        assert time.monotonic() < until, f"{what}: not within {within_s} s"
        time.sleep(rests.next_s())
    return seen


def moment(ahead_s: float) -> str:
    """Return a moment that lies so far ahead, as requests name it."""
    return (datetime.now(UTC) + timedelta(seconds=ahead_s)).isoformat()


def dice() -> Random:
    """Return dice that fall the same way again where the seed is given that they print."""
    seed = os.environ.get("LEASEBOOK_TEST_SEED") or uuid.uuid4().hex[:8]
    print(f"LEASEBOOK_TEST_SEED={seed}")
    return seeded(seed)


def seeded(seed: object) -> Random:
    return Random(str(seed))  # noqa: S311 - nothing is kept secret with it


class Process:
    """A server or a worker, which may be killed, paused and started again."""

    def __init__(
        self,
        name: str,
        folder: Path,
        arguments: Sequence[str],
        port: int | None = None,
        *,
        before: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        migrations: Path | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """``before`` is a command that starts it; ``migrations`` and ``nursery`` are those of ``Forked``."""
        self.name = name
        self._before, self._variables = before, dict(variables or {})
        self._how: dict[str, Any] = {"migrations": migrations, "nursery": nursery}
        self.port = port
        self._arguments = [*arguments, "--data", str(folder / name)]
        if port is not None:
            self._arguments += ["--port", str(port)]
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> None:
        """Start it; does not wait until it serves."""
        variables = environment() | self._variables
        with self._log.open("ab") as log:
            if self._before:
                self._process = subprocess.Popen(
                    [*self._before, sys.executable, "-m", "leasebook", *self._arguments],
                    stdout=log,
                    stderr=log,
                    env=variables,
                )
            else:
                file = log.fileno()
                self._process = Forked(self._arguments, env=variables, stdout=file, stderr=file, **self._how)

    @property
    def process(self) -> subprocess.Popen[bytes] | Forked:
        """The running process."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def is_ready(self) -> bool:
        """Whether it serves; fails where it has ended by itself."""
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log()[-4000:]}"
        if self.port is None:
            return "doing due work" in self.log()
        try:
            return _get(self.port, "/readyz") == http.HTTPStatus.OK
        except OSError:
            return False

    def wait(self) -> None:
        """Wait until it serves."""
        eventually(f"{self.name} serves", self.is_ready, within_s=START_S)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Pause it at this point; it keeps its connections."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end; it must end well."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S)
        assert code == 0, f"{self.name} ended with {code}:\n{self.log()[-4000:]}"

    def log(self) -> str:
        """Return what it has said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_since(self, size: int) -> str:
        """Return its log without the first ``size`` characters."""
        return self.log()[size:]

    def remove(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()


def _get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise ConnectionError(repr(error)) from None
    finally:
        connection.close()


class Fleet:
    """Servers and workers on one database, each with a data directory of its own."""

    def __init__(self, url: str, servers: list[Process], workers: list[Process]) -> None:
        self.url = url
        self.servers = servers
        self.workers = workers

    @property
    def ports(self) -> list[int]:
        """Where the servers listen."""
        return [server.port for server in self.servers if server.port is not None]

    def root(self, **options: Any) -> FleetClient:
        """Return the operator, as a caller of all servers."""
        return FleetClient(self.ports, ROOT_KEY, ROOT_SECRET, **options)

    def check(self) -> str:
        """Have the books proved by the command line; returns what it says."""
        return check(self.url)


def check(url: str) -> str:
    """Have the books of a database proved by the command line; returns what it says."""
    done = forked.run(["check", "--store", url], env=environment())
    assert done.returncode == 0, f"leasebook check ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def fleet(
    url: str, folder: Path, *, servers: int, workers: int = 0, clock: str = "real", urls: Sequence[str] = ()
) -> Iterator[Fleet]:
    """Start them all at once, and wait until all serve. ``urls``: what the first servers call the database."""
    folder.mkdir(parents=True, exist_ok=True)
    addresses = [*urls, *[url] * (servers - len(urls))]
    made = Fleet(
        url,
        [
            Process(f"server-{number}", folder, ("serve", "--store", address, "--clock", clock), free_port())
            for number, address in enumerate(addresses)
        ],
        [Process(f"worker-{number}", folder, ("work", "--store", url, "--clock", clock)) for number in range(workers)],
    )
    try:
        for process in made.servers:
            process.start()
        for process in made.servers:
            process.wait()
        for process in made.workers:
            process.start()
        for process in made.workers:
            process.wait()
        yield made
    finally:
        for process in (*made.servers, *made.workers):
            process.remove()


class FleetClient:
    """A caller with one thread. A call without an answer is sent again, to the next server."""

    def __init__(
        self,
        ports: Sequence[int],
        access_key: str,
        secret_key: str,
        *,
        patience_s: float = 60.0,
        timeout_s: float = 15.0,
    ) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self._ports = list(ports)
        self._next = cycle(self._ports)
        self._port = next(self._next)
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._connections: dict[int, http.client.HTTPConnection] = {}
        self._signatures: dict[str, tuple[float, str]] = {}
        self.seen: Counter[tuple[int, str]] = Counter()
        """How often each status and error code was answered, in between as well; status 0: nothing was."""
        self.slowest_s = 0.0

    def starting_at(self, number: int) -> FleetClient:
        """Call that server first; the same caller otherwise."""
        while self._port != self._ports[number % len(self._ports)]:
            self._port = next(self._next)
        return self

    def call(self, path: str, action: str, body: dict[str, Any] | None = None, *, token: str | None = None) -> Answer:
        """Call an action until a server answers other than that nothing was done."""
        asked = {**(body or {}), **({} if token is None else {"clientToken": token})}
        content = json.dumps(asked).encode()
        until = time.monotonic() + self._patience_s
        for tries in count(1):
            answer = self._try(self._port, path, action, content)
            if answer is not None and answer.status != http.HTTPStatus.SERVICE_UNAVAILABLE:
                return answer
            assert time.monotonic() < until, f"{action}: not answered within {self._patience_s} s: {answer}"
            self._port = next(self._next)
            if tries % len(self._ports) == 0:
                # No server answers now, and one that starts needs the processor.
                time.sleep(0.02)
        raise AssertionError("it goes on until somebody answers")

    def call_at(self, number: int, path: str, action: str, body: dict[str, Any] | None = None) -> Answer:
        """Call an action of that server, once; fails where it does not answer."""
        answer = self._try(self._ports[number], path, action, json.dumps(body or {}).encode())
        assert answer is not None, f"server {number} did not answer {action}"
        return answer

    def _try(self, port: int, path: str, action: str, content: bytes) -> Answer | None:
        """Send a request once; None where no answer came."""
        target = f"{path}?Action={action}"
        headers = {"Host": HOST, "Authorization": self._signature(path, action), "Content-Type": "application/json"}
        connection = self._connections.get(port)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout_s)
            self._connections[port] = connection
        began = time.monotonic()
        try:
            connection.request("POST", target, content, headers)
            response = connection.getresponse()
            answer = Answer(response.status, {}, json.loads(response.read()))
        except (OSError, http.client.HTTPException):
            self._connections.pop(port).close()
            self.seen[0, ""] += 1
            return None
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.seen[answer.status, "" if answer.status == http.HTTPStatus.OK else answer.code] += 1
        return answer

    def _signature(self, path: str, action: str) -> str:
        """Sign once a minute for each action: bodies are not signed."""
        at, made = self._signatures.get(path + action, (float("-inf"), ""))
        if time.monotonic() - at > SIGNED_ANEW_S:
            made = sign(
                access_key=self.access_key,
                secret_key=self.secret_key,
                method="POST",
                path=path,
                query=f"Action={action}",
                headers={"host": HOST},
                timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                expires_s=SIGNED_FOR_S,
                signed_headers=("host",),
            )
            self._signatures[path + action] = time.monotonic(), made
        return made

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Account(NamedTuple):
    """A customer's account, and the key of its root user."""

    id: str
    access_key: str
    secret_key: str

    def caller(self, ports: Sequence[int], **options: Any) -> FleetClient:
        """Return a client that calls on its behalf."""
        return FleetClient(ports, self.access_key, self.secret_key, **options)


def open_account(root: FleetClient, name: str, funds: int) -> Account:
    """Open an account and put money on it."""
    made = root.call(IAM, "CreateAccount", {"name": name}).result
    account = Account(made["accountId"], made["accessKeyId"], made["secretAccessKey"])
    if funds:
        top_up = {"accountId": account.id, "amount": str(funds)}
        assert root.call(ACCOUNT, "TopUpAccount", top_up, token=uuid.uuid4().hex).status == http.HTTPStatus.OK
    return account


def offer(root: FleetClient, unit_type: str, *, stock: int, per_minute: str = "0.01", per_month: str = "10") -> None:
    """Sell a type of unit."""
    offering = {
        "region": "bj",
        "type": unit_type,
        "pricePerMinute": per_minute,
        "pricePerMonth": per_month,
        "stockTotal": stock,
    }
    assert root.call(CATALOG, "SetOffering", offering, token=uuid.uuid4().hex).status == http.HTTPStatus.OK


def postpaid(unit_type: str, release_time: str | None = None, count: int = 1) -> dict[str, Any]:
    """Return the body of a postpaid purchase."""
    return {
        "billing": {"paymentTiming": "Postpaid", **({} if release_time is None else {"releaseTime": release_time})},
        "computeUnitConfig": {"region": "bj", "type": unit_type},
        "computeUnitCount": count,
    }


def prepaid(unit_type: str, count: int = 1, months: int = 1) -> dict[str, Any]:
    """Return the body of a prepaid purchase."""
    return {
        "billing": {
            "paymentTiming": "Prepaid",
            "reservation": {"reservationTimeUnit": "Month", "reservationLength": months},
        },
        "computeUnitConfig": {"region": "bj", "type": unit_type},
        "computeUnitCount": count,
    }


class Bought(NamedTuple):
    """A purchase that was acknowledged."""

    token: str
    account_id: str
    unit_id: str
    order_id: str


class DatabaseProbe:
    """A database, read past the servers."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def rows(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        return self._connection.execute(text.encode(), params).fetchall()

    def value(self, text: str, *params: Any) -> Any:
        """Ask the database for one value."""
        ((value,),) = self.rows(text, *params)
        return value

    def overdue_s(self) -> float:
        """Return how late the oldest release is that is due and not done, by the database's own clock."""
        late_us: int = self.value(
            "SELECT coalesce((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - min(release_at), 0) "
            "FROM units WHERE status IN ('Creating', 'Running', 'Stopped') AND release_at IS NOT NULL"
        )
        return max(0.0, float(late_us) / 1e6)

    def scheduled(self) -> int:
        """Return how many releases are still to come."""
        return int(
            self.value(
                "SELECT count(*) FROM units WHERE release_at IS NOT NULL AND status IN "
                "('Creating', 'Running', 'Stopped', 'Releasing')"
            )
        )

    def check_purchases(self, bought: Sequence[Bought], account_ids: Sequence[str]) -> None:
        """Fail unless the orders of these accounts are exactly those that were acknowledged, one for each token."""
        acknowledged = {(row.account_id, row.order_id, row.unit_id) for row in bought}
        assert len(acknowledged) == len({row.token for row in bought}) == len(bought)
        orders = self.rows(
            "SELECT account_id, id, unit_id FROM orders WHERE kind = 'Purchase' AND account_id = ANY(%s)",
            list(account_ids),
        )
        assert len(orders) == len(set(orders))
        assert not acknowledged - set(orders), f"acknowledged and lost: {acknowledged - set(orders)}"
        assert not set(orders) - acknowledged, f"bought, and no answer says so: {set(orders) - acknowledged}"
        units = dict(self.rows("SELECT id, order_id FROM units WHERE account_id = ANY(%s)", list(account_ids)))
        assert units == {unit_id: order_id for _, order_id, unit_id in orders}

    def check_money(self, funds: dict[str, int]) -> None:
        """Fail unless each account has what was put on it, less what its postings took away."""
        moved: defaultdict[str, int] = defaultdict(int)
        funded: defaultdict[str, int] = defaultdict(int)
        for account_id, debit, credit, amount in self.rows("SELECT account_id, debit, credit, amount FROM postings"):
            wallet = f"wallet:{account_id}"
            assert (debit == wallet) != (credit == wallet)
            if debit == wallet:
                moved[account_id] += amount
            else:
                funded[account_id] += amount
        balances = dict(self.rows("SELECT id, balance FROM accounts"))
        for account_id, amount in funds.items():
            assert funded[account_id] == amount * 1_000_000, account_id
            assert balances[account_id] == amount * 1_000_000 - moved[account_id], account_id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def books(url: str) -> Iterator[DatabaseProbe]:
    """Read the books of a database."""
    opened = DatabaseProbe(url)
    try:
        yield opened
    finally:
        opened.close()


def check_ends(seen: DatabaseProbe, ends: dict[str, str | None]) -> None:
    """Fail unless exactly these instances were bought, and each of them ended as it was to."""
    rows = seen.rows("SELECT id, status, end_reason, ended_at, release_at FROM units")
    assert len(rows) == len(ends)
    for unit_id, status, reason, ended_at, release_at in rows:
        assert reason == ends[unit_id], unit_id
        assert status == ("Running" if reason is None else "Released"), unit_id
        assert reason != "Schedule" or ended_at == release_at, unit_id
