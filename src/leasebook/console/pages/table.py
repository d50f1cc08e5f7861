"""Every page: each folder appends its routes here."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from leasebook.console.pages.overview import pages as overview

PAGES: Final[tuple[BaseRoute, ...]] = (*overview.ROUTES,)
