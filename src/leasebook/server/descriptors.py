"""Open files, shared out at the start: what due work, engines and monitors need is kept, callers have the rest."""

from __future__ import annotations

from typing import Final, NamedTuple

from leasebook.config.load import Settings

CONNECTIONS_MAX: Final = 10_000
CONNECTIONS_MIN: Final = 16
"""With fewer a server is of no use."""
SPARE: Final = 16
"""Connections beyond those of callers: /healthz and /readyz are answered, however many callers there are."""
ADMIN: Final = 64
"""Connections at the port for operators."""
OWN: Final = 48
"""The loop, the log, the sockets that are listened on, locks, what a library opens in passing."""
STORE: Final = 32
"""Eight connections of the embedded store with three files each, or the sessions with PostgreSQL."""
EXPORT: Final = 5
"""A cost export: the file, twice, and the store."""
PASSING: Final = 32
"""Lookups of names."""
DELIVERIES_MAX: Final = 1024
DELIVERIES_BEYOND: Final = 32
"""Deliveries beyond the common limit of webhooks: an account that has no other delivery under way gets one of these."""
DELIVERIES_PART: Final = 8
"""And where there are many files, an eighth of them."""
STARTS: Final = 8 * 8
"""Eight threads of the process engine: a pipe to each keeper that starts, and the files that are written for it."""
CHECKS: Final = 128
"""Health checks of replicas at once."""
RAY: Final = 32
"""The driver of a Ray cluster, and its pipes."""


class DescriptorPlan(NamedTuple):
    """How the files of a process are shared out between connections of callers and calls that are passed on."""

    files: int
    kept: int
    connections: int
    deliveries: int
    """Most deliveries of events that are under way at once; their files are among ``kept``."""

    @property
    def upstream(self) -> int:
        """How many connections to replicas there are at most: each caller may have a call that is passed on."""
        return self.connections


class TooFewFiles(Exception):
    """The limit of open files is too low; the message says so in one line."""


def deliveries_of(settings: Settings, files: int) -> int:
    """Return how many deliveries may be under way at once."""
    allowed = settings.webhook_attempts_max + settings.webhook_slow_attempts_max + DELIVERIES_BEYOND
    return max(allowed, min(DELIVERIES_MAX, files // DELIVERIES_PART))


def kept_of(engines: frozenset[str], deliveries: int) -> int:
    """Return how many files a server keeps for other uses than connections of callers."""
    kept = OWN + STORE + SPARE + ADMIN + PASSING + deliveries
    if "process" in engines:
        kept += STARTS + CHECKS
    if "ray" in engines:
        kept += RAY
    return kept


def planned(settings: Settings, engines: frozenset[str], files: int) -> DescriptorPlan:
    """Share out this number of files; raises TooFewFiles if it is not enough for a server and a few callers.

    A call of a service needs a second connection, to its replica. So each connection of a caller counts twice.
    """
    deliveries = deliveries_of(settings, files)
    kept = kept_of(engines, deliveries) + EXPORT * settings.costs_exports_max
    room = (files - kept) // 2
    if room < CONNECTIONS_MIN:
        raise TooFewFiles(
            f"This process may open {files} files, and needs {kept + 2 * CONNECTIONS_MIN} to serve anybody: {kept} for "
            "itself (store, engines, deliveries, monitors), and two a connection. Raise the limit (ulimit -n, "
            "LimitNOFILE= of systemd)."
        )
    return DescriptorPlan(files, kept, min(settings.http_connections_max or CONNECTIONS_MAX, room), deliveries)
