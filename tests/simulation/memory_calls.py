"""Answers of a store of dictionaries about the calls of services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leasebook.domain.book.tables import SERVICE_USAGE, Key, Table
from leasebook.domain.model.usage import ServiceUsage, UsageKey
from leasebook.domain.values.calendar import Instant
from leasebook.ports.queries.read_repository import ReadRepository
from leasebook.ports.queries.service_calls import SeenUsage, Used, UsedIn

Names = tuple[str, ...] | None


class CallsOfMemory(ReadRepository):
    """Questions about calls, asked of the dictionaries."""

    def _rows(self, table: Table[Any]) -> dict[Key, Any]:
        """Return the rows of a table by key."""
        raise NotImplementedError

    def _hours(
        self, account_id: str, since: Instant, until: Instant, services: Names, apps: Names
    ) -> Iterator[ServiceUsage]:
        for row in sorted(self._rows(SERVICE_USAGE).values(), key=lambda row: (row.service_id, row.app_id, row.hour)):
            if (
                row.account_id == account_id
                and since <= row.hour < until
                and (services is None or row.service_id in services)
                and (apps is None or row.app_id in apps)
            ):
                yield row

    def called(self, account_id: str, since: Instant, until: Instant, *, apps: Names) -> list[str]:
        """Return the services that were called in the hours of a period."""
        return sorted({row.service_id for row in self._hours(account_id, since, until, None, apps)})

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
        """Sum up the calls of an account's services."""
        whole = max(until - since, 1)
        found = self.call_intervals(account_id, since, until, whole, services=services, apps=apps, most=most)
        return [one.used for one in found]

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
        sums: dict[tuple[str, str, int], list[int]] = {}
        for row in self._hours(account_id, since, until, services, apps):
            key = (row.service_id, row.app_id, (row.hour - since) // interval_us)
            counted = (row.input_tokens, row.output_tokens, row.succeeded, row.failed)
            sums[key] = [a + b for a, b in zip(sums.get(key, [0, 0, 0, 0]), counted, strict=True)]
        return [UsedIn(number, Used(service, app, *values)) for (service, app, number), values in sums.items()][:most]

    def hours_with_minutes(
        self, account_id: str, since: Instant, until: Instant, *, services: Names, apps: Names
    ) -> list[ServiceUsage]:
        """Return the hours that begin in a period and have counts by the minute."""
        return [row for row in self._hours(account_id, since, until, services, apps) if row.minutes]

    def usage_after(self, after: UsageKey, limit: int) -> list[SeenUsage]:
        """Return the next hours of all accounts behind a key."""
        rows = ((UsageKey(row.service_id, row.app_id, row.hour), row) for row in self._rows(SERVICE_USAGE).values())
        return [SeenUsage(key, bool(row.minutes)) for key, row in sorted(rows, key=lambda one: one[0]) if key > after][
            :limit
        ]
