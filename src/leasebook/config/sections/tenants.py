"""The settings that bound one account's share of common resources."""

from typing import Annotated

from leasebook.config.kinds import Declared, Text, Whole
from leasebook.config.sections.notifications import NotificationSettings

_SPAN = "[1-9][0-9]{0,1}d|[1-9][0-9]{0,2}h|[1-9][0-9]{0,3}m"
SPANS = Text(
    rf"none|(?:{_SPAN})(?:,(?:{_SPAN})){{0,7}}",
    '"none", or up to eight times before the end such as "1d,1h,30m": at most 99 days, 999 hours or 9999 minutes each',
)


class TenantSettings(NotificationSettings, frozen=True, kw_only=True):
    """Settings that bound one account's share of common resources; each field is its declaration."""

    fairness_in_flight_max: Annotated[
        int,
        Declared(
            "fairness.in_flight_max",
            Whole(1, 128, "calls"),
            "Maximum number of one account's calls in progress while other accounts call; the rest wait. A lower "
            "number delays others less, and makes a busy account's own calls slower.",
        ),
    ] = 6

    fairness_batch_share_max: Annotated[
        int,
        Declared(
            "fairness.batch_share_max",
            Whole(1, 1024, "commands"),
            "Maximum number of one account's commands in a batch while others wait.",
        ),
    ] = 32

    store_lock_wait_seconds: Annotated[
        int,
        Declared(
            "store.lock_wait_seconds",
            Whole(1, 300, "seconds"),
            "On PostgreSQL: how long a call waits for rows locked by another session of the database; after that it "
            "is answered `RowsLocked`. With less than 7, calls that need the rows of a paused server are refused "
            "until that server is disconnected. On the embedded store: how long a call waits for the write lock of "
            "another program; after that it is answered `StoreUnavailable`.",
        ),
    ] = 8

    throttle_key_per_second: Annotated[
        int | None,
        Declared(
            "throttle.key_per_second",
            Whole(1, 100_000, "calls"),
            "Maximum number of calls a second of an access key; more are answered `TooManyRequests`. The limit also "
            "applies to operators' keys.",
            unset="no limit",
        ),
    ] = None

    throttle_key_burst: Annotated[
        int | None,
        Declared(
            "throttle.key_burst",
            Whole(1, 1_000_000, "calls"),
            "Maximum number of calls of an access key at once after a pause.",
            unset="the number allowed in a second",
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
            "Maximum number of calls of all keys of an account at once after a pause.",
            unset="the number allowed in a second",
        ),
    ] = None

    account_users_max: Annotated[
        int,
        Declared("account.users_max", Whole(1, 100000, "users"), "Maximum number of users of an account."),
    ] = 1000

    account_access_keys_max: Annotated[
        int,
        Declared(
            "account.access_keys_max",
            Whole(1, 1000000, "keys"),
            "Maximum number of active access keys of all users of an account together.",
        ),
    ] = 2000

    user_access_keys_max: Annotated[
        int,
        Declared(
            "user.access_keys_max",
            Whole(1, 1000, "keys"),
            "Maximum number of active access keys of a user: the one in use, and the one that replaces it. A user "
            "who has more keeps them and gets no further one.",
        ),
    ] = 2

    account_model_sets_max: Annotated[
        int,
        Declared("account.model_sets_max", Whole(1, 100000, "sets"), "Maximum number of model sets of an account."),
    ] = 500

    account_models_max: Annotated[
        int,
        Declared(
            "account.models_max", Whole(1, 1000000, "versions"), "Maximum number of versions of models of an account."
        ),
    ] = 5000

    account_services_max: Annotated[
        int,
        Declared("account.services_max", Whole(1, 100000, "services"), "Maximum number of services of an account."),
    ] = 500

    account_subscriptions_max: Annotated[
        int,
        Declared(
            "account.subscriptions_max",
            Whole(1, 10000, "subscriptions"),
            "Maximum number of subscriptions of an account.",
        ),
    ] = 50

    account_held_quotes_max: Annotated[
        int,
        Declared(
            "account.held_quotes_max",
            Whole(1, 100000, "quotes"),
            "Maximum number of held quotes of an account.",
        ),
    ] = 1000

    account_service_keys_max: Annotated[
        int,
        Declared(
            "account.service_keys_max",
            Whole(1, 100000, "keys"),
            "Maximum number of service keys of an account, deleted ones not counted.",
        ),
    ] = 1000

    account_open_approvals_max: Annotated[
        int,
        Declared(
            "account.open_approvals_max",
            Whole(1, 100000, "requests"),
            "Maximum number of purchases of an account that wait for an approval.",
        ),
    ] = 200

    approvals_keep_hours: Annotated[
        int,
        Declared(
            "approvals.keep_hours",
            Whole(1, 8784, "hours"),
            "How long a purchase waits for an approval before its request lapses, if the limit does not say.",
        ),
    ] = 72

    approvals_remind_before: Annotated[
        str,
        Declared("approvals.remind_before", SPANS, "How long before a request lapses there are reminders of it."),
    ] = "1d,1h"
    account_projects_max: Annotated[
        int,
        Declared(
            "account.projects_max",
            Whole(1, 10000, "projects"),
            "Maximum number of active projects of an account, the default one not counted.",
        ),
    ] = 100

    events_streams_max: Annotated[
        int,
        Declared(
            "events.streams_max",
            Whole(1, 100000, "streams"),
            "Maximum number of open event streams of a server.",
        ),
    ] = 1000

    events_streams_per_account_max: Annotated[
        int,
        Declared(
            "events.streams_per_account_max",
            Whole(1, 100000, "streams"),
            "Maximum number of open event streams of one account.",
        ),
    ] = 200

    events_streams_per_key_max: Annotated[
        int,
        Declared(
            "events.streams_per_key_max",
            Whole(1, 100000, "streams"),
            "Maximum number of open event streams of one access key.",
        ),
    ] = 100
