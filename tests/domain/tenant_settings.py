"""The settings about what one account may take, with their defaults; each may be 1 and 7."""

from typing import Final

TENANTS: Final = {
    "account.users_max": 1000,
    "account.access_keys_max": 2000,
    "user.access_keys_max": 2,
    "account.model_sets_max": 500,
    "account.models_max": 5000,
    "account.services_max": 500,
    "account.subscriptions_max": 50,
    "account.held_quotes_max": 1000,
    "account.service_keys_max": 1000,
    "account.open_approvals_max": 200,
    "approvals.keep_hours": 72,
    "account.projects_max": 100,
    "events.streams_max": 1000,
    "events.streams_per_account_max": 200,
    "events.streams_per_key_max": 100,
}
