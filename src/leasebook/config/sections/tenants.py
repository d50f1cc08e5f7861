"""The settings about what one account may take of what all share."""

from typing import Annotated

from leasebook.config.kinds import Declared, Whole
from leasebook.config.sections.notifications import NotificationSettings


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
            "until that is sent away. On the embedded store: for the write lock, where another program has it; then "
            "it is answered `StoreUnavailable`.",
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

    account_users_max: Annotated[
        int,
        Declared("account.users_max", Whole(1, 100000, "users"), "How many users an account may have."),
    ] = 1000

    account_access_keys_max: Annotated[
        int,
        Declared(
            "account.access_keys_max",
            Whole(1, 1000000, "keys"),
            "How many active access keys all users of an account may have.",
        ),
    ] = 2000

    user_access_keys_max: Annotated[
        int,
        Declared(
            "user.access_keys_max",
            Whole(1, 1000, "keys"),
            "How many active access keys a user may have: the one in use, and the one that takes its place. Who has "
            "more keeps them and gets no other.",
        ),
    ] = 2

    account_model_sets_max: Annotated[
        int,
        Declared("account.model_sets_max", Whole(1, 100000, "sets"), "How many model sets an account may have."),
    ] = 500

    account_models_max: Annotated[
        int,
        Declared(
            "account.models_max", Whole(1, 1000000, "versions"), "How many versions of models an account may have."
        ),
    ] = 5000

    account_services_max: Annotated[
        int,
        Declared("account.services_max", Whole(1, 100000, "services"), "How many services an account may have."),
    ] = 500

    account_subscriptions_max: Annotated[
        int,
        Declared(
            "account.subscriptions_max", Whole(1, 10000, "subscriptions"), "How many subscriptions an account may have."
        ),
    ] = 50

    account_held_quotes_max: Annotated[
        int,
        Declared(
            "account.held_quotes_max",
            Whole(1, 100000, "quotes"),
            "How many quotes whose price is held an account may have.",
        ),
    ] = 1000

    account_service_keys_max: Annotated[
        int,
        Declared(
            "account.service_keys_max",
            Whole(1, 100000, "keys"),
            "How many service keys an account may have that were not deleted.",
        ),
    ] = 1000

    events_streams_max: Annotated[
        int,
        Declared(
            "events.streams_max",
            Whole(1, 100000, "streams"),
            "How many callers of a server may follow events at a time.",
        ),
    ] = 1000

    events_streams_per_account_max: Annotated[
        int,
        Declared(
            "events.streams_per_account_max", Whole(1, 100000, "streams"), "How many of those may be of one account."
        ),
    ] = 200

    events_streams_per_key_max: Annotated[
        int,
        Declared(
            "events.streams_per_key_max", Whole(1, 100000, "streams"), "How many of those may be of one access key."
        ),
    ] = 100
