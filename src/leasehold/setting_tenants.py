"""The settings about what one account may take of what all share."""

from typing import Annotated

from leasehold.setting_kinds import Declared, Whole
from leasehold.setting_notifications import NotificationSettings


class TenantSettings(NotificationSettings, frozen=True, kw_only=True):
    """Settings about what one account may take of what all share; each field is its declaration."""

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
        Declared("user.access_keys_max", Whole(1, 1000, "keys"), "How many active access keys a user may have."),
    ] = 50

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
    ] = 100

    events_streams_per_key_max: Annotated[
        int,
        Declared(
            "events.streams_per_key_max", Whole(1, 100000, "streams"), "How many of those may be of one access key."
        ),
    ] = 20
