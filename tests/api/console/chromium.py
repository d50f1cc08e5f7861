"""A real browser in front of a real server, and axe, which looks for faults of accessibility."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from leasebook.client.shapes.instance import Billing, ComputeUnitConfig
from leasebook.client.sync_client import Client
from tests import forked
from tests.copies import put_tables
from tests.depth import IS_DEEP
from tests.ports import free_port

NODE: Final = Path(__file__).parent / "node"
AXE: Final = NODE / "node_modules" / "axe-core" / "axe.min.js"
PICTURES: Final = Path(__file__).parents[3] / "build" / "console"
"""Screenshots of the journeys, for people to look at. Chromium needs as much time for one as for the page."""
CHROMIUM: Final = Path("/usr/bin/chromium")
KEY: Final = "AKCONSOLE"
SECRET: Final = "a-secret-for-the-console-tests"
START_S: Final = 60
PHONE_PX: Final = 640
CUT: Final = """() => [...document.querySelectorAll(".scroll:has(table.stack)")]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 160))"""
"""Lists that have to be scrolled sideways."""


def needed() -> None:
    """Skip by name where there is no browser or no npm; fail where they are asked for."""
    missing = [name for name, path in (("chromium", CHROMIUM.exists()), ("npm", shutil.which("npm"))) if not path]
    if missing and os.environ.get("LEASEBOOK_REQUIRE_TOOLCHAINS"):
        pytest.fail(f"{', '.join(missing)} is not installed, and LEASEBOOK_REQUIRE_TOOLCHAINS asks for it")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    if not AXE.exists():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=NODE, check=True, capture_output=True, timeout=300)


class ConsoleServer:
    """A server on the virtual clock, with the demo's catalogue."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self.client = Client(url, KEY, SECRET)

    def buy(self, unit_type: str, name: str) -> None:
        """Buy a unit by a call of the API."""
        self.client.purchase_units(
            billing=Billing(payment_timing="Postpaid"),
            compute_unit_config=ComputeUnitConfig(region="bj", type=unit_type),
            compute_unit_count=1,
            name=name,
        )

    def link(self, *arguments: str) -> str:
        """Have the command line print a link to sign in."""
        command = ["console", "--data", str(self.data), "--url", self.url, *arguments]
        printed = forked.run(command, env=os.environ, timeout=60)
        assert printed.returncode == 0, printed.stderr
        return printed.stdout.strip()


@contextmanager
def served(
    directory: Path, port: int | None = None, settings: Mapping[str, str] | None = None, more: Sequence[str] = ()
) -> Iterator[ConsoleServer]:
    """Serve from a process of its own; ``settings`` are variables of its environment, ``more`` are arguments."""
    port, data, log = port or free_port(), directory / "data", directory / "log"
    environment = {
        **os.environ,
        "LEASEBOOK_ROOT_ACCESS_KEY": KEY,
        "LEASEBOOK_ROOT_SECRET_KEY": SECRET,
        "LEASEBOOK_ENGINES": "cpu=process, *=instant",
        "LEASEBOOK_ENGINES_PROCESS_UNITS": "cpu=8",
        "LEASEBOOK_CONSOLE_SIGN_INS_PER_MINUTE": "1000",
        **(settings or {}),
    }
    put_tables(data)
    arguments = ["serve", "--demo", "--clock", "virtual", "--port", str(port), "--data", str(data), *more]
    with log.open("wb") as output:
        process = forked.Forked(arguments, env=environment, stdout=output.fileno(), stderr=output.fileno())
    url = f"http://127.0.0.1:{port}"
    try:
        _await(f"{url}/readyz", log)
        server = ConsoleServer(url, data)
        with server.client:
            yield server
    finally:
        process.kill()
        process.wait(30)


def _await(address: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            if httpx2.get(address, timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    pytest.fail(f"the server does not answer: {log.read_text()[-2000:]}")


class Journey:
    """The visit of a person, with pictures on the way. No page may have faults, script errors or an odd breadth."""

    def __init__(self, context: Any, served: ConsoleServer, name: str, *others: str) -> None:
        """``others`` are the addresses of other hosts that the browser may be sent to."""
        self.served = served
        self.name = name
        self.hosts = (served.url, "data:", *others)
        self.errors: list[str] = []
        self.page = context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._own_only)

    def _own_only(self, request: Any) -> None:
        if not request.url.startswith(self.hosts):
            self.errors.append(f"a request to another host: {request.url}")

    def sign_in(self, *arguments: str) -> None:
        """Sign in by a link of the command line."""
        self.page.goto(self.served.link(*arguments))
        self.page.locator("main button").click()
        self.page.wait_for_url("**/console/")

    def open(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(self.served.url + path)

    def fits(self, picture: str) -> None:
        """The page is no broader than the window, and the rows that are lists on a telephone are not cut."""
        window, whole = self.page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert whole <= window, f"{self.name}, {picture} is {whole} pixels wide"
        cut = self.page.evaluate(CUT) if window < PHONE_PX else []
        assert cut == [], f"{self.name}, {picture}"

    def seen(self, picture: str) -> None:
        """Look at the page: axe finds nothing, and it is no broader than the window. A deep run keeps its picture."""
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run().then(one => one.violations)")
        faults = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
        assert faults == [], f"{self.name}, {picture}"
        self.fits(picture)
        if IS_DEEP:
            PICTURES.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=PICTURES / f"{self.name}-{picture}.png", full_page=True)
        assert self.errors == [], f"{self.name}, {picture}"
