"""The pages of the second port: what monitors ask, and what an operator looks at when something is stuck."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

import structlog

from leasebook.api.health import Page
from leasebook.api.responses import JSON, answer, encode

log = structlog.get_logger()

TEXT: Final = b"text/plain; charset=utf-8"
FRAMES_MAX: Final = 30
TASKS_MAX: Final = 2000
PLACES_SHOWN: Final = 40
PAGES: Final = ("/healthz", "/readyz", "/metrics", "/debug/tasks", "/debug/memory")


class Pages(Protocol):
    """The page that answers monitors."""

    async def page(self, path: str) -> Page | None:
        """Return the page at that path."""
        ...


class Admin:
    """An application for operators only. It shows places in the code, nothing that a caller sent, and no secret."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Speak ASGI."""
        del receive
        if scope["type"] != "http":
            return
        page = await self._page(scope["path"]) if scope["method"] in ("GET", "HEAD") else None
        if page is None:
            page = Page(404, encode({"message": f"There are {', '.join(PAGES)}."}), JSON)
        await answer(send, page.status, page.body, page.content_type, (), head=scope["method"] == "HEAD")

    async def _page(self, path: str) -> Page | None:
        match path:
            case "/debug/tasks":
                return Page(200, tasks().encode(), TEXT)
            case "/debug/memory":
                return Page(200, memory().encode(), TEXT)
            case _:
                return await self._pages.page(path)


def tasks() -> str:
    """Return what runs in the loop, and where each of it waits: alike ones together, the most frequent first."""
    found: dict[str, int] = {}
    running = asyncio.all_tasks()
    for task in list(running)[:TASKS_MAX]:
        places = "".join(f"  {_place(frame)}\n" for frame in _frames(task))
        coroutine = getattr(task.get_coro(), "__qualname__", "?")
        found[f"{coroutine}\n{places}"] = found.get(f"{coroutine}\n{places}", 0) + 1
    ordered = sorted(found.items(), key=lambda item: -item[1])
    return f"{len(running)} tasks\n\n" + "\n".join(f"{count} x {text}" for text, count in ordered)


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """Return the place where a task waits, from its coroutine down to the innermost awaited one."""
    frames: list[FrameType] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(frames) < FRAMES_MAX:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            frames.append(frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return frames


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}"


def memory() -> str:
    """Return how much memory there is in use, and where it was taken if that is written down."""
    kibibytes = int(Path("/proc/self/statm").read_text().split()[1]) * 4
    lines = [f"{kibibytes} KiB in memory, {len(gc.get_objects())} objects that the collector looks at"]
    if not tracemalloc.is_tracing():
        lines.append("Start the server with PYTHONTRACEMALLOC=1 to see where memory is taken; it is slower then.")
        return "\n".join(lines) + "\n"
    taken = tracemalloc.take_snapshot().statistics("lineno")
    lines += [f"{stat.size // 1024} KiB in {stat.count} pieces  {stat.traceback}" for stat in taken[:PLACES_SHOWN]]
    return "\n".join(lines) + "\n"
