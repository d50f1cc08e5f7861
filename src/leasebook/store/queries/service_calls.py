"""Queries about the calls of services, in SQL for both stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from leasebook.domain.book.tables import SERVICE_USAGE
from leasebook.domain.model.usage import ServiceUsage, UsageKey
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.ports.queries.service_calls import SeenUsage, Used, UsedIn
from leasebook.store.queries.audit_log import columns
from leasebook.store.rows.codec import CODECS
from leasebook.store.rows.sums import parts_of, total

Names = tuple[str, ...] | None

_SUMS: Final = ", ".join(map(parts_of, ("input_tokens", "output_tokens", "succeeded", "failed")))


class CallQueries(ReadRepository):
    """Queries about calls of services."""

    _fetch: Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

    def called(self, account_id: str, since: Instant, until: Instant, *, apps: Names) -> list[str]:
        """Return the services that were called in the hours of a period, by id."""
        where, params = _chosen(account_id, since, until, None, apps)
        rows = self._fetch(f"SELECT DISTINCT service_id FROM calls WHERE {where}", params)
        return sorted(row[0] for row in rows)

    def calls(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        *,
        services: Names,
        apps: Names,
        most: int | None = None,
    ) -> list[Used]:
        """Sum the calls of an account's services in a period, by service and app."""
        where, params = _chosen(account_id, since, until, services, apps)
        rows = self._fetch(
            f"SELECT service_id, app_id, {_SUMS} FROM calls WHERE {where} "
            f"GROUP BY service_id, app_id ORDER BY service_id, app_id{_at_most(most)}",
            params,
        )
        return [_used(row) for row in rows]

    def call_intervals(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        interval_us: int,
        *,
        services: Names,
        apps: Names,
        most: int | None = None,
    ) -> list[UsedIn]:
        """Sum the calls of the hours of a period, by service, app and interval."""
        where, params = _chosen(account_id, since, until, services, apps)
        rows = self._fetch(
            f"SELECT (hour - ?) / ?, service_id, app_id, {_SUMS} FROM calls WHERE {where} "
            f"GROUP BY service_id, app_id, 1 ORDER BY service_id, app_id, 1{_at_most(most)}",
            [since, interval_us, *params],
        )
        return [UsedIn(int(row[0]), _used(row[1:])) for row in rows]

    def hours_with_minutes(
        self, account_id: str, since: Instant, until: Instant, *, services: Names, apps: Names
    ) -> list[ServiceUsage]:
        """Return the hours that begin in a period and have counts by the minute."""
        where, params = _chosen(account_id, since, until, services, apps)
        rows = self._fetch(
            f"SELECT {columns(CODECS[SERVICE_USAGE])} FROM calls WHERE {where} AND minutes <> '' "
            "ORDER BY service_id, app_id, hour",
            params,
        )
        return [CODECS[SERVICE_USAGE].read(row) for row in rows]

    def usage_after(self, after: UsageKey, limit: int) -> list[SeenUsage]:
        """Return the next hours of all accounts behind a key, by service, app and time."""
        rows = self._fetch(
            "SELECT service_id, app_id, hour, minutes <> '' FROM calls WHERE (service_id, app_id, hour) > (?, ?, ?) "
            "ORDER BY service_id, app_id, hour LIMIT ?",
            (*after, limit),
        )
        return [SeenUsage(UsageKey(*key), bool(has_minutes)) for *key, has_minutes in rows]


def _at_most(most: int | None) -> str:
    return "" if most is None else f" LIMIT {most:d}"


def _chosen(account_id: str, since: Instant, until: Instant, services: Names, apps: Names) -> tuple[str, list[Any]]:
    """Return the condition on hours, and its parameters."""
    where = ["account_id = ?", "hour >= ?", "hour < ?"]
    params: list[Any] = [account_id, since, until]
    for name, values in (("service_id", services), ("app_id", apps)):
        if values is not None:
            where.append(f"{name} IN ({', '.join('?' for _ in values) or 'NULL'})")
            params += values
    return " AND ".join(where), params


def _used(row: tuple[Any, ...]) -> Used:
    return Used(row[0], row[1], *map(total, row[2::2], row[3::2]))
