"""The pictures of the README and of the docs: ``python -m tests.api.console.pictures`` takes them again.

They are of a service of its own with a virtual clock, whose account has spent some days in three projects.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from leasebook.testing.raw import call
from tests.api.console.chromium import CHROMIUM, ConsoleServer, served

FOLDER: Final = Path(__file__).parents[3] / "docs" / "images"
ZONE: Final = "Asia/Shanghai"
BEGINS: Final = "2026-12-01T09:00:00+08:00"
DAYS: Final = 9
PROJECTS: Final = {"vision": "Images and video", "speech": "Recognition and voices", "search": "Ranking"}
LIVE: Final[tuple[tuple[str, str, int, float | None, str], ...]] = (
    *(("encoder", "gpu-2", 2, 0.7, "search"), ("caption-eval", "gpu-1", 1, 4, "vision")),
    *(("depth-train", "gpu-2", 4, 5.4, "vision"), ("ocr-batch", "gpu-1", 2, 7.7, "vision")),
    *(("voice-clone", "gpu-2", 3, 9.2, "speech"), ("asr-night", "gpu-1", 1, 26, "speech")),
    *(("reranker", "gpu-2", 2, 40, "search"), ("label-helper", "gpu-1", 1, 61, "vision")),
    *(("segmenter", "gpu-2", 1, 88, "vision"), ("tts-sweep", "gpu-1", 2, 100, "speech")),
    *(("retriever", "gpu-2", 2, 190, "search"), ("always-on", "gpu-1", 1, None, "search")),
)
"""Units that run when the pictures are taken: name, type, count, hours until the release, and project."""
TAKEN: Final = "depth-train"
"""The unit whose page is taken."""


class PictureService:
    """A service, and the state in which its console is taken."""

    def __init__(self, server: ConsoleServer) -> None:
        self.server = server
        self.projects: Mapping[str, str] = {}
        self.unit = ""

    def do(self, path: str, action: str, **body: Any) -> Any:
        """Call an action as the root."""
        return call(self.server.client, path, action, body)

    def buy(self, name: str, kind: str, count: int, hours: float | None, project: str) -> str:
        """Buy units by the minute, for some hours."""
        billing: dict[str, Any] = {"paymentTiming": "Postpaid"}
        if hours is not None:
            billing["releaseTime"] = (self.server.client.describe_clock().now + timedelta(hours=hours)).isoformat()
        bought = self.do(
            "/v2/computeunit",
            "PurchaseComputeUnit",
            billing=billing,
            computeUnitConfig={"region": "bj", "type": kind},
            computeUnitCount=count,
            name=name,
            tags={"team": project, "stage": "live" if count > 1 else "test"},
            projectId=self.projects[project],
        )
        return str(bought["instanceId"])

    def live(self) -> None:
        """Let the account spend some days, and buy what runs now."""
        own = self.do("/v2/account", "DescribeAccount")["accountId"]
        self.do("/v2/iam", "RenameAccount", accountId=own, name="Northlight AI")
        made = {
            name: self.do("/v2/project", "CreateProject", name=name, description=about)
            for name, about in PROJECTS.items()
        }
        self.projects = {name: one["projectId"] for name, one in made.items()}
        self.do("/v2/account", "SetGuardRails", limits={"budget": "90000", "budgetWarnPercent": [50, 90]})
        for day in range(DAYS):
            for place, project in enumerate(PROJECTS):
                self.buy(f"train-{day}-{place}", "gpu-2", 1 + (day + place) % 4, 20.0, project)
            now = self.server.client.describe_clock().now
            self.do("/v2/clock", "AdvanceClock", to=(now + timedelta(days=1)).isoformat())
        for name, kind, count, hours, project in LIVE:
            unit = self.buy(name, kind, count, hours, project)
            if name == TAKEN:
                self.unit = unit
        now = self.server.client.describe_clock().now
        self.do("/v2/clock", "AdvanceClock", to=(now + timedelta(minutes=25)).isoformat())


def take() -> None:
    """Take every picture."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(prefix="leasebook-pictures-") as folder,
        served(Path(folder), settings={"LEASEBOOK_TIME_ZONE": ZONE}, more=("--clock-start", BEGINS)) as server,
        sync_playwright() as playwright,
    ):
        service = PictureService(server)
        service.live()
        shots = {
            "overview": ("/console", "en-GB", "light", 860),
            "buy": ("/console/buy?offering=bj/gpu-2&count=2&choice=tonight&name=depth-train-2", "en-GB", "light", 760),
            "unit": (f"/console/units/{service.unit}", "en-GB", "light", 900),
            "costs": ("/console/money/costs?by=project", "zh-CN", "dark", 860),
        }
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (path, locale, colours, height) in shots.items():
            size: Any = {"width": 1280, "height": height}
            scheme: Any = colours
            context = browser.new_context(viewport=size, locale=locale, color_scheme=scheme, timezone_id=ZONE)
            page = context.new_page()
            page.goto(server.link())
            page.locator("main button").click()
            page.goto(server.url + path)
            page.wait_for_load_state("networkidle" if name != "overview" else "load")
            page.locator("main h1").wait_for()
            page.screenshot(path=FOLDER / f"console-{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    take()
