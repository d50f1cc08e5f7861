"""Values that belong to the store as a whole."""

from __future__ import annotations

import msgspec


class StoreMetadata(msgspec.Struct, frozen=True):
    """A named value that belongs to the store as a whole, for example the time of its virtual clock."""

    name: str
    value: str
