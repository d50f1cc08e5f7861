"""The kit's own error."""

from __future__ import annotations


class KitError(Exception):
    """The kit cannot do what the test asks; the message says why, and what can be done."""
