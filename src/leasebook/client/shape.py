"""The base of the shapes of values."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A JSON object with names in lower camel case. Keys that it does not know are ignored when it is read."""
