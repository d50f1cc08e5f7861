"""Conditions of partial indexes that queries repeat word for word, so that the stores use the indexes."""

from __future__ import annotations

from typing import Final

UNUSUAL: Final = "status <> 'Running' AND status <> 'Released'"
"""Instances that neither run nor are released: the index ``units_unusual``."""
