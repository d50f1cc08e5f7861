"""A Ray Serve application that does what flags (files) tell it, as ``program`` does: FLAGS/NAME.go, .sick, .die."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import ray.serve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

serve: Any = ray.serve


@serve.deployment(graceful_shutdown_wait_loop_s=0.1, max_constructor_retry_count=1)
class Shop:
    """Answers /health and tells what it was asked; ``stubborn``: it does not end by itself."""

    def __init__(self, given: dict[str, str]) -> None:
        self.flags, self.name, self.stubborn = Path(given["flags"]), given["name"], "stubborn" in given
        for number in range(int(given.get("prints", "0"))):
            print(f"line {number}", flush=True)
        while "waits" in given and not self.flag("go"):
            time.sleep(0.02)
        if "broken" in given:
            raise RuntimeError("there is nothing to sell")
        threading.Thread(target=self.wait_to_die, daemon=True).start()

    def flag(self, what: str) -> bool:
        return (self.flags / f"{self.name}.{what}").exists()

    def wait_to_die(self) -> None:
        while not self.flag("die"):
            time.sleep(0.05)
        os._exit(3)

    async def __call__(self, request: Request) -> Response:
        if request.url.path.endswith("/health"):
            return Response(status_code=503 if self.flag("sick") else 200)
        shown = {"path": request.url.path, "root": request.scope["root_path"], "environment": dict(os.environ)}
        return JSONResponse(shown | {"body": (await request.body()).decode()})

    def __del__(self) -> None:
        while self.stubborn:
            time.sleep(1)


def make(given: dict[str, str]) -> Any:
    """Return the application."""
    made: Any = Shop
    return made.bind(given)


@serve.deployment
class Greedy:
    """Would have room beside the room that is held for it."""

    async def __call__(self, request: Request) -> str:
        return json.dumps(request.url.path)


_greedy: Any = Greedy
greedy = _greedy.options(placement_group_bundles=[{"CPU": 1}]).bind()
