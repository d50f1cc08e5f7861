"""The routes of the pages about money."""

from __future__ import annotations

from typing import Final

from leasebook.console.pages.money.balance import balance, top_up
from leasebook.console.pages.money.cheaper import cheaper
from leasebook.console.pages.money.costs import costs, costs_chart, days
from leasebook.console.pages.money.forecasts import forecast
from leasebook.console.pages.money.lists import orders, postings
from leasebook.console.pages.money.statement import export, statement
from leasebook.console.routes import get, post

ROUTES: Final = (
    get("/money", balance),
    post("/money/top-up", top_up, balance),
    get("/money/advice", cheaper),
    get("/money/costs", costs),
    get("/money/costs/chart", costs_chart),
    get("/money/days", days),
    get("/money/forecast", forecast),
    get("/money/orders", orders),
    get("/money/postings", postings),
    get("/money/statement", statement),
    get("/money/export", export),
)
