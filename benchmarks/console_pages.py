"""The pages of the console with many instances: ``python -m benchmarks.console_pages [--units 100000]``.

All instances are of one account, whose root looks at the pages. Each page is asked for in turn, without a socket. Its
time is that of the server: from the request to the last byte, and the processor time of all threads, which other
tenants of the machine lengthen less. It also prints the bytes of each page, and of a first visit with the style sheet,
the scripts and the picture that its page names. Parts that a page loads after itself are not in its time.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import re
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from benchmarks import history
from benchmarks.apart import collect_as_served
from benchmarks.filling import Filler, aim, stores
from benchmarks.serving import ACCESS_KEY, SECRET_KEY
from benchmarks.sinks import sink
from leasebook.config.load import load_settings
from leasebook.console.app import Console
from leasebook.console.routes import SESSION_COOKIE
from leasebook.domain.commands.store.bootstrap import ROOT_USER
from leasebook.server.composition import running
from leasebook.store.opening import Target

ENVIRONMENT: Final = {"LEASEBOOK_ROOT_ACCESS_KEY": ACCESS_KEY, "LEASEBOOK_ROOT_SECRET_KEY": SECRET_KEY}
P95_AIM_MS: Final = 100.0
BYTES_AIM: Final = 60 * 1024
WARM_ROUNDS: Final = 2
ASKED: Final = (
    *("overview", "units", "units, filtered", "units, sorted", "units, searched", "units, at depth", "unit", "buy"),
    *("money", "fleet"),
)
"""The pages that have to be fast. The others are shown beside them."""
DEPTH: Final = 20
"""Thousands that the page at depth is behind the first."""
OK: Final = 200
STATIC: Final = re.compile(r'(?:src|href)="([^"]*/static/[^"]+)"')
NEXT: Final = re.compile(r'href="([^"]*marker=[^"]+)"')
UNIT: Final = re.compile(r'href="(/console/units/unit-[^"?]+)"')
CALENDAR: Final = re.compile(r"(/console/calendar/[^<\s]+\.ics)")


class Page(msgspec.Struct):
    """The times of a page in milliseconds, processor times beside them, and its bytes."""

    name: str
    address: str
    bytes: int = 0
    times: list[float] = []
    processor: list[float] = []


def at(percent: int, times: list[float]) -> float:
    """Return the time that this share of the visits was faster than."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class Visitor:
    """The browser of a signed-in user."""

    def __init__(self, app: Any, cookie: str) -> None:
        self._app = app
        self._cookie = f"{SESSION_COOKIE}={cookie}".encode() if cookie else b""

    async def get(self, address: str) -> tuple[float, float, bytes]:
        """Ask for a page; returns milliseconds, of the processor, too, and the body. Raises RuntimeError."""
        parts = urlsplit(address)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"console.test"), (b"accept", b"text/html"), (b"cookie", self._cookie)],
            "client": ("192.0.2.1", 1),
            "server": ("console.test", 80),
        }
        sent: list[Any] = []

        async def receive() -> Any:
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        began, used = time.perf_counter(), time.process_time()
        await self._app(scope, receive, send)
        took, used = (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000
        if sent[0]["status"] != OK:
            raise RuntimeError(f"{address} answered {sent[0]['status']}")
        return took, used, b"".join(message.get("body", b"") for message in sent[1:])


async def pages_of(visitor: Visitor, user_id: str) -> list[Page]:
    """Return the pages to ask for, with things of the store in their addresses."""
    units = "/console/units"
    found = {"overview": "/console", "units": units, "units, filtered": f"{units}?type=gpu-1&status=Running"}
    found["units, filtered by tag"] = f"{units}?tag=team%3Dcommon"
    found["units, filtered by who bought"] = f"{units}?userId={user_id}"
    found["units, sorted"] = f"{units}?sort=name&down=1"
    found["units, searched"] = f"{units}?q=gpu-2"
    deep = units
    for _ in range(DEPTH):
        # The link to the next thousand is on the last page of the present one.
        _, _, body = await visitor.get(f"{deep}{'&' if '?' in deep else '?'}page=20")
        markers = NEXT.findall(body.decode())
        if not markers:
            break
        deep = html.unescape(markers[-1]).replace("page=", "was=")
    found["units, at depth"] = deep
    _, _, body = await visitor.get(units)
    ids = UNIT.findall(body.decode())
    found["unit"] = ids[len(ids) // 2]
    found |= {"buy": "/console/buy", "services": "/console/services", "new service": "/console/services/new"}
    found |= {"money": "/console/money", "costs by type": "/console/money/costs?by=type"}
    found |= {"statement": "/console/money/statement", "postings": "/console/money/postings"}
    found |= {"orders": "/console/money/orders", "fleet": "/console/admin/fleet", "sign-in": "/console/sign-in"}
    _, _, body = await visitor.get("/console/account")
    found["calendar, nothing new"] = CALENDAR.findall(body.decode())[0]
    return [Page(name, address) for name, address in found.items()]


async def measure(where: Target, rounds: int) -> tuple[list[Page], dict[str, int]]:
    """Ask for each page in turns; returns them, and the bytes of first visits."""
    async with running(load_settings(None, ENVIRONMENT), where) as service:
        console = service.console
        assert isinstance(console, Console)
        await service.costs.catch_up()
        user_id = await service.store.read(lambda ask: ask.fact(ROOT_USER))
        visitor, stranger = Visitor(service.app, console.sessions.begin(str(user_id), "link")), Visitor(service.app, "")
        pages = await pages_of(visitor, str(user_id))
        collect_as_served()
        for number in range(WARM_ROUNDS + rounds):
            for page in pages:
                took, used, body = await (stranger if page.name == "sign-in" else visitor).get(page.address)
                page.bytes = len(body)
                if number >= WARM_ROUNDS:
                    page.times.append(took)
                    page.processor.append(used)
        return pages, {
            "sign-in": await first_visit(stranger, "/console/sign-in"),
            "overview": await first_visit(visitor, "/console"),
        }


async def first_visit(visitor: Visitor, address: str) -> int:
    """Return the bytes of a page with everything that it names, before compression."""
    _, _, body = await visitor.get(address)
    named = {html.unescape(one) for one in STATIC.findall(body.decode())}
    return len(body) + sum([len((await visitor.get(one))[2]) for one in sorted(named)])


def run(store: str, units: int, rounds: int, folder: Path) -> tuple[list[Page], dict[str, int]]:
    """Fill a store, and measure."""
    with stores(store, folder, "pages") as (where,):
        with sink(where) as out:
            filler = Filler(out, others=0)
            filler.add(filler.pending(units * 9 // 10))
            filler.add(filler.prepaid(units // 10))
            # The tags of a chunk are one page of events: the newest pages are to be of one event, as in a life.
            filler.tag()
            filler.add(filler.released(units // 5))
            filler.close()
        return asyncio.run(measure(where, rounds))


def show(pages: list[Page], first: dict[str, int]) -> dict[str, float]:
    """Print what was measured; returns the figures."""
    print(f"{'page':<32}{'p50 ms':>10}{'p95 ms':>10}{'cpu p50':>10}{'cpu p95':>10}{'bytes':>10}")
    figures: dict[str, float] = {}
    for page in pages:
        columns = [at(percent, times) for times in (page.times, page.processor) for percent in (50, 95)]
        print(f"{page.name:<32}{''.join(f'{one:>10.1f}' for one in columns)}{page.bytes:>10,}")
        names = ("p50 ms", "p95 ms", "p50 cpu ms", "p95 cpu ms")
        figures |= {f"{page.name}: {name}": one for name, one in zip(names, columns, strict=True)}
    for page in pages:
        if page.name in ASKED:
            what = f"p95 of {page.name}, processor time"
            aim(what, at(95, page.processor), P95_AIM_MS, at_most=True, unit=" ms")
    for name, size in first.items():
        aim(f"a first visit to {name}", size, BYTES_AIM, at_most=True, unit=" bytes")
        figures[f"first visit to {name}: bytes"] = size
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = history.parser_of("console_pages", __doc__)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--units", type=int, default=100_000, help="live instances of the account")
    parser.add_argument("--rounds", type=int, default=40, help="visits of each page")
    given: argparse.Namespace = parser.parse_args()
    with history.running("console_pages", given.json) as place:
        pages, first = run(given.store, given.units, given.rounds, place.folder)
        figures = {f"{given.store} {name}": value for name, value in show(pages, first).items()}
        details = {page.name: page.processor for page in pages}
        place.record({"store": given.store, "units": given.units, "rounds": given.rounds}, figures, details)


if __name__ == "__main__":
    main()
