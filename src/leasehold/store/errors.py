"""Why a store cannot be used."""


class StoreInUse(Exception):
    """Another server works on this data directory; the message says so in one line."""


class BadStore(Exception):
    """The store cannot be used as it is; the message says why in one line."""


class NewerStore(Exception):
    """The store was written by a newer version; the message says so in one line."""
