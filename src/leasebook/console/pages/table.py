"""Every page: each folder appends its routes here."""

from __future__ import annotations

from typing import Final

from starlette.routing import BaseRoute

from leasebook.console.pages.admin import pages as admin
from leasebook.console.pages.buy import pages as buy
from leasebook.console.pages.money import pages as money
from leasebook.console.pages.overview import pages as overview
from leasebook.console.pages.reference import pages as reference
from leasebook.console.pages.services import pages as services
from leasebook.console.pages.units import pages as units

PAGES: Final[tuple[BaseRoute, ...]] = (
    *overview.ROUTES,
    *units.ROUTES,
    *buy.ROUTES,
    *services.ROUTES,
    *money.ROUTES,
    *admin.ROUTES,
    *reference.ROUTES,
)
