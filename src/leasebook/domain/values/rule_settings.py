"""The settings that rules depend on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from leasebook.domain.replicas.engine_route import Routes
from leasebook.domain.values.calendar import DAY_US, HOUR_US, MINUTE_US
from leasebook.domain.values.money import Micro


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may tune, as plain values. Durations are microseconds.

    ``routes`` say which engine serves an offering, and ``missing`` what each engine of this server lacks to keep a
    replica apart (``Isolation.missing``). An engine that is not in it is another server's, which judges by itself.
    ``counts_unknown``: a service whose model nobody knows is counted where its request does not say, and not refused.
    ``bounds`` are how many there may be of what ``domain.bounds`` counts; what is not in it is not bounded.
    """

    time_zone: str = "Asia/Shanghai"
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
    bounds: Mapping[str, int] = {}
