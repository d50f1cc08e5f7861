"""The settings about what one account may take of what all share."""

from typing import Annotated

from leasehold.setting_kinds import Declared, Whole
from leasehold.setting_notifications import NotificationSettings


class TenantSettings(NotificationSettings, frozen=True, kw_only=True):
    """Settings about what one account may take of what all share; each field is its declaration."""

    fairness_in_flight_max: Annotated[
        int,
        Declared(
            "fairness.in_flight_max",
            Whole(1, 128, "calls"),
            "How many calls of one account are worked on at once while others call; the rest of them wait for their "
            "turn. Fewer keep others from waiting, and make a crowd's own calls slower.",
        ),
    ] = 8

    fairness_batch_share_max: Annotated[
        int,
        Declared(
            "fairness.batch_share_max",
            Whole(1, 1024, "commands"),
            "How many commands of a batch are one account's at most while others wait.",
        ),
    ] = 32

    store_lock_wait_seconds: Annotated[
        int,
        Declared(
            "store.lock_wait_seconds",
            Whole(1, 300, "seconds"),
            "How long a call waits, on PostgreSQL, for rows that another session of the database holds; then it is "
            "answered `RowsLocked`. With less than 7 calls are refused whose rows are with a server that stands still, "
            "until that is sent away.",
        ),
    ] = 8

    throttle_key_per_second: Annotated[
        int | None,
        Declared(
            "throttle.key_per_second",
            Whole(1, 100_000, "calls"),
            "How many calls a second an access key may make; what comes faster is answered `TooManyRequests`. "
            "Operators' keys are no exception.",
            unset="no limit",
        ),
    ] = None

    throttle_key_burst: Annotated[
        int | None,
        Declared(
            "throttle.key_burst",
            Whole(1, 1_000_000, "calls"),
            "How many calls an access key may make at once after a rest.",
            unset="as many as in a second",
        ),
    ] = None

    throttle_account_per_second: Annotated[
        int | None,
        Declared(
            "throttle.account_per_second",
            Whole(1, 100_000, "calls"),
            "The same for all keys of an account together.",
            unset="no limit",
        ),
    ] = None

    throttle_account_burst: Annotated[
        int | None,
        Declared(
            "throttle.account_burst",
            Whole(1, 1_000_000, "calls"),
            "How many calls all keys of an account may make at once after a rest.",
            unset="as many as in a second",
        ),
    ] = None
