"""Size: ``python -m benchmarks.size [--store postgres] [--tags]``.

A store with a million instances, all of them with a release ahead, against one with ten thousand: how fast purchases
are, what a page of a hundred costs far down a list against its first page, whether five hundred releases a second are
on time, and what memory the server takes. Beside the pending ones stand prepaid, stopped and released instances, so
that every filter has something to find. With ``--tags`` every live instance of both stores has a tag, and each purchase
a name and three tags, which it also enters into the index of tags.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import history
from benchmarks.filling import COMMON_EVERY, Filler, aim, store_options, stores
from benchmarks.load import Plan, drive
from benchmarks.purchase import PURCHASE, TAGGED, keep_off_the_hour, measure, requests
from benchmarks.serving import HOST, LEASEBOOK
from benchmarks.sinks import asking, bytes_of, sink
from benchmarks.storm import Watched, serving
from leasebook.api.paging import marker_of
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.domain.values.calendar import SECOND_US, Instant, next_full_hour
from leasebook.domain.values.resource_tags import Wanted, written_entry
from leasebook.ports.queries.read_repository import EventFilter, HistoryFilter, UnitFilter
from leasebook.store.opening import Target

SMALL, LARGE = "small", "large"
BUYING_AIM, PAGES_AIM, MEMORY_AIM, LATENESS_AIM_MS = 1.3, 1.5, 1.5, 250
FIRST_AIM: Final = 4
"""A page of events is read from several rows; a list that is searched for is slower than others by far more."""
PAGE: Final = 100
DEPTH: Final = 0.9
"""Where a deep page begins: after so much of its list."""
PAGE_S: Final = 0.3
START_S: Final = 20.0
"""How long before the first steady release the store is filled with them: the server starts meanwhile."""
FILTERS: Final[Mapping[str, dict[str, str]]] = {
    "all that live": {},
    "postpaid": {"paymentTiming": "Postpaid"},
    "prepaid": {"paymentTiming": "Prepaid"},
    "a region": {"region": "bj"},
    "a type": {"type": "gpu-1"},
    "a region and a type": {"region": "bd", "type": "gpu-3"},
    "a region, a type, postpaid": {"region": "bj", "type": "gpu-1", "paymentTiming": "Postpaid"},
    "running": {"status": "Running"},
    "running, a type": {"status": "Running", "type": "gpu-2"},
    "stopped": {"status": "Stopped"},
    "released": {"status": "Released"},
    "released, a region": {"status": "Released", "region": "bj"},
}
_COLUMNS: Final = {"paymentTiming": "payment_timing", "region": "region", "type": "type", "status": "status"}
_LATE: Final = re.compile(r'^leasebook_release_lateness_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)


class Options(msgspec.Struct, frozen=True):
    """How to measure."""

    store: str
    units: int
    few: int
    rounds: int
    seconds: float
    clients: int
    due_rate: int
    due_seconds: int
    parts: tuple[str, ...]
    server: str
    tags: bool = False


class List(msgspec.Struct, frozen=True):
    """A list whose pages are read: the first one, and one far down."""

    name: str
    path: str
    action: str
    rows: int
    first: dict[str, Any]
    deep: dict[str, Any]


class Found(msgspec.Struct):
    """The measured figures."""

    rates: dict[str, list[float]] = {}
    p99s: dict[str, list[float]] = {}
    cpus_us: dict[str, list[float]] = {}
    pages: dict[str, tuple[int, list[float], list[float]]] = {}
    lateness: dict[str, float] = {}
    memory_mib: dict[str, list[float]] = {}
    bytes_each: dict[str, float] = {}
    checks: dict[str, tuple[float, float]] = {}


def fill(where: Target, units: int) -> None:
    """Put instances into a store: those with a release ahead, and a few of every other kind beside them."""
    began = time.monotonic()
    with sink(where) as out:
        filler = Filler(out)
        filler.add(filler.pending(units))
        filler.add(filler.prepaid(units // 20))
        filler.add(filler.prepaid(units // 50, stopped=True))
        filler.add(filler.released(units // 10))
        filler.close()
    print(f"filled a store with {units:,} pending instances in {time.monotonic() - began:.0f} s", file=sys.stderr)


def bytes_each(where: Target, units: int, found: Found) -> None:
    """Measure what a pending instance takes, table by table, indexes included; the store must not be served."""
    for table in ("units", "order_rows", "posting_rows", "event_pages", "event_units"):
        found.bytes_each[table] = sum(bytes_of(where, table)) / units


def lists_of(where: Target) -> list[List]:
    """Return the lists of the biggest account, with markers to places far down."""
    found = []
    with asking(where) as (questions, run):
        user = questions.user(questions.fact(ROOT_USER) or "")
        assert user is not None
        account = user.account_id
        for name, asked in FILTERS.items():
            terms = ["account_id = ?", *(f"{_COLUMNS[field]} = ?" for field in asked)]
            if asked.get("status") != "Released":
                terms.append("status <> 'Released'")
            where_text, params = " AND ".join(terms), (account, *asked.values())
            ((rows,),) = run(f"SELECT count(*) FROM units WHERE {where_text}", params)
            skipped = min(int(rows * DEPTH), rows - PAGE - 1)
            if skipped < PAGE:
                raise RuntimeError(f"{name}: {rows} instances are too few for a page far down")
            text = f"SELECT seq FROM units WHERE {where_text} ORDER BY seq LIMIT 1 OFFSET ?"
            ((seq,),) = run(text, (*params, skipped))
            terms_asked: dict[str, Any] = {_COLUMNS[field]: value for field, value in asked.items()}
            wanted = UnitFilter(account_id=account, **terms_asked)
            deep = {**asked, "maxKeys": PAGE, "marker": marker_of(seq, f"units {wanted}")}
            first = {**asked, "maxKeys": PAGE}
            found.append(List(f"units: {name}", "/v2/computeunit", "DescribeComputeUnits", rows, first, deep))
        for table, action in (("orders", "DescribeOrders"), ("postings", "DescribePostings")):
            ((rows,),) = run(f"SELECT count(*) FROM {table} WHERE account_id = ?", (account,))
            moment = "created_at" if table == "orders" else "at"
            order = "seq DESC" if table == "orders" else "at DESC, seq DESC"
            text = f"SELECT {moment}, seq FROM {table} WHERE account_id = ? ORDER BY {order} LIMIT 1 OFFSET ?"
            ((at, seq),) = run(text, (account, int(rows * DEPTH)))
            place = seq if table == "orders" else (at, seq)
            deep = {"maxKeys": PAGE, "marker": marker_of(place, f"{table} {HistoryFilter(account_id=account)}")}
            found.append(List(table, "/v2/account", action, rows, {"maxKeys": PAGE}, deep))
        found += _tagged(account, run)
        found.append(_events(account, run))
    return found


def _tagged(account: str, run: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]) -> list[List]:
    """Return the lists of instances with tags: a common one, a rare one, and a type beside them."""
    found = []
    for name, tags, unit_type in (
        ("a common tag", {"team": "common"}, None),
        ("a rare tag", {"stage": "rare"}, None),
        ("a rare and a common tag", {"stage": "rare", "team": "common"}, None),
        ("a common key, a type", {"team": None}, "gpu-1"),
    ):
        key = "stage" if "stage" in tags else "team"
        entry = written_entry(key, tags[key])
        text = (
            "FROM tags t JOIN units u ON u.id = t.id WHERE t.account_id = ? AND replace(t.entries, ?, '') <> t.entries "
            "AND u.type = coalesce(?, u.type)"
        )
        ((rows,),) = run(f"SELECT count(*) {text}", (account, entry, unit_type))
        if rows < 2 * PAGE:
            print(f"{name}: {rows} instances are too few for a page far down; take more", file=sys.stderr)
            continue
        skipped = min(int(rows * DEPTH), rows - PAGE - 1)
        ((seq,),) = run(f"SELECT u.seq {text} ORDER BY u.seq LIMIT 1 OFFSET ?", (account, entry, unit_type, skipped))
        wanted = UnitFilter(account_id=account, type=unit_type, tags=Wanted(tuple(sorted(tags.items()))))
        first = {"tags": tags, "maxKeys": PAGE, **({} if unit_type is None else {"type": unit_type})}
        deep = {**first, "marker": marker_of(seq, f"units {wanted}")}
        found.append(List(f"units: {name}", "/v2/computeunit", "DescribeComputeUnits", rows, first, deep))
    return found


def _events(account: str, run: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]) -> List:
    """Return the list of events. They stand on pages, here one each."""
    ((rows,),) = run("SELECT count(*) FROM event_pages WHERE account_id = ?", (account,))
    text = "SELECT seq FROM event_pages WHERE account_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
    ((seq,),) = run(text, (account, int(rows * DEPTH)))
    marker = marker_of((seq, 0), f"events {EventFilter(account_id=account)} {False}")
    deep = {"maxKeys": PAGE, "marker": marker}
    return List("events", "/v2/events", "DescribeEvents", rows, {"maxKeys": PAGE}, deep)


def page_us(server: Watched, kind: List, body: dict[str, Any]) -> float:
    """Return the median time of a page for one caller."""
    request = server.request(kind.path, kind.action, msgspec.json.encode(body))
    tally = drive(Plan(server.port, request, clients=1, seconds=PAGE_S, warm_up=0.05))
    if tally.errors:
        raise RuntimeError(f"{kind.name}: {tally.errors[0]}")
    return tally.p50_us


def pages(server: Watched, where: Target, options: Options, found: Found) -> None:
    """Ask for pages: of every list the first and a deep one, in turns."""
    kinds = lists_of(where)
    for kind in kinds:
        for body in (kind.first, kind.deep):
            answer = server.call(kind.path, kind.action, body)
            rows = next(value for value in answer.values() if isinstance(value, list))
            if len(rows) != PAGE:
                raise RuntimeError(f"{kind.name}: a page of {len(rows)}")
    for number in range(options.rounds):
        for kind in kinds:
            _, first, deep = found.pages.setdefault(kind.name, (kind.rows, [], []))
            turns = [(kind.first, first), (kind.deep, deep)]
            if number % 2:
                turns.reverse()
            for body, times in turns:
                times.append(page_us(server, kind, body))
    found.memory_mib[LARGE].append(peak_mib(server))
    count = whole(server)
    print(f"the whole list of {kinds[0].rows:,} instances: {count / 2**20:.0f} MiB", file=sys.stderr)


def whole(server: Watched) -> int:
    """Ask for all live instances at once, and throw them away; returns the bytes that came."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=120)
    try:
        connection.connect()
        connection.sock.sendall(server.request("/v2/computeunit", "DescribeComputeUnits", b"{}"))
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        count = 0
        while piece := answer.read(2**20):
            count += len(piece)
        return count
    finally:
        connection.close()


def peak_mib(server: Watched) -> float:
    """Return the most memory that the server ever held."""
    return server.rss_kib(peak=True) / 1024


def buying(servers: Mapping[str, Watched], options: Options, found: Found) -> None:
    """Buy from both in turns."""
    kind = TAGGED if options.tags else PURCHASE
    signed = {name: requests(server, tokens=True)[kind] for name, server in servers.items()}
    first = 0
    for number in range(options.rounds):
        names = sorted(servers, reverse=number % 2 == 0)
        for name in names:
            sample = measure(servers[name], signed[name], options.clients, options.seconds, first)
            first += sample.tally.sent
            found.rates.setdefault(name, []).append(sample.tally.rate)
            found.p99s.setdefault(name, []).append(sample.tally.p99_us / 1000)
            found.cpus_us.setdefault(name, []).append(sample.cpu_us)


def steady(where: Target, options: Options, found: Found) -> None:
    """Have releases fall due at a steady rate in the large store, and see how late they were."""
    amount = options.due_rate * options.due_seconds
    first = Instant((int(time.time() + START_S + amount / 5000) + 1) * SECOND_US)
    last = Instant(first + options.due_seconds * SECOND_US)
    with sink(where, tidy=False) as out:
        filler = Filler(out, seed=7)
        charge_at = Instant(next_full_hour(first, "Asia/Shanghai") + 24 * 3600 * SECOND_US)
        filler.add(filler.due(amount, first, every_us=SECOND_US // options.due_rate, charge_at=charge_at))
        filler.close()
    with serving(LARGE, options.server, where) as server:
        if time.time() > first / SECOND_US - 1:
            raise RuntimeError("the releases fell due before the server was ready: the machine is too slow")
        time.sleep(max(0.0, last / SECOND_US + 2 - time.time()))
        if server.released() != amount:
            raise RuntimeError(f"{server.released()} of {amount} releases are done two seconds after the last")
        for bound, count in _LATE.findall(server.metrics()):
            found.lateness[bound] = float(count) / amount
        found.memory_mib["steady"] = [peak_mib(server)]


def run(options: Options, folder: Path) -> Found:
    """Fill the stores and measure, part by part."""
    found = Found(memory_mib={SMALL: [], LARGE: []})
    with stores(options.store, folder, SMALL, LARGE) as (few, many):
        fill(few, options.few)
        fill(many, options.units)
        bytes_each(many, options.units, found)
        for where in (few, many) if options.tags else (many,):
            with sink(where) as out:
                Filler(out, seed=3).tag(every=1 if options.tags else COMMON_EVERY)
        keep_off_the_hour(options.rounds * 40 + 60)
        if {"buying", "pages"} & set(options.parts):
            with serving(SMALL, options.server, few) as small, serving(LARGE, options.server, many) as large:
                servers = {SMALL: small, LARGE: large}
                for name, server in servers.items():
                    server.wait_until_summed()
                    found.memory_mib[name].append(peak_mib(server))
                if "buying" in options.parts:
                    buying(servers, options, found)
                    for name, server in servers.items():
                        found.memory_mib[name].append(peak_mib(server))
                if "pages" in options.parts:
                    pages(large, many, options, found)
                    whole(small)
                    for name, server in servers.items():
                        found.memory_mib[name].append(peak_mib(server))
        if "steady" in options.parts:
            steady(many, options, found)
        for name, where in ((SMALL, few), (LARGE, many)) if "check" in options.parts else ():
            found.checks[name] = prove(name, options, where)
    return found


def prove(name: str, options: Options, where: Target) -> tuple[float, float]:
    """Have the books proved; returns how many seconds it took and its peak memory. Raises RuntimeError."""
    command = [*shlex.split(options.server), "check", *store_options(where)]
    began, peak = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said)
        while process.poll() is None:
            # Of the process itself: what the system says of its end includes who started it.
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int((status.partition("VmHWM:")[2].split() or ["0"])[0]) / 1024)
            time.sleep(0.05)
        took = time.monotonic() - began
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"THE BOOKS OF {name} ARE WRONG:\n{said.read()}")
        print(f"{name}: {said.read().strip()}")
    return took, peak


def _median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    return statistics.median(over) / statistics.median(under)


def show(found: Found, options: Options) -> dict[str, float]:
    """Print the medians and the verdicts; returns the figures."""
    figures: dict[str, float] = {}
    median = statistics.median
    if found.rates:
        for name in (SMALL, LARGE):
            print(f"{name}: {median(found.rates[name]):,.0f} purchases/s, p99 {median(found.p99s[name]):.1f} ms")
        slower = _median_ratio(found.rates[SMALL], found.rates[LARGE])
        later = _median_ratio(found.p99s[LARGE], found.p99s[SMALL])
        aim("purchases/s at the few / at the many", slower, BUYING_AIM, at_most=True)
        aim("p99 of a purchase at the many / at the few", later, BUYING_AIM, at_most=True)
        dearer = _median_ratio(found.cpus_us[LARGE], found.cpus_us[SMALL])
        aim("processor time of a purchase at the many / at the few", dearer, BUYING_AIM, at_most=True)
        figures |= {"purchases: processor time large / small": dearer}
        figures |= {"purchases: small / large": slower, "purchases: p99 large / small": later}
        figures |= {f"purchases/s {name}": median(rates) for name, rates in found.rates.items()}
    if found.pages:
        print(f"{'page of 100':<34}{'rows':>10}{'first ms':>10}{'deep ms':>10}{'ratio':>8}")
        ratios = {}
        for name, (rows, first, deep) in found.pages.items():
            ratios[name] = _median_ratio(deep, first)
            print(f"{name:<34}{rows:>10,}{median(first) / 1000:>10.2f}{median(deep) / 1000:>10.2f}{ratios[name]:>8.2f}")
        worst = max(ratios, key=ratios.__getitem__)
        aim(f"the worst deep page ({worst}) / first page", ratios[worst], PAGES_AIM, at_most=True)
        figures |= {"pages: worst deep / first": ratios[worst]}
        firsts = {name: median(first) for name, (_, first, _) in found.pages.items()}
        slowest = max(firsts, key=firsts.__getitem__)
        usual = firsts[slowest] / median(firsts.values())
        aim(f"the slowest first page ({slowest}) / the usual one", usual, FIRST_AIM, at_most=True)
        figures |= {"pages: slowest first / usual": usual}
    if found.lateness:
        bound = next(bound for bound, share in found.lateness.items() if share >= 0.99)
        shares = ", ".join(f"{share:.2%} within {bound} s" for bound, share in found.lateness.items() if share < 1)
        print(f"{options.due_rate} due/s for {options.due_seconds} s: {shares or 'all within the first bucket'}")
        aim("p99 of the lateness is within", float(bound) * 1000, LATENESS_AIM_MS, at_most=True, unit=" ms")
        figures |= {"due: p99 lateness within ms": float(bound) * 1000}
    parts = ", ".join(f"{table} {size:.0f}" for table, size in found.bytes_each.items())
    print(
        f"bytes for each pending instance, with its share of the others: {sum(found.bytes_each.values()):.0f} ({parts})"
    )
    for name, (seconds, mib) in found.checks.items():
        print(f"{name}: the check took {seconds:.0f} s and {mib:.0f} MiB")
        figures |= {f"check: {name} seconds": seconds, f"check: {name} MiB": mib}
    for name, values in found.memory_mib.items():
        if values:
            print(f"{name}: peak memory of the server {' -> '.join(f'{value:.0f}' for value in values)} MiB")
    if found.memory_mib[LARGE]:
        more = found.memory_mib[LARGE][-1] / found.memory_mib[SMALL][-1]
        aim("peak memory at the many / at the few", more, MEMORY_AIM, at_most=True)
        figures |= {"memory: large / small": more, "memory: large MiB": found.memory_mib[LARGE][-1]}
    which = f"{options.store}, tags" if options.tags else options.store
    return {f"{which} {name}": value for name, value in figures.items()}


def _arguments() -> argparse.Namespace:
    parser = history.parser_of("size", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=1_000_000, help="instances with a release ahead")
    parser.add_argument("--few", type=int, default=10_000, help="the same in the store that it is compared with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement of purchases")
    parser.add_argument("--clients", type=int, default=128)
    parser.add_argument("--due-rate", type=int, default=500, help="releases a second")
    parser.add_argument("--due-seconds", type=int, default=20)
    parser.add_argument("--parts", default="buying,pages,steady,check", metavar="PART,PART")
    parser.add_argument("--tags", action="store_true", help="every live instance has a tag, and each purchase three")
    parser.add_argument("--server", default=shlex.join(LEASEBOOK), metavar="COMMAND", help="what stands for leasebook")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark."""
    given = _arguments()
    options = Options(
        given.store,
        given.units,
        given.few,
        given.rounds,
        given.seconds,
        given.clients,
        given.due_rate,
        given.due_seconds,
        tuple(given.parts.split(",")),
        given.server,
        given.tags,
    )
    with history.running("size", given.json) as place:
        found = run(options, place.folder)
        figures = show(found, options)
        place.record(msgspec.to_builtins(options), figures, msgspec.to_builtins(found))


if __name__ == "__main__":
    main()
