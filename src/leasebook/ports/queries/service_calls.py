"""Queries about the calls of services."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from leasebook.domain.model.usage import ServiceUsage, UsageKey
from leasebook.domain.values.calendar import Instant


class Used(NamedTuple):
    """The calls that an app made of a service in a period."""

    service_id: str
    app_id: str
    input_tokens: int
    output_tokens: int
    succeeded: int
    failed: int


class UsedIn(NamedTuple):
    """The calls that an app made of a service in one interval of a period; the first one has the number 0."""

    number: int
    used: Used


class SeenUsage(NamedTuple):
    """An hour in which an app called a service, and whether its calls are counted by the minute, too."""

    key: UsageKey
    has_minutes: bool


BEFORE_ALL: Final = UsageKey("", "", Instant(-1))
"""A key that comes before all others."""


class CallQuestions(Protocol):
    """Queries about the calls of an account's services. ``services`` and ``apps`` choose some; None: all.

    ``most`` is how many rows are returned at most.
    """

    def called(self, account_id: str, since: Instant, until: Instant, *, apps: tuple[str, ...] | None) -> list[str]:
        """Return the services that were called in the hours of a period, by id."""
        ...

    def calls(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        *,
        services: tuple[str, ...] | None,
        apps: tuple[str, ...] | None,
        most: int | None = None,
    ) -> list[Used]:
        """Sum the calls of an account's services in a period, by service and app."""
        ...

    def call_intervals(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        interval_us: int,
        *,
        services: tuple[str, ...] | None,
        apps: tuple[str, ...] | None,
        most: int | None = None,
    ) -> list[UsedIn]:
        """Sum the calls of the hours of a period, by service, app and interval; intervals without calls are left out.

        The intervals are whole hours, the first begins with the period.
        """
        ...

    def hours_with_minutes(
        self,
        account_id: str,
        since: Instant,
        until: Instant,
        *,
        services: tuple[str, ...] | None,
        apps: tuple[str, ...] | None,
    ) -> list[ServiceUsage]:
        """Return the hours that begin in a period and have counts by the minute, by service, app and time."""
        ...

    def usage_after(self, after: UsageKey, limit: int) -> list[SeenUsage]:
        """Return the next hours of all accounts behind a key, by service, app and time."""
        ...
