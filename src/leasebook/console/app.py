"""The console as one ASGI application beside the API's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from leasebook.api.asgi import Message, Receive, Scope, Send
from leasebook.console import landing
from leasebook.console.calendar import pages as calendar_pages
from leasebook.console.factor import pages as factor_pages
from leasebook.console.frame import static
from leasebook.console.frame.headers import HEADERS, NO_STORE
from leasebook.console.pages.table import PAGES
from leasebook.console.parts import BASE, Parts
from leasebook.console.routes import no_page, ways_back
from leasebook.console.session import pages as session_pages
from leasebook.console.session.sessions import Sessions

_BASE: Final = BASE.encode()


class Console:
    """Answers everything under ``/console``, and ``/`` where a browser asks. ``more`` are routes of other sign-ins."""

    def __init__(self, parts: Parts, more: Sequence[BaseRoute] = ()) -> None:
        pages = [*session_pages.ROUTES, *calendar_pages.ROUTES, *factor_pages.ROUTES, *more, *PAGES]
        routes = [
            landing.ROUTE,
            Route(f"{BASE}/static/{{version}}/{{name}}", _static, methods=["GET", "HEAD"]),
            *ways_back(pages),
            *pages,
            # Whatever else is asked for: every page that is not there looks like the others.
            Route(f"{BASE}{{rest:path}}", no_page, methods=["GET", "HEAD", "POST"]),
        ]
        self._app = Starlette(routes=routes)
        self._app.router.redirect_slashes = False
        self._app.state.parts = parts
        self.parts = parts
        self._prefix = parts.path_prefix

    @property
    def sessions(self) -> Sessions:
        """The sessions."""
        return self.parts.sessions

    def link(self, user_id: str) -> str:
        """Return the path of a link to sign in as a user: it works once, for some minutes."""
        return f"{self.parts.base}/in/{self.parts.sessions.link(user_id)}"

    def takes(self, path: bytes, scope: Scope) -> bool:
        """Whether a path without the service's prefix is the console's."""
        if path == b"/":
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
            return landing.wants_page(scope["method"], accept)
        return path.startswith(_BASE) and path[len(_BASE) : len(_BASE) + 1] in (b"", b"/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                names = {name for name, _ in given}
                # A page may have a header of its own in place of the one that all have.
                more = [header for header in (*HEADERS, NO_STORE) if header[0] not in names]
                message = {**message, "headers": [*given, *more]}
            await send(message)

        path = scope["path"]
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path[len(self._prefix) :]
        # The routes know no prefix. A trailing slash means the same page.
        inner = {**scope, "path": path.rstrip("/") or "/", "root_path": "", "leasebook.path": path}
        await self._app(inner, receive, sending)


async def _static(request: Request) -> Response:
    """Answer with one of the console's own files; under an old address with the one of today."""
    found = static.files().get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    headers = {"cache-control": static.cached(found, request.path_params["version"])}
    return Response(found.content, media_type=found.media_type, headers=headers)
