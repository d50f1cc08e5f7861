"""The settings of timeouts of a shared store."""

from typing import Annotated

from leasebook.config.kinds import Declared, Whole
from leasebook.config.sections.stock import StockSettings


class StoreSettings(StockSettings, frozen=True, kw_only=True):
    """Timeouts of PostgreSQL; each field is its declaration. The embedded store ignores all but ``answer_seconds``."""

    store_connect_seconds: Annotated[
        int,
        Declared(
            "store.connect_seconds",
            Whole(1, 60, "seconds"),
            "How long each host of the database may take to accept a session (`connect_timeout`).",
        ),
    ] = 3

    store_answer_seconds: Annotated[
        int,
        Declared(
            "store.answer_seconds",
            Whole(1, 300, "seconds"),
            "How long the database may take for a statement of a batch or of a read (`statement_timeout`; a shorter "
            "one of the role or the database takes precedence). A connection that is silent for a second longer is "
            "closed, and its callers are answered `StoreUnavailable`. With less than 7, a batch may fail that waits "
            "for the rows of a paused server. On the embedded store: how long a batch waits for the disk, if that is "
            "longer than `store.lock_wait_seconds`, and a second longer.",
        ),
    ] = 7

    store_away_seconds: Annotated[
        int,
        Declared(
            "store.away_seconds",
            Whole(0, 60, "seconds"),
            "How long callers wait for a database that restarts, or for its successor, counted from the moment it "
            "went away. After that calls are answered `StoreUnavailable` at once, until it is back.",
        ),
    ] = 5

    store_keepalive_seconds: Annotated[
        int,
        Declared(
            "store.keepalive_seconds",
            Whole(1, 7200, "seconds"),
            "How long a connection may be silent before the database's machine is probed (`keepalives_idle`): three "
            "times, at intervals of a third of this (`keepalives_interval`).",
        ),
    ] = 5

    store_tcp_user_timeout_seconds: Annotated[
        int,
        Declared(
            "store.tcp_user_timeout_seconds",
            Whole(1, 300, "seconds"),
            "How long sent data may stay unacknowledged before the connection counts as lost (`tcp_user_timeout`).",
        ),
    ] = 7
