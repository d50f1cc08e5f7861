"""What the store itself must remember."""

from __future__ import annotations

import msgspec


class StoreMetadata(msgspec.Struct, frozen=True):
    """A value that the store itself must remember, such as where its virtual clock stands."""

    name: str
    value: str
