"""Spreading what was paid in advance: the same rule as in DescribeCosts."""

from __future__ import annotations

from leasebook.domain.costs.spread import REFUNDED, Spread, refunded_posting, spreads_of

__all__ = ["REFUNDED", "Spread", "refunded_posting", "spreads_of"]
