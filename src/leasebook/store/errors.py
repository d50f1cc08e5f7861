"""The errors of a store that cannot be used."""

from __future__ import annotations

from leasebook.batch import OutcomeUnknown


class StoreInUse(Exception):
    """Another server works on this data directory; the message says so in one line."""


class BadStore(Exception):
    """The store cannot be used as it is; the message says why in one line."""


class NewerStore(Exception):
    """The store was written by a newer version; the message says so in one line."""


class Unsure(OutcomeUnknown):
    """A commit failed, and its outcome is unknown: the batch may be there when the store is opened again."""
