"""The API's reference: its own document, shown by Swagger UI, with calls that the page signs in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from leasebook.console.desk import Look
from leasebook.console.frame.headers import POLICY
from leasebook.console.routes import open_get, reader_of

IMAGES: Final = POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Swagger UI's style sheet holds its few images."""


async def reference(look: Look, _fields: Mapping[str, Sequence[str]]) -> Response:
    """Show the reference: for anyone, as the document is."""
    look = await reader_of(look)
    response = look.page("reference/reference.html", prefix=look.parts.path_prefix)
    response.headers["content-security-policy"] = IMAGES
    return response


ROUTES: Final = (open_get("/reference", reference),)
