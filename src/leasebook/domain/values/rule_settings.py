"""The settings that rules depend on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US, ZULU
from leasebook.domain.values.money import Micro


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that rules depend on, as plain values. Durations are microseconds.

    ``routes`` say which engine serves an offering. ``missing`` lists, for each engine of this server, what it lacks to
    isolate a replica (``Isolation.missing``). An engine without an entry belongs to another server, which decides by
    itself. ``counts_unknown``: a service whose model is not in the repository is only counted if its request does not
    say otherwise; without it the request is refused. ``bounds`` are upper bounds of the numbers that ``domain.bounds``
    counts; a number without an entry is unbounded. ``approval_keep_us`` is how long a request for an approval waits,
    and ``approval_remind_us`` lists how long before its end the approvers are reminded, longest first.
    """

    time_zone: str = "Asia/Shanghai"
    times_in_utc: bool = False
    currency: str = "CNY"
    release_lead_min_us: int = 0
    release_horizon_max_us: int | None = None
    postpaid_balance_min: Micro | None = None
    retention_us: int = 7 * DAY_US
    arrears_grace_us: int = 24 * HOUR_US
    quote_keep_us: int = 15 * MINUTE_US
    token_keep_us: int = 2 * DAY_US
    remind_before_us: tuple[int, ...] = ()
    give_up_us: int = 72 * HOUR_US
    delivered_keep_us: int = 7 * DAY_US
    given_up_keep_us: int = 30 * DAY_US
    refused_keep_us: int = 30 * DAY_US
    tests_an_hour: int = 20
    account_tests_an_hour: int = 60
    routes: Routes = ()
    missing: Mapping[str, tuple[str, ...]] = {}
    counts_unknown: bool = True
    approval_keep_us: int = 72 * HOUR_US
    approval_remind_us: tuple[int, ...] = ()
    bounds: Mapping[str, int] = {}

    @property
    def written_zone(self) -> str:
        """The zone for ``rfc3339`` in which callers get times."""
        return ZULU if self.times_in_utc else self.time_zone
