"""The overview."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.routes import get


async def overview(desk: Desk) -> Response:
    """Show the overview."""
    return desk.page("overview/overview.html")


ROUTES: Final = (get("/", overview),)
