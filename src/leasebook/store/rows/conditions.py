"""Conditions of partial indexes that queries repeat word for word, so that the stores use the indexes."""

from __future__ import annotations

from typing import Final

from leasebook.domain.record.event import MOVED, types_mask

UNUSUAL: Final = "status <> 'Running' AND status <> 'Released'"
"""Instances that neither run nor are released: the index ``units_unusual``."""
WITH_MOVES: Final = f"types & {types_mask((MOVED,))} <> 0"
"""Pages of events with moves from project to project: few, and asked for by events of projects."""
