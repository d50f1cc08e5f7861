"""The routes of the pages of administration."""

from __future__ import annotations

from typing import Final

from leasebook.console.pages.admin import accounts, catalogue, fleet, health, limits, people, records, rules
from leasebook.console.pages.admin.tiles import tiles
from leasebook.console.routes import get, post

ROUTES: Final = (
    get("/admin", tiles),
    get("/admin/fleet", fleet.fleet),
    get("/admin/fleet/end", fleet.ask_end),
    post("/admin/fleet/end", fleet.end, fleet.ask_end),
    get("/admin/accounts", accounts.accounts),
    post("/admin/accounts", accounts.create, accounts.accounts),
    get("/admin/accounts/{account_id}", accounts.account),
    post("/admin/accounts/{account_id}", accounts.act, accounts.account),
    get("/admin/users", people.users),
    post("/admin/users", people.act, people.users),
    get("/admin/projects", rules.projects),
    post("/admin/projects", rules.change_project, rules.projects),
    get("/admin/limits", limits.limits),
    post("/admin/limits", limits.set_limits, limits.limits),
    get("/admin/approvals", rules.approvals),
    post("/admin/approvals", rules.decide, rules.approvals),
    get("/admin/catalogue", catalogue.catalogue),
    post("/admin/catalogue", catalogue.set_offering, catalogue.catalogue),
    get("/admin/catalogue/prices", catalogue.prices),
    get("/admin/health", health.health),
    post("/admin/clock", health.move_clock, health.health),
    get("/admin/subscriptions", records.subscriptions),
    post("/admin/subscriptions", records.change_subscription, records.subscriptions),
    get("/admin/deliveries", records.deliveries),
    post("/admin/deliveries", records.redeliver, records.deliveries),
    get("/admin/audit", records.audit),
)
