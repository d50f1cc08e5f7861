"""Metrics of the console."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Counter


class ConsoleMetrics:
    """Counts attempts to sign in."""

    def __init__(self, counter: Callable[..., Counter]) -> None:
        self._sign_ins = counter(
            "leasebook_console_sign_ins_total",
            "Attempts to sign in to the console, by how (link, password, code, recovery, openid) and by outcome: ok, "
            "or why not.",
            "how",
            "outcome",
        )

    def signed_in(self, how: str, outcome: str) -> None:
        """Count an attempt to sign in."""
        self._sign_ins.labels(how, outcome).inc()
