"""Builds what makes the files of cost exports."""

from __future__ import annotations

from contextlib import AbstractContextManager

from leasebook.config.load import Settings
from leasebook.domain.values.calendar import Instant
from leasebook.export.focus.rows import Seller
from leasebook.export.focus.served import Bounds, CostExports
from leasebook.observability.metrics import Metrics
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.store.opening import Target
from leasebook.store.queries.account.excerpt import Excerpt
from leasebook.store.queries.snapshot import Around, excerpt


def cost_exports_of(settings: Settings, where: Target, metrics: Metrics) -> CostExports:
    """Return what makes the files of cost exports."""

    def views(
        accounts: tuple[str, ...] | None, since: Instant, until: Instant, around: Around
    ) -> AbstractContextManager[ReadRepository]:
        return excerpt(where, Excerpt(accounts, since, until), around)

    bounds = Bounds(
        in_all=settings.costs_exports_max,
        per_account=settings.costs_exports_per_account_max,
        seconds=settings.costs_export_seconds,
    )
    return CostExports(views, Seller(settings.costs_provider, settings.currency), bounds, metrics.cost_exports)
