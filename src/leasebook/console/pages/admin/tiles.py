"""The first page of administration: what there is that its reader may see."""

from __future__ import annotations

from typing import Final, NamedTuple

from starlette.responses import Response

from leasebook.console.desk import Desk
from leasebook.console.navigation import marked
from leasebook.contract.action import ACCOUNT, CATALOG, IAM, NOTIFICATION, PROJECT, UNITS


class Tile(NamedTuple):
    """A page: its name, its purpose, its address, the action that its reader may do, and whether across."""

    name: str
    about: str
    address: str
    action: tuple[str, str]
    across: bool = False


TILES: Final = (
    Tile(marked("Fleet"), marked("Who holds what in every account, and what ends when."), "/admin/fleet",
         (UNITS, "DescribeComputeUnits"), across=True),
    Tile(marked("Accounts"), marked("What each holds, owes and spent; open, suspend, close."), "/admin/accounts",
         (IAM, "DescribeAccounts")),
    Tile(marked("Users and keys"), marked("People, their policies and their access keys."), "/admin/users",
         (IAM, "DescribeUsers")),
    Tile(marked("Projects"), marked("Parts of the account with limits and budgets of their own."), "/admin/projects",
         (PROJECT, "DescribeProjects")),
    Tile(marked("Limits and budgets"), marked("What may be bought, and what is used of it."), "/admin/limits",
         (ACCOUNT, "DescribeGuardRails")),
    Tile(marked("Approvals"), marked("Purchases that wait for a decision."), "/admin/approvals",
         (ACCOUNT, "DescribeApprovals")),
    Tile(marked("Catalogue"), marked("Types, stock and prices, with the history of prices."), "/admin/catalogue",
         (CATALOG, "DescribeOfferings")),
    Tile(marked("Subscriptions"), marked("Webhooks and mails with their deliveries."), "/admin/subscriptions",
         (NOTIFICATION, "DescribeSubscriptions")),
    Tile(marked("Audit log"), marked("Who did what, from where, and what came of it."), "/admin/audit",
         (ACCOUNT, "DescribeAuditLog")),
    Tile(marked("Health"), marked("What is late, servers, engines, and the service's time."), "/admin/health",
         (CATALOG, "DescribeEngines")),
)  # fmt: skip


def seen_by(desk: Desk) -> list[Tile]:
    """Return the pages that the reader may see."""
    return [one for one in TILES if (desk.can_across if one.across else desk.can)(*one.action)]


async def tiles(desk: Desk) -> Response:
    """Show what there is."""
    return desk.page("admin/tiles.html", tiles=seen_by(desk))
