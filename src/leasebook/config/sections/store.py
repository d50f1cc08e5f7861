"""The settings about a shared store that is slow, away or locked."""

from typing import Annotated

from leasebook.config.kinds import Declared, Whole
from leasebook.config.sections.stock import StockSettings


class StoreSettings(StockSettings, frozen=True, kw_only=True):
    """How long PostgreSQL is waited for; each field is its declaration. The embedded store needs none of it."""

    store_connect_seconds: Annotated[
        int,
        Declared(
            "store.connect_seconds",
            Whole(1, 60, "seconds"),
            "How long each host of the database may take to let the service in.",
        ),
    ] = 3

    store_answer_seconds: Annotated[
        int,
        Declared(
            "store.answer_seconds",
            Whole(1, 300, "seconds"),
            "How long the database may take for a statement of a batch, or of a read (`statement_timeout`; a shorter "
            "one of the role or the database counts). A connection that is silent for a second longer is given up, and "
            "its callers are answered `StoreUnavailable`. With less than 7 a batch may fail that waits for a server "
            "which stands still.",
        ),
    ] = 7

    store_away_seconds: Annotated[
        int,
        Declared(
            "store.away_seconds",
            Whole(0, 60, "seconds"),
            "How long callers wait for a database that restarts, or for the one that takes its place, counted from "
            "when it went; then they are answered `StoreUnavailable`, at once, until it is back.",
        ),
    ] = 5

    store_keepalive_seconds: Annotated[
        int,
        Declared(
            "store.keepalive_seconds",
            Whole(1, 7200, "seconds"),
            "After so much silence the database's machine is asked whether it is still there (`keepalives_idle`), "
            "three times, at a third of that (`keepalives_interval`).",
        ),
    ] = 5

    store_tcp_user_timeout_seconds: Annotated[
        int,
        Declared(
            "store.tcp_user_timeout_seconds",
            Whole(1, 300, "seconds"),
            "A connection on which something sent has not arrived for so long is lost (`tcp_user_timeout`).",
        ),
    ] = 7
