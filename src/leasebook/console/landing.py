"""The page at ``/``: what this is, and where everything is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from leasebook.api.health import READY
from leasebook.console.desk import Look
from leasebook.console.frame import languages
from leasebook.console.routes import parts_of


def wants_page(method: str, accept: bytes) -> bool:
    """Whether a request for ``/`` comes from a browser. Programs get the API's own answer."""
    return method in ("GET", "HEAD") and b"text/html" in accept


async def landing(request: Request) -> Response:
    """Answer with the page."""
    parts = parts_of(request)
    language = languages.chosen(request.cookies.get(languages.COOKIE), request.headers.get("accept-language", ""))
    ready = await parts.health.public_page("/readyz")
    look = Look(parts, request, language=language, theme="", party="")
    is_ready = ready is not None and ready.status == READY
    return look.page("frame/landing.html", prefix=parts.path_prefix, is_ready=is_ready)


ROUTE = Route("/", landing, methods=["GET", "HEAD"])
